// Sessions here that begin and end at a standard provider (the Python package idpyoidc): ES256, `aud` as a list, session ids of hundreds of
// characters, refresh tokens that are good once, and an end that it tells by logout tokens.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { freePort } from "../browser/program.mjs";
import { Idpyoidc } from "./idpyoidc.mjs";
import { startParty } from "./party.mjs";
import { Person } from "./person.mjs";
import { assertCameBack, assertSeenBy, nextSecond, refreshInTabs, registration, soon, startDoor, until } from "./story.mjs";

/** What every story needs: a provider with two relying parties, one of which is ours. */
async function stage(store, { accessTokenSeconds, client, sidecar } = {}) {
  const party = await startParty();
  const address = `http://127.0.0.1:${await freePort()}`;
  const ours = {
    ...registration(address),
    backchannel_logout_uri: `${address}/oauth2/backchannel-logout`,
    backchannel_logout_session_required: true,
    pkce_essential: true,
    ...client,
  };
  const provider = await Idpyoidc.create();
  const stops = [() => party.stop(), () => provider.stop()];
  const stop = () => Promise.all(stops.map((stop) => stop()));
  try {
    await provider.start([ours, party.client], { accessTokenSeconds });
    await party.at(provider.issuer);
    const { door, stop: stopDoor } = await startDoor(address, ours, provider.issuer, {
      "token-store": store,
      // Here it starts again more often than any does.
      "min-time-between-jwks-requests": 1,
      sidecar: { headers: { "X-Name": "name" }, ...sidecar },
    });
    stops.push(stopDoor);
    return { door, provider, party, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The provider had to ask who it is: no session there, and none here. */
const askedToSignIn = (page) => page.trail.includes("/verify");

for (const store of ["cookie", "session"]) {
  describe(`at idpyoidc with token-store ${store}`, { timeout: 180_000 }, () => {
    let door, provider, party, stop;
    before(async () => void ({ door, provider, party, stop } = await stage(store, { sidecar: { skew: "0s" } })));
    after(() => stop?.());

    async function signedIn(name) {
      const person = new Person(name);
      const page = await person.open(`${door.address}/`);
      assertSeenBy(page, name);
      assert.ok(askedToSignIn(page));
      return person;
    }

    test("the application is told what UserInfo says", async () => {
      const anna = await signedIn("anna");
      const headers = assertSeenBy(await anna.open(`${door.address}/`), "anna");
      assert.equal(headers["x-forwarded-email"], "anna@example.com");
      assert.equal(headers["x-name"], "Anna Example%2C of the tests");
      assert.match(headers["x-forwarded-user"], /^[0-9a-f]{64}$/);
    });

    test("a sign-out ends at the provider, and comes back with its state", async () => {
      const bert = await signedIn("bert");
      const copied = bert.copy();
      const page = await bert.open(`${door.address}/oauth2/sign_out`, "POST");
      assertCameBack(page, door, "/session");
      assert.equal((await copied.fetch(`${door.address}/`)).status, 401);
      assert.ok(askedToSignIn(await bert.open(`${door.address}/`)), "the session there has ended too");
    });

    test("a sign-out at the other relying party ends the session here, and what is open, and nobody else's", async () => {
      const [carla, dora] = [await signedIn("carla"), await signedIn("dora")];
      const before = provider.told.length;
      const events = await carla.events(`${door.address}/events`);
      const socket = await carla.webSocket(`${door.address}/socket`);
      const copied = carla.copy();
      assert.equal((await carla.open(party.address)).status, 200);
      await nextSecond();
      const page = await carla.open(`${party.address}/sign-out`);
      assert.equal(page.url.pathname, "/signed-out", `${page.trail}`);
      assert.deepEqual(provider.told.slice(before), [200, 200]);
      assert.equal((await copied.fetch(`${door.address}/`)).status, 401);
      await soon(events.ended, "the end of the event stream");
      assert.equal(await soon(socket.ended, "the end of the WebSocket"), 1008);
      assert.deepEqual(provider.refreshes, [], "the message alone ended it: nobody was asked");
      assert.equal((await dora.fetch(`${door.address}/`)).status, 200);
      assert.ok(askedToSignIn(await carla.open(`${door.address}/`)));
    });

    test("a sign-out here is told to the other relying party", async () => {
      const emil = new Person("emil");
      await emil.open(party.address);
      assertSeenBy(await emil.open(`${door.address}/`), "emil");
      const before = party.loggedOut.length;
      await emil.open(`${door.address}/oauth2/sign_out`, "POST");
      const [{ sid, aud }] = party.loggedOut.slice(before);
      assert.ok(sid.length > 300);
      assert.deepEqual(aud, ["second"]);
    });
  });

  describe(`at idpyoidc with token-store ${store} and access tokens of two seconds`, { timeout: 180_000 }, () => {
    let door, provider, party, stop;
    before(async () => void ({ door, provider, party, stop } = await stage(store, { accessTokenSeconds: 2 })));
    after(() => stop?.());

    test("many requests and a slow tab cost one refresh each time, and no refresh token is sent twice, also not after a crash", async () => {
      const anna = new Person("anna");
      await anna.open(`${door.address}/`);
      await refreshInTabs(anna, `${door.address}/`, provider, 3);
      await door.kill();
      await door.start();
      await until(async () => (await anna.open(`${door.address}/`)).status === 200, "the identity server is reached");
      await refreshInTabs(anna, `${door.address}/`, provider, 2);
    });

    test("a provider that starts again with new keys is believed, and its logout tokens are", async () => {
      const bert = new Person("bert");
      await bert.open(`${door.address}/`);
      await provider.restart();
      await refreshInTabs(bert, `${door.address}/`, provider, 1);
      await bert.open(party.address);
      await bert.open(`${party.address}/sign-out`);
      assert.equal((await bert.fetch(`${door.address}/`)).status, 401);
    });

    test("at a provider that has forgotten everything users sign in anew", async () => {
      const carla = new Person("carla");
      await carla.open(`${door.address}/`);
      await provider.restart({ forgets: true });
      await until(async () => (await carla.fetch(`${door.address}/`)).status !== 200, "the end of the session");
      const page = await carla.open(`${door.address}/`);
      assertSeenBy(page, "carla");
      assert.ok(askedToSignIn(page));
    });
  });
}

describe("at idpyoidc with signed UserInfo", { timeout: 180_000 }, () => {
  let door, stop;
  before(async () => void ({ door, stop } = await stage("cookie", { client: { userinfo_signed_response_alg: "ES256" } })));
  after(() => stop?.());

  test("the application is told what it says", async () => {
    const headers = assertSeenBy(await new Person("anna").open(`${door.address}/`), "anna");
    assert.equal(headers["x-forwarded-email"], "anna@example.com");
  });
});
