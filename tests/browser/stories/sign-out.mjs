// Signing out: by a link of the application, for every tab, and what the Back button shows after it.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { launch, picture } from "../chromium.mjs";
import { setStage } from "../stage.mjs";
import { askedToSignIn, fillIn, greeted, signIn, visit } from "../visitor.mjs";

const signedOut = (page) => page.waitForURL((url) => url.pathname === "/oauth2/signed_out", { waitUntil: "networkidle" });

const signOut = async (page) => {
  await page.click("text=Sign out");
  await signedOut(page);
};

export function signOutStories(suite) {
  describe("a sign-out", () => {
    let stage;
    before(async () => void (stage = await setStage(suite.keycloak)));
    after(() => stage?.stop());

    test("by a link ends the session at Keycloak too, so that the password is asked for again", async () => {
      await visit(suite.browser, {}, async (page) => {
        await signIn(page, `${stage.address}/page`);
        assert.equal((await stage.realm.sessions("anna")).length, 1);
        await signOut(page);
        await picture(page, "sign-out.1-signed-out");
        assert.deepEqual(await stage.realm.sessions("anna"), []);
        await page.click("text=Sign in again");
        await askedToSignIn(page);
        await fillIn(page, "bert");
        await greeted(page, "bert");
      });
    });

    test("in one tab is one in the others", async () => {
      await visit(suite.browser, { expected: [/WebSocket connection/, /ERR_INCOMPLETE_CHUNKED_ENCODING/] }, async (one, open) => {
        await signIn(one, `${stage.address}/one`);
        const two = await open();
        await two.goto(`${stage.address}/live`);
        await greeted(two, "anna");
        await signOut(one);
        await two.waitForSelector("body[data-socket='1008']", { state: "attached" });
        await two.click("#save");
        await two.waitForSelector("text=your session has ended");
        await picture(two, "sign-out.2-other-tab");
        await two.click("text=Form");
        await askedToSignIn(two);
      });
    });

    test("that another site asks for happens by a click only", async () => {
      await visit(suite.browser, {}, async (page) => {
        await signIn(page, `${stage.address}/page`);
        await page.goto(`${stage.address.replace("localhost", "127.0.0.1")}/oauth2/signed_out`);
        await page.evaluate((url) => void location.assign(url), `${stage.address}/oauth2/sign_out`);
        await page.waitForSelector("h1:text-is('Sign out?')");
        await page.click("text=Stay signed in");
        await greeted(page, "anna");
        await page.goto(`${stage.address}/oauth2/sign_out`);
        await page.click("button");
        await signedOut(page);
      });
    });
  });

  // Browsers keep pages that were left, in memory and in their cache, and Back shows them without asking anybody.
  describe("Back after a sign-out", () => {
    let stage, keeping;
    before(async () => void ([stage, keeping] = [await setStage(suite.keycloak), await launch({ keepsPages: true })]));
    after(async () => {
      await keeping?.close();
      await stage?.stop();
    });

    const browsers = { "in its cache": () => suite.browser, "in memory": () => keeping };
    // What the application says of its pages: nothing, or that browsers may keep them.
    for (const said of ["", "?cache-control=max-age%3D600"]) {
      for (const [where, browser] of Object.entries(browsers)) {
        test(`asks for the page anew, though the browser kept it ${where} (${said || "nothing said"})`, async () => {
          await visit(browser(), {}, async (page) => {
            await signIn(page, `${stage.address}/page${said}`);
            await signOut(page);
            await page.goBack({ waitUntil: "commit" });
            await askedToSignIn(page);
            await picture(page, "back.2-after-sign-out");
          });
        });
      }
    }
  });
}
