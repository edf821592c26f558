// A session that ends while its page is open: the page's fetch is told so and can tell its user, the event stream and the WebSocket end,
// and loading the page again leads to the sign-in.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { picture } from "../chromium.mjs";
import { until } from "../program.mjs";
import { setStage } from "../stage.mjs";
import { askedToSignIn, fillIn, greeted, signIn, visit } from "../visitor.mjs";

/** A browser's word for what ends before its time. */
const BROKEN_OFF = [/ERR_INCOMPLETE_CHUNKED_ENCODING/, /WebSocket connection/];

/** Waits for what the live page notes on its body of its event stream or its WebSocket. */
const noted = (page, what, value) => page.waitForSelector(`body[data-${what}="${value}"]`, { state: "attached" });

/** Signs in to the page with live parts, and waits until they are open. */
async function openLive(page, address) {
  await signIn(page, `${address}/live?tab=1`);
  await Promise.all([noted(page, "events", "open"), noted(page, "socket", "open")]);
  await page.click("#save");
  await page.waitForSelector("text=Saved for anna");
}

/** The page finds out, says so, and its link leads through the sign-in and back to it. */
async function isTold(page, address, name) {
  const answered = page.waitForResponse(`${address}/api/me`);
  await page.click("#save");
  const answer = await answered;
  assert.equal(answer.status(), 401);
  assert.equal(answer.headers()["content-type"], "application/problem+json");
  assert.match((await answer.json()).login_url, /^\/oauth2\/start\?/);
  await page.waitForSelector("text=your session has ended");
  await picture(page, `${name}.1-told`);
  await page.click("text=Sign in again");
  await askedToSignIn(page);
  await fillIn(page, "anna");
  await page.waitForURL(`${address}/live?tab=1`);
  await greeted(page, "anna");
}

export function sessionEndStories(suite) {
  describe("a session that an administrator ends", () => {
    let stage;
    before(async () => void (stage = await setStage(suite.keycloak)));
    after(() => stage?.stop());

    const ends = {
      "by the user's name": (realm) => realm.logOut("anna"),
      "by its id": async (realm) => Promise.all((await realm.sessions("anna")).map((id) => realm.endSession(id))),
    };
    for (const [how, end] of Object.entries(ends)) {
      test(`${how} ends on the page that is open, which can tell its user`, async () => {
        await visit(suite.browser, { expected: BROKEN_OFF }, async (page) => {
          await openLive(page, stage.address);
          await end(stage.realm);
          // 1008: the session is over. An event stream is asked for again by the browser, and is refused then.
          await Promise.all([noted(page, "socket", "1008"), noted(page, "events", "closed")]);
          await isTold(page, stage.address, "session-end");
        });
      });
    }

    test("is asked to sign in when the page is loaded again", async () => {
      await visit(suite.browser, { expected: BROKEN_OFF }, async (page) => {
        await openLive(page, stage.address);
        await stage.realm.logOut("anna");
        await noted(page, "socket", "1008");
        await page.reload();
        await askedToSignIn(page);
        await fillIn(page, "anna");
        await page.waitForURL(`${stage.address}/live?tab=1`);
        await greeted(page, "anna");
      });
    });
  });

  describe("a session that runs out at Keycloak", () => {
    let stage;
    const shortLived = (realm) => void Object.assign(realm, { accessTokenLifespan: 4, ssoSessionMaxLifespan: 8 });
    before(async () => void (stage = await setStage(suite.keycloak, { realm: shortLived })));
    after(() => stage?.stop());

    test("lives until then, and ends on the page that is open", async () => {
      await visit(suite.browser, { expected: BROKEN_OFF }, async (page) => {
        await openLive(page, stage.address);
        await until("the page is told", 30_000, async () => {
          await page.click("#save");
          return page.getByText("your session has ended").isVisible();
        });
        await noted(page, "socket", "1008");
        await isTold(page, stage.address, "session-out");
      });
    });
  });
}
