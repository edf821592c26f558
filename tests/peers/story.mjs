// What stories are told with, whoever the provider is.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { startApplication } from "./application.mjs";
import { Doorward } from "./doorward.mjs";

/** Within how long an open stream has to end. */
const SOON_MS = 1_000;

/** The page is the application's, opened by that person. Returns the headers that the application saw. */
export function assertSeenBy(page, name) {
  assert.equal(page.status, 200, `${page.trail} ${page.text}`);
  const headers = JSON.parse(page.text);
  assert.equal(headers["x-forwarded-preferred-username"], name);
  return headers;
}

/** Resolves to what the promise does, if that is soon. */
export async function soon(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${SOON_MS} ms`)), SOON_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Asks until it is so; fails after half a minute. */
export async function until(ask, what) {
  for (const end = Date.now() + 30_000; Date.now() < end; ) {
    if (await ask()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.fail(`never: ${what}`);
}

/** Waits for the next second. Tokens tell whole ones: of a login and a logout in the same one nobody can say which came last. */
export function nextSecond() {
  const second = Math.ceil(Date.now() / 1000);
  return until(() => Date.now() / 1000 > second, "the next second");
}

/** How our relying party at `address` is registered, by whatever names all providers know. */
export function registration(address) {
  return {
    client_id: "app",
    client_secret: randomBytes(16).toString("hex"),
    redirect_uris: [`${address}/oauth2/callback`],
    post_logout_redirect_uris: [`${address}/oauth2/signed_out`],
  };
}

/** Starts the application and, before it, the adapter, for a client of a provider; `config` is added to its file. `stop` stops both. */
export async function startDoor(address, client, issuer, { sidecar, ...config }) {
  const application = await startApplication();
  const door = new Doorward(address, {
    "provider-url": issuer,
    "client-id": client.client_id,
    credentials: { secret: client.client_secret },
    ...config,
    sidecar: {
      upstream: application.address,
      "forward-access-token": true,
      cookie: { keys: [randomBytes(32).toString("base64")] },
      limits: { drain: "1s" },
      ...sidecar,
    },
  });
  const stop = async () => {
    await door.stop();
    application.stop();
  };
  await door.start().catch(async (error) => {
    await stop();
    throw error;
  });
  return { door, stop };
}

/** Each refresh token was sent once, whoever sent it, and none was refused. */
export function assertNoneTwice(refreshes) {
  const tokens = refreshes.map(({ token }) => token);
  assert.equal(new Set(tokens).size, tokens.length, "a refresh token was sent twice");
  assert.deepEqual(refreshes.filter(({ error }) => error), []);
}

/** Asks once in each of so many tabs, at once; fails unless all of them are served. Returns the access tokens that were passed on. */
export async function inTabs(person, address, count) {
  const answers = await Promise.all(Array.from({ length: count }, () => person.fetch(address)));
  assert.deepEqual(answers.filter(({ status }) => status !== 200), []);
  return new Set(answers.map(({ text }) => JSON.parse(text).authorization));
}

/**
 * Uses a session in twenty tabs at once until its tokens have been renewed so many times. A slow tab, which comes with the cookie from before,
 * has the newest tokens then.
 */
export async function refreshInTabs(person, address, provider, times) {
  const slow = person.copy();
  const before = provider.refreshes.length;
  await until(async () => {
    await inTabs(person, address, 20);
    return provider.refreshes.length >= before + times;
  }, `${times} refreshes`);
  assert.equal((await inTabs(slow, address, 20)).size, 1);
  assertNoneTwice(provider.refreshes);
}

/** A sign-out ended at the provider, whose endpoint is at that path, was asked to come back, and came with its state. */
export function assertCameBack(page, door, path) {
  const asked = page.visited.find(({ pathname }) => pathname === path).searchParams;
  assert.equal(asked.get("post_logout_redirect_uri"), `${door.address}/oauth2/signed_out`);
  assert.ok(asked.get("id_token_hint"));
  assert.ok(asked.get("state"));
  assert.deepEqual([page.status, page.url.pathname], [200, "/oauth2/signed_out"], `${page.trail} ${page.text}`);
  assert.equal(page.url.searchParams.get("state"), asked.get("state"));
}
