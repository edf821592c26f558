// Pages of other origins in a real browser: what they can do with the user's session, and what they cannot.
//
// A browser's site is the host without its port, so that 127.0.0.1 on another port is another origin of the same site (the session
// cookie goes along), and localhost is another site (it does not).

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, describe, test } from "node:test";
import { launch } from "./chromium.mjs";
import { startDemo } from "./demo.mjs";

/** A server of an empty page, for an origin of its own under both names of this machine. */
async function startPages() {
  const server = createServer((request, response) => {
    response.setHeader("content-type", "text/html");
    response.end("<!doctype html><title>a page</title>");
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  return { sameSite: `http://127.0.0.1:${port}`, crossSite: `http://localhost:${port}`, stop: () => server.close() };
}

/**
 * What the door answers, also where the browser keeps it from the page, and so from Playwright's own events. Returns a function that waits
 * for the status of the next request for an address that is no preflight.
 */
async function watchAnswers(page) {
  const session = await page.context().newCDPSession(page);
  const [requests, statuses, waiting] = [new Map(), new Map(), new Set()];
  const tell = (id) => {
    const [request, status] = [requests.get(id), statuses.get(id)];
    if (!request || !status || request.method === "OPTIONS") return;
    for (const waiter of waiting) if (waiter.url === request.url && waiting.delete(waiter)) waiter.resolve(status);
  };
  session.on("Network.requestWillBeSent", ({ requestId, request }) => tell((requests.set(requestId, request), requestId)));
  session.on("Network.responseReceivedExtraInfo", ({ requestId, statusCode }) => tell((statuses.set(requestId, statusCode), requestId)));
  await session.send("Network.enable");
  return (url) => new Promise((resolve) => waiting.add({ url, resolve }));
}

describe("pages of other origins", { timeout: 120_000 }, () => {
  let friend, stranger, demo, browser, page, statusOf;
  before(async () => {
    friend = await startPages();
    stranger = await startPages();
    demo = await startDemo(friend.sameSite, friend.crossSite);
    browser = await launch();
    page = await (await browser.newContext()).newPage();
    page.setDefaultTimeout(15_000);
    statusOf = await watchAnswers(page);
    await page.goto(demo.address);
    await page.fill("input[name=username]", "demo");
    await page.fill("input[name=password]", "demo");
    const home = new URL(demo.address).origin;
    await Promise.all([page.waitForURL((url) => url.origin === home), page.press("input[name=password]", "Enter")]);
  });
  after(async () => {
    await browser?.close();
    await demo?.stop();
    friend?.stop();
    stranger?.stop();
  });

  const target = () => new URL("/data", demo.address).href;

  /** What a script of `origin` gets to see of a request with the user's cookies, and what the door answered to it. */
  async function fetchFrom(origin, options = {}) {
    await page.goto(origin);
    const answered = statusOf(target());
    const read = page.evaluate(
      async ([url, options]) => {
        try {
          const answer = await fetch(url, { credentials: "include", ...options });
          return { status: answer.status, text: await answer.text() };
        } catch (error) {
          return { error: error.name };
        }
      },
      [target(), options],
    );
    return { read: await read, status: await answered };
  }

  const put = { method: "PUT", headers: { "content-type": "application/json", "x-a": "1" }, body: "{}" };

  test("an origin that the token lists uses the session, simply and after a preflight", async () => {
    for (const options of [{}, put]) {
      const { read } = await fetchFrom(friend.sameSite, options);
      assert.equal(read.status, 200, JSON.stringify(read));
      assert.match(read.text, /demo/);
    }
  });

  test("an origin of the same site that the token does not list reads and writes nothing", async () => {
    for (const options of [{}, put, { method: "POST", body: "a=b" }]) {
      const { read, status } = await fetchFrom(stranger.sameSite, options);
      assert.deepEqual([read, status], [{ error: "TypeError" }, 403]);
    }
  });

  test("another site has no session, whether its origin is listed or not", async () => {
    for (const { crossSite } of [friend, stranger]) {
      for (const options of [{}, put]) {
        const { read, status } = await fetchFrom(crossSite, options);
        assert.deepEqual([read, status], [{ error: "TypeError" }, 401]);
      }
    }
  });

  test("a form and an image of another site cannot use the session", async () => {
    await page.goto(stranger.crossSite);
    const image = statusOf(target());
    await page.evaluate((url) => document.body.append(Object.assign(new Image(), { src: url })), target());
    assert.equal(await image, 401);
    assert.equal(await submitFrom(stranger.crossSite), 401);
  });

  test("a form of another origin of the same site is refused by its origin", async () => {
    assert.equal(await submitFrom(stranger.sameSite), 403);
  });

  async function submitFrom(origin) {
    await page.goto(origin);
    const answered = statusOf(target());
    await page.evaluate((url) => {
      const form = Object.assign(document.createElement("form"), { method: "post", action: url });
      document.body.append(form);
      // Not before this script has told that it is done: the page goes with the navigation.
      setTimeout(() => form.submit(), 0);
    }, target());
    await page.waitForURL(target());
    return answered;
  }
});
