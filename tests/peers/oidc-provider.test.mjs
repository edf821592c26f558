// Sessions here that begin and end at a standard provider (the package oidc-provider), which another relying party shares: OpenID Connect
// Back-Channel Logout 1.0 and RP-Initiated Logout 1.0, with both places that sessions can be in.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { freePort } from "../browser/program.mjs";
import { Person } from "./person.mjs";
import { startParty } from "./party.mjs";
import { startProvider } from "./provider.mjs";
import { assertCameBack, assertSeenBy, nextSecond, refreshInTabs, registration, soon, startDoor, until } from "./story.mjs";

/** What every story needs, for sessions in one place: a provider with two relying parties, one of which is ours. */
async function stage(store, { sessionRequired = true, accessTokenSeconds, sidecar } = {}) {
  const party = await startParty();
  const address = `http://127.0.0.1:${await freePort()}`;
  const ours = {
    ...registration(address),
    backchannel_logout_uri: `${address}/oauth2/backchannel-logout`,
    backchannel_logout_session_required: sessionRequired,
  };
  const provider = await startProvider([ours, party.client], { accessTokenSeconds });
  await party.at(provider.issuer);
  const stopOthers = () => [provider, party].forEach((part) => part.stop());
  const config = { "token-store": store, sidecar };
  const { door, stop: stopDoor } = await startDoor(address, ours, provider.issuer, config).catch((error) => {
    stopOthers();
    throw error;
  });
  const stop = async () => {
    await stopDoor();
    stopOthers();
  };
  return { door, provider, party, stop };
}

/** The provider had to ask who it is: no session there, and none here. */
const askedToSignIn = (page) => page.trail.some((path) => path.startsWith("/interaction/"));

for (const store of ["cookie", "session"]) {
  describe(`with token-store ${store}`, { timeout: 120_000 }, () => {
    let door, provider, party, stop;
    before(async () => void ({ door, provider, party, stop } = await stage(store)));
    after(() => stop?.());

    /** Somebody who is signed in at both relying parties, in one session at the provider. */
    async function somebody(name) {
      const person = new Person(name);
      const page = await person.open(`${door.address}/`);
      assertSeenBy(page, name);
      assert.ok(askedToSignIn(page));
      const second = await person.open(party.address);
      assert.deepEqual([second.status, askedToSignIn(second)], [200, false], `${second.trail}`);
      return person;
    }

    test("a sign-out at the other relying party ends the session here, and every stream of it, and nobody else's", async () => {
      const [anna, bert] = [await somebody("anna"), await somebody("bert")];
      const events = await anna.events(`${door.address}/events`);
      const socket = await anna.webSocket(`${door.address}/socket`);
      const berts = await bert.webSocket(`${door.address}/socket`);
      let left = false;
      berts.ended.then(() => (left = true));
      await anna.fetch(`${door.address}/`);
      const copied = anna.copy();

      await anna.open(`${party.address}/`);
      const signedOut = await anna.open(`${party.address}/sign-out`);
      assert.equal(signedOut.url.pathname, "/signed-out", `${signedOut.trail}`);

      assert.equal((await copied.fetch(`${door.address}/`)).status, 401);
      await soon(events.ended, "the end of the event stream");
      assert.equal(await soon(socket.ended, "the end of the WebSocket"), 1008);
      const again = await anna.open(`${door.address}/`);
      assert.ok(askedToSignIn(again), `${again.trail}`);
      assertSeenBy(again, "anna");
      assert.equal((await copied.fetch(`${door.address}/`)).status, 401, "the old cookie stays dead after a new login");
      assert.equal((await bert.fetch(`${door.address}/`)).status, 200);
      assert.equal(left, false);
      assert.deepEqual(provider.refused, []);
    });

    test("the application is told what UserInfo says", async () => {
      const emil = await somebody("emil");
      const headers = assertSeenBy(await emil.open(`${door.address}/`), "emil");
      assert.deepEqual([headers["x-forwarded-user"], headers["x-forwarded-email"]], ["emil", "emil@example.com"]);
    });

    test("a sign-out here ends the session there, and at the other relying party", async () => {
      const carla = await somebody("carla");
      const copied = carla.copy();
      const before = party.loggedOut.length;
      const signedOut = await carla.open(`${door.address}/oauth2/sign_out`, "POST");
      assertCameBack(signedOut, door, "/session/end");
      assert.deepEqual(party.loggedOut.slice(before).map(({ sub }) => sub), ["carla"]);
      assert.equal((await copied.fetch(`${door.address}/`)).status, 401);
      assert.ok(askedToSignIn(await carla.open(`${door.address}/`)));
      assert.deepEqual(provider.refused, [], "the provider told us as well, of a session that was gone");
    });

    test("a logout token that a new key signed is believed", async () => {
      const dora = await somebody("dora");
      provider.rotate();
      const again = await dora.open(`${party.address}/`);
      assert.deepEqual([again.status, askedToSignIn(again)], [200, false], "the session there goes on");
      await dora.open(`${party.address}/sign-out`);
      assert.deepEqual(provider.refused, []);
      assert.equal((await dora.fetch(`${door.address}/`)).status, 401);
    });
  });

  describe(`with token-store ${store} and logout tokens that name a user only`, { timeout: 120_000 }, () => {
    let door, provider, party, stop;
    before(async () => void ({ door, provider, party, stop } = await stage(store, { sessionRequired: false, sidecar: { skew: "0s" } })));
    after(() => stop?.());

    test("a sign-out elsewhere ends every session of that user, and nobody else's", async () => {
      const [anna, elsewhere, bert] = [new Person("anna"), new Person("anna"), new Person("bert")];
      for (const person of [anna, elsewhere, bert]) assertSeenBy(await person.open(`${door.address}/`), person.name);
      const socket = await elsewhere.webSocket(`${door.address}/socket`);
      await anna.open(party.address);
      await nextSecond();
      await anna.open(`${party.address}/sign-out`);
      assert.equal((await anna.fetch(`${door.address}/`)).status, 401);
      assert.equal((await bert.fetch(`${door.address}/`)).status, 200);
      assert.equal(await soon(socket.ended, "the end of the other browser's WebSocket"), 1008);
      assert.equal((await elsewhere.fetch(`${door.address}/`)).status, 401);
      assert.deepEqual(provider.refused, []);
    });
  });

  describe(`with token-store ${store} and access tokens of two seconds`, { timeout: 120_000 }, () => {
    let door, provider, party, stop;
    before(async () => void ({ door, provider, party, stop } = await stage(store, { accessTokenSeconds: 2 })));
    after(() => stop?.());

    test("a session lives on refresh tokens that are good once, and is ended from elsewhere all the same", async () => {
      const anna = new Person("anna");
      await anna.open(`${door.address}/`);
      await refreshInTabs(anna, `${door.address}/`, provider, 3);
      await anna.open(party.address);
      await anna.open(`${party.address}/sign-out`);
      assert.equal((await anna.fetch(`${door.address}/`)).status, 401);
      assert.deepEqual(provider.refused, []);
    });
  });
}

describe("over a crash of the node, with access tokens of two seconds", { timeout: 120_000 }, () => {
  let door, provider, stop;
  before(async () => void ({ door, provider, stop } = await stage("cookie", { accessTokenSeconds: 2 })));
  after(() => stop?.());

  test("no refresh token is sent twice, and who was signed in stays", async () => {
    const anna = new Person("anna");
    await anna.open(`${door.address}/`);
    await refreshInTabs(anna, `${door.address}/`, provider, 2);
    await door.kill();
    await door.start();
    await until(async () => (await anna.fetch(`${door.address}/`)).status === 200, "the identity server is reached");
    await refreshInTabs(anna, `${door.address}/`, provider, 2);
  });
});

describe("over a crash of the node", { timeout: 120_000 }, () => {
  let door, provider, party, stop;
  before(async () => void ({ door, provider, party, stop } = await stage("cookie", { sidecar: { "outage-proof": "1s" } })));
  after(() => stop?.());

  /** Fails if the cookie is still good after `outage-proof`, the longest time for which a session is believed in without asking. */
  const isRefused = (person) => until(async () => (await person.fetch(`${door.address}/`)).status === 401, "the old cookie is refused");

  test("a sign-out that happened meanwhile is found out, and who did not sign out stays", async () => {
    const [anna, bert] = [new Person("anna"), new Person("bert")];
    for (const person of [anna, bert]) assertSeenBy(await person.open(`${door.address}/`), person.name);
    await anna.open(party.address);
    await door.kill();
    await anna.open(`${party.address}/sign-out`);
    assert.equal(provider.refused.length, 1, "nobody was there to be told");
    await door.start();
    await isRefused(anna);
    assert.equal((await bert.fetch(`${door.address}/`)).status, 200);
  });

  test("a sign-out from before it stays one", async () => {
    const carla = new Person("carla");
    await carla.open(`${door.address}/`);
    await carla.open(party.address);
    const copied = carla.copy();
    await carla.open(`${party.address}/sign-out`);
    await door.kill();
    await door.start();
    await isRefused(copied);
  });
});
