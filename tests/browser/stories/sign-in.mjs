// Signing in at Keycloak's own form: a wrong password, a deep link, several tabs at once, and the Back button.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { picture } from "../chromium.mjs";
import { setStage } from "../stage.mjs";
import { askedToSignIn, fillIn, greeted, signIn, visit } from "../visitor.mjs";

export function signInStories(suite) {
  describe("a sign-in", () => {
    let stage;
    before(async () => void (stage = await setStage(suite.keycloak)));
    after(() => stage?.stop());

    test("by a wrong password leaves one outside, by the right one leads to the page that was asked for", async () => {
      await visit(suite.browser, {}, async (page) => {
        await page.goto(`${stage.address}/reports/2026?month=11&q=a%20b`);
        await askedToSignIn(page);
        await picture(page, "sign-in.1-form");
        await fillIn(page, "anna", "guess");
        await page.waitForSelector("text=Invalid username or password");
        await picture(page, "sign-in.2-wrong-password");
        await fillIn(page, "anna");
        await greeted(page, "anna");
        assert.equal(page.url(), `${stage.address}/reports/2026?month=11&q=a%20b`);
        await picture(page, "sign-in.3-page");
        assert.equal(await page.evaluate(() => document.cookie), "", "scripts can read no cookie of ours");
      });
    });

    test("in one of two tabs that both show the form takes the other one along, each to its own page", async () => {
      await visit(suite.browser, {}, async (one, open) => {
        const two = await open();
        // One after the other: of two that come at the very same moment Keycloak may forget the first ("Your login attempt timed out").
        await one.goto(`${stage.address}/one?a=1`);
        await askedToSignIn(one);
        await two.goto(`${stage.address}/two?b=2`);
        await askedToSignIn(two);
        await fillIn(one, "anna");
        await one.waitForURL(`${stage.address}/one?a=1`);
        // Keycloak's page looks by itself whether somebody has signed in.
        await two.waitForURL(`${stage.address}/two?b=2`);
        await greeted(two, "anna");
        const three = await open();
        await three.goto(`${stage.address}/three`);
        await greeted(three, "anna");
      });
    });

    test("by the form of a tab that has not noticed another's leads to that tab's own page", async () => {
      await visit(suite.browser, { expected: [/ERR_FAILED/, /Failed to fetch/] }, async (one, open) => {
        const two = await open();
        await one.goto(`${stage.address}/one?a=1`);
        // Without its scripts the page notices nothing, as one that was asleep.
        await two.route("**/*.js", (route) => route.abort());
        await two.goto(`${stage.address}/two?b=2`);
        await fillIn(one, "anna");
        await one.waitForURL(`${stage.address}/one?a=1`);
        await fillIn(two, "anna");
        await two.waitForURL(`${stage.address}/two?b=2`);
        await greeted(one, "anna");
      });
    });

    test("is behind the page that Back leads to, and a click leads on", async () => {
      await visit(suite.browser, {}, async (page) => {
        await page.goto("about:blank");
        await signIn(page, `${stage.address}/page`);
        // Keycloak's form is asked for anew, is not needed any more, and leads to a callback that has been.
        await page.goBack();
        await page.waitForURL((url) => url.pathname === "/oauth2/callback");
        assert.equal(await page.textContent("h1"), "You are signed in");
        await picture(page, "back.1-after-sign-in");
        await page.click("text=Continue");
        await page.waitForURL(`${stage.address}/`);
        await greeted(page, "anna");
        await page.goBack();
        await page.waitForSelector("h1:text-is('You are signed in')");
        await page.goBack();
        await page.waitForURL("about:blank");
      });
    });

    test("that took longer than it may is begun again by a click, without a form", async () => {
      await visit(suite.browser, {}, async (page) => {
        await page.goto(`${stage.address}/page`);
        await askedToSignIn(page);
        // The cookie of the attempt, which the browser drops after `attempt-ttl`.
        await page.context().clearCookies({ domain: "localhost" });
        await fillIn(page, "anna");
        await page.waitForSelector("h1:text-is('Signing in did not work')");
        await picture(page, "sign-in.4-too-late");
        await page.click("text=Try again");
        await greeted(page, "anna");
      });
    });
  });
}
