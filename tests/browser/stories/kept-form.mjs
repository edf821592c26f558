// A form that is sent after its session has ended: kept over the sign-in, sent once, and never as somebody else without asking.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { picture } from "../chromium.mjs";
import { inspect } from "../inspect.mjs";
import { setStage } from "../stage.mjs";
import { askedToSignIn, fillIn, greeted, signIn, visit } from "../visitor.mjs";

const NOTE = "two lines\nof „Käse“ & <b>日本語</b> 🧀";

export function keptFormStories(suite) {
  describe("a form whose session has ended", () => {
    let stage;
    before(async () => void (stage = await setStage(suite.keycloak)));
    after(() => stage?.stop());

    /** Fills a form in, and sends it after the session has ended; meets the login form. */
    async function sendTooLate(page) {
      stage.application.orders.length = 0;
      await signIn(page, `${stage.address}/form`);
      await page.fill("[name=item]", "tea & cake");
      await page.fill("[name=note]", NOTE);
      await stage.realm.logOut("anna");
      await page.click("button");
      await askedToSignIn(page);
      assert.deepEqual(stage.application.orders, []);
    }

    const arrived = (page) => page.waitForURL(`${stage.address}/order?id=7`);
    const order = (user) => ({ user, fields: [["item", "tea & cake"], ["note", NOTE.replaceAll("\n", "\r\n")]] });

    test("is sent once after the sign-in, as it was filled in", async () => {
      await visit(suite.browser, {}, async (page) => {
        await sendTooLate(page);
        await picture(page, "kept-form.1-sign-in");
        await fillIn(page, "anna");
        await arrived(page);
        await greeted(page, "anna");
        await picture(page, "kept-form.2-sent");
        assert.deepEqual(stage.application.orders, [order("anna")]);
        // The pages that send it are none that Back leads to.
        await page.goBack();
        await page.waitForSelector("h1:text-is('You are signed in')");
        await picture(page, "kept-form.3-back");
        await page.reload();
        await page.goBack();
        await page.waitForURL(`${stage.address}/form`);
        assert.equal(stage.application.orders.length, 1, "going back sends nothing");
      });
    });

    /** Another user signs in, and is asked. */
    async function askSomebodyElse(page) {
      await sendTooLate(page);
      await fillIn(page, "bert");
      await page.waitForSelector("h1:text-is('Send again?')");
      assert.deepEqual(stage.application.orders, []);
    }

    test("is not sent as another user who signs in and does not want it", async () => {
      await visit(suite.browser, {}, async (page) => {
        await askSomebodyElse(page);
        await inspect(page, "kept-form.4-somebody-else");
        await page.click("text=Do not send");
        await greeted(page, "bert");
        assert.deepEqual(stage.application.orders, []);
      });
    });

    test("is sent as another user who signs in and says so", async () => {
      await visit(suite.browser, {}, async (page) => {
        await askSomebodyElse(page);
        await page.click("button");
        await arrived(page);
        assert.deepEqual(stage.application.orders, [order("bert")]);
      });
    });

    test("is not sent in a tab that never had it", async () => {
      await visit(suite.browser, {}, async (page, open) => {
        await sendTooLate(page);
        const other = await open();
        await other.goto(page.url());
        await fillIn(other, "anna");
        await other.waitForSelector("h1:text-is('Nothing to send')");
        assert.deepEqual(stage.application.orders, []);
      });
    });
  });
}
