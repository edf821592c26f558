// OpenID Connect Front-Channel Logout 1.0 in a real browser, at a provider whose sign-out page holds a frame for each relying party (the Python
// package idpyoidc). All of them are other sites to each other, as in life, so that no cookie of ours goes with the frame.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { launch } from "../browser/chromium.mjs";
import { freePort } from "../browser/program.mjs";
import { Idpyoidc } from "./idpyoidc.mjs";
import { startParty } from "./party.mjs";
import { registration, startDoor } from "./story.mjs";

const withFrame = (client, path) => {
  const { backchannel_logout_uri, backchannel_logout_session_required, ...others } = client;
  const origin = new URL(client.redirect_uris[0]).origin;
  return { ...others, frontchannel_logout_uri: `${origin}${path}`, frontchannel_logout_session_required: true };
};

/** A provider with two relying parties that know of no other way to be told than a frame, one of them ours, and a browser. */
async function stage(store) {
  const stops = [];
  const stop = () => Promise.all(stops.map((stop) => stop()));
  try {
    const party = await startParty({ host: "other.localhost" });
    const port = await freePort();
    const ours = withFrame(registration(`http://app.localhost:${port}`), "/oauth2/frontchannel-logout");
    const provider = await Idpyoidc.create();
    stops.push(() => party.stop(), () => provider.stop());
    await provider.start([ours, withFrame(party.client, "/frontchannel-logout")]);
    await party.at(provider.issuer);
    const config = { "token-store": store, sidecar: { listen: `127.0.0.1:${port}` } };
    const { door, stop: stopDoor } = await startDoor(`http://app.localhost:${port}`, ours, provider.issuer, config);
    const browser = await launch();
    stops.push(stopDoor, () => browser.close());
    return { browser, door, provider, party, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

for (const store of ["cookie", "session"]) {
  describe(`a browser at idpyoidc with token-store ${store}`, { timeout: 180_000 }, () => {
    let browser, door, provider, party, stop;
    before(async () => void ({ browser, door, provider, party, stop } = await stage(store)));
    after(() => stop?.());

    /** Opens a page that asks at the provider who it is, and says so. */
    async function signIn(page, address, name) {
      await page.goto(address);
      await page.fill("input[name=username]", name);
      await page.click("button");
    }

    /** A page of somebody who is signed in at ours, in a browser of their own. */
    async function pageOf(name) {
      const context = await browser.newContext();
      const page = await context.newPage();
      await signIn(page, `${door.address}/`, name);
      assert.equal(JSON.parse(await page.textContent("body"))["x-forwarded-preferred-username"], name);
      return page;
    }

    /** What a script of that page is answered. */
    const asks = (page) => page.evaluate(async () => (await fetch("/", { headers: { accept: "application/json" } })).status);

    test("a sign-out elsewhere ends the session here, and what is open, by a frame that brings no cookie; and nobody else's", async () => {
      const [anna, bert] = [await pageOf("anna"), await pageOf("bert")];
      await anna.evaluate(() => {
        const events = new EventSource("/events");
        window.ended = new Promise((resolve) => events.addEventListener("error", () => resolve(), { once: true }));
        return new Promise((resolve) => events.addEventListener("message", () => resolve(), { once: true }));
      });
      const tab = await anna.context().newPage();
      await signIn(tab, party.address, "anna");
      const framed = tab.waitForRequest((request) => request.url().startsWith(`${door.address}/oauth2/frontchannel-logout?`));
      await tab.goto(`${party.address}/sign-out`);
      await tab.click("button");
      const request = await framed;
      await tab.waitForURL(`${party.address}/signed-out`);

      assert.equal((await request.response()).status(), 200);
      assert.equal((await request.allHeaders()).cookie, undefined, "a cookie went with the frame: not what browsers do between sites");
      const asked = new URL(request.url()).searchParams;
      assert.equal(asked.get("iss"), provider.issuer);
      assert.ok(asked.get("sid").length > 300);
      await anna.evaluate(() => window.ended);
      assert.equal(await asks(anna), 401);
      await anna.goto(`${door.address}/`);
      assert.ok(await anna.isVisible("input[name=username]"), "the provider asks who it is");
      assert.equal(await asks(bert), 200);
    });

    test("a frame that a stranger shows, naming a session that lives, ends nothing", async () => {
      const dora = await pageOf("dora");
      const { sid } = provider;
      const stranger = await (await browser.newContext()).newPage();
      const frame = await stranger.goto(`${door.address}/oauth2/frontchannel-logout?${new URLSearchParams({ iss: provider.issuer, sid })}`);
      assert.equal(frame.status(), 200);
      const before = provider.refreshes.length;
      assert.equal(await asks(dora), 200);
      assert.equal(provider.refreshes.length, before + 1, "the provider was asked whether it lives");
    });

    test("a sign-out here shows the frame of the other relying party, and comes back", async () => {
      const context = await browser.newContext();
      const page = await context.newPage();
      await signIn(page, party.address, "carla");
      await signIn(page, `${door.address}/`, "carla");
      const before = party.loggedOut.length;
      // Not from a page of the site, so that it asks; and so does the provider.
      await page.goto(`${door.address}/oauth2/sign_out`);
      await page.click("button");
      await page.waitForURL(`${provider.issuer}/verify_logout?**`);
      await page.click("button");
      await page.waitForURL(`${door.address}/oauth2/signed_out?**`);
      const [told] = party.loggedOut.slice(before);
      assert.equal(told.iss, provider.issuer);
      await page.goto(`${door.address}/`);
      assert.ok(await page.isVisible("input[name=username]"));
    });
  });
}
