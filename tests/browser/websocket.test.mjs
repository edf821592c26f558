// A real browser's WebSocket through the door, to an application with a WebSocket library of somebody else's.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, describe, test } from "node:test";
import { WebSocketServer } from "ws";
import { launch } from "./chromium.mjs";
import { startDoor } from "./door.mjs";

/** An application that echoes what a WebSocket brings, and says first who the door said it is. */
async function startApplication() {
  const server = createServer((request, response) => {
    response.setHeader("content-type", "text/html");
    response.end("<!doctype html><title>application</title>");
  });
  const sockets = new WebSocketServer({ server });
  sockets.on("connection", (socket, request) => {
    socket.send(JSON.stringify({ user: request.headers["x-forwarded-preferred-username"], cookie: request.headers.cookie }));
    socket.on("message", (data, binary) => socket.send(data, { binary }));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { address: `http://127.0.0.1:${server.address().port}`, sockets, stop: () => server.close() };
}

/** Opens a WebSocket on the page, under `window.socket`, with all that comes in `window.heard`. */
const open = (page, url) =>
  page.evaluate(
    (url) =>
      new Promise((resolve) => {
        window.heard = [];
        window.socket = new WebSocket(url);
        window.socket.binaryType = "arraybuffer";
        window.ended = new Promise((ended) => window.socket.addEventListener("close", ({ code }) => ended(code)));
        window.socket.addEventListener("open", () => resolve("open"));
        window.socket.addEventListener("error", () => resolve("refused"));
        window.socket.addEventListener("message", ({ data }) => window.heard.push(data));
      }),
    url,
  );

const heard = (page, count) => page.waitForFunction((count) => window.heard.length >= count, count);

describe("a WebSocket", { timeout: 120_000 }, () => {
  let application, door, browser, url;
  before(async () => {
    application = await startApplication();
    door = await startDoor(application.address);
    browser = await launch();
    url = `${door.address.replace("http", "ws")}/echo`;
  });
  after(async () => {
    await browser?.close();
    await door?.stop();
    application?.stop();
  });

  async function visit(address) {
    const page = await (await browser.newContext()).newPage();
    page.setDefaultTimeout(15_000);
    await page.goto(address);
    return page;
  }

  test("carries text and a megabyte for whom it is, and ends when the user signs out", async () => {
    const page = await visit(`${door.address}/`);
    assert.equal(await open(page, url), "open");
    await heard(page, 1);
    assert.deepEqual(JSON.parse(await page.evaluate(() => window.heard[0])), { user: "ada" });
    await page.evaluate(() => {
      window.socket.send("hello");
      window.socket.send(new Uint8Array(1 << 20).fill(7));
    });
    await heard(page, 3);
    const [text, bytes, sevens] = await page.evaluate(() => {
      const data = new Uint8Array(window.heard[2]);
      return [window.heard[1], data.length, data.every((byte) => byte === 7)];
    });
    assert.deepEqual([text, bytes, sevens], ["hello", 1 << 20, true]);

    await page.evaluate(() => fetch("/oauth2/sign_out", { method: "POST", redirect: "manual" }));
    assert.equal(await page.evaluate(() => window.ended), 1008, "by a close frame that says why");
    assert.equal(await open(page, url), "refused");
  });

  test("is refused to a page of another origin, cookie or not", async () => {
    const page = await visit(`${door.address}/`);
    assert.equal(await open(page, url), "open");
    const before = application.sockets.clients.size;
    // The same site by the browser's measure, so that the cookie goes along.
    await page.goto(application.address);
    assert.equal(await open(page, url), "refused");
    assert.ok(application.sockets.clients.size < before + 1, "the application heard of it");
  });
});
