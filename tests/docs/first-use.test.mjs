// The README's ways in, done literally: its code blocks are run in order, by shells in folders that hold nothing else, and a real Chromium
// does what the text between them says.
//
// A block that is to be run says so in its info string, of which a rendered page shows nothing:
//
//   ```sh run STORY                            in the first terminal, until it is done
//   ```sh run STORY in terminal 2 and stay     in a shell of its own, which keeps running while the story goes on
//
// A terminal is one shell, so that what a block sets holds for the later ones. Every shell stops at the first command that fails.
//
// What stands in place of a newcomer's hands: the checkout is this one, with what `./test release` built in it, and a copy of what
// `tests/keycloak/install` fetched lies where the README has it fetched to, so that nothing is built or fetched twice. With COLD=1 neither
// is so: the checkout is cloned, Keycloak is fetched, and everything is built; that takes as long as it takes a newcomer.
//
// The ports are those that the README names. A story whose port somebody else has fails, and says so.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { launch, picture } from "../browser/chromium.mjs";
import { Terminals } from "./terminals.mjs";

const top = fileURLToPath(new URL("../../", import.meta.url));
const readme = readFileSync(`${top}README.md`, "utf8");
const cold = process.env.COLD === "1";

/** How long a step of a browser may take: Keycloak's first pages are slow on a busy machine. */
const PAGE_MS = 60_000;

/** The blocks of a story, in order: `{ text, terminal, stays, line }`. */
function blocksOf(story) {
  const pattern = /^```sh run (\S+?)(?: in terminal (\d+))?( and stay)?\n([\s\S]*?)^```$/gm;
  const all = [...readme.matchAll(pattern)].map((found) => ({
    story: found[1],
    terminal: Number(found[2] ?? 1),
    stays: Boolean(found[3]),
    text: found[4],
    line: readme.slice(0, found.index).split("\n").length,
  }));
  assert.equal(all.length, readme.match(/^```sh run /gm).length, "every block to be run says in known words how");
  const blocks = all.filter((block) => block.story === story);
  assert.ok(blocks.length > 0, `the README has no block of ${story}`);
  return blocks;
}

/** A sentence that the story acts on must stand in the README. Line breaks do not count. */
function says(sentence) {
  assert.ok(readme.replace(/\s+/g, " ").includes(sentence), `the README does not say: ${sentence}`);
}

async function mustBeFree(port) {
  const server = createServer();
  await new Promise((resolve, reject) => {
    server.once("error", (error) => reject(new Error(`port ${port}, which the README names, is not free: ${error.code}`)));
    server.listen(port, "127.0.0.1", resolve);
  });
  await new Promise((resolve) => server.close(resolve));
}

/** An empty home, with a checkout in it and what the checkout needs to find a toolchain. */
function newcomer() {
  const home = mkdtempSync(join(tmpdir(), "newcomer-"));
  const checkout = join(home, "doorward");
  const own = process.env.HOME;
  const kept = ["PATH", "LANG", "CARGO_HOME", "RUSTUP_HOME", "SSL_CERT_FILE", "PIP_CERT", "PIP_INDEX_URL", "MAVEN_ARGS"];
  const env = Object.fromEntries(kept.filter((name) => name in process.env).map((name) => [name, process.env[name]]));
  env.CARGO_HOME ??= join(own, ".cargo");
  env.RUSTUP_HOME ??= join(own, ".rustup");
  if (cold) execFileSync("git", ["clone", "--quiet", top, checkout]);
  else env.PATH = `${built(home, checkout)}:${env.PATH}`;
  return { home, checkout, env: { ...env, HOME: home, TERM: "dumb" } };
}

/** Makes a checkout whose release is the one that `./test release` built; the folder with a `cargo` that finds it there. */
function built(home, checkout) {
  const release = dirname(process.env.DOORWARD ?? `${top}target/static/doorward`);
  assert.ok(existsSync(join(release, "examples/demo")), "no release build: ./test release first");
  mkdirSync(join(checkout, "target"), { recursive: true });
  symlinkSync(release, join(checkout, "target/release"));
  for (const entry of readdirSync(top).filter((name) => name !== "target")) symlinkSync(join(top, entry), join(checkout, entry));
  const script = `#!/bin/sh
case "$*" in
"build --release --bins --example demo") exec ls target/release/doorward target/release/examples/demo ;;
"run --release --example demo") exec target/release/examples/demo ;;
*) echo "cargo: what is $*?" >&2 && exit 1 ;;
esac
`;
  const bin = join(home, "bin");
  mkdirSync(bin);
  writeFileSync(join(bin, "cargo"), script, { mode: 0o755 });
  return bin;
}

describe("the README", { timeout: cold ? 3_600_000 : 1_200_000 }, () => {
  const undo = [];
  after(async () => {
    for (const step of undo.reverse()) await step();
  });

  async function terminalsOf(start) {
    const terminals = new Terminals(start.checkout, start.env);
    undo.push(() => rmSync(start.home, { recursive: true, force: true }));
    undo.push(() => terminals.close());
    return terminals;
  }

  /** Runs a story in a browser profile of its own; what it looked like when it failed is kept. */
  async function visit(name, story) {
    const browser = await launch();
    const page = await browser.newPage();
    page.setDefaultTimeout(PAGE_MS);
    try {
      await story(page);
    } catch (error) {
      await picture(page, `${name}-failure`);
      throw error;
    } finally {
      await browser.close();
    }
  }

  test("its demo signs a user in", async () => {
    says("Open it, sign in as `demo` / `demo`");
    const terminals = await terminalsOf(newcomer());
    for (const block of blocksOf("demo")) await terminals.run(block);
    const address = await terminals.printed(1, /https?:\/\/[^\s"]+/);
    await visit("docs-demo", async (page) => {
      await page.goto(address);
      await page.fill("input[name=username]", "demo");
      await page.fill("input[name=password]", "demo");
      await page.press("input[name=password]", "Enter");
      await page.waitForURL((url) => url.origin === new URL(address).origin);
      assert.match(await page.textContent("body"), /Hello/);
    });
  });

  test("its first use with Keycloak ends with a signed-in page, and with a door that closes", async () => {
    says("The ports 3000, 8080, 8180 and 9080 must be free.");
    for (const port of [3000, 8080, 8180, 9080]) await mustBeFree(port);
    const start = newcomer();
    const terminals = await terminalsOf(start);
    if (!cold) {
      const there = process.env.DOORWARD_SERVERS ?? `${top}target/servers`;
      assert.ok(existsSync(there), "no Keycloak: tests/keycloak/install first");
      mkdirSync(join(start.home, "first-use"));
      cpSync(there, join(start.home, "first-use/servers"), { recursive: true, preserveTimestamps: true });
    }
    const began = Date.now();
    const blocks = blocksOf("first-use");
    const last = blocks.pop();
    for (const block of blocks) await terminals.run(block);
    await terminals.listens(3000);
    await terminals.listens(8080);

    await visit("ten-minutes", async (page) => {
      says("Open <http://localhost:8080> and sign in as `alice` / `alice`");
      await signIn(page, "ten-minutes-1-login");
      await picture(page, "ten-minutes-2-signed-in");
      report(terminals, Date.now() - began);

      says("*Sign out* ends the session here and at Keycloak.");
      await page.click("text=Sign out");
      await page.waitForURL("http://localhost:8080/oauth2/signed_out**");
      await picture(page, "ten-minutes-3-signed-out");

      says("Sign in again.");
      await signIn(page);
      await endInConsole(page.context().browser());
      await mustBeAsked(page);

      await signIn(page);
      await terminals.run(last);
      await mustBeAsked(page);
      await picture(page, "ten-minutes-5-logged-out");
    });
  });

  /** Ends alice's session as an administrator does, in a browser profile of its own. */
  async function endInConsole(browser) {
    const address = "http://localhost:8180/admin/master/console/#/shop/sessions";
    says(`<${address}>, as \`admin\` / \`admin\`. The menu at the end of alice's row has *Sign out*.`);
    const page = await (await browser.newContext()).newPage();
    page.setDefaultTimeout(PAGE_MS);
    await page.goto(address);
    await page.fill("input[name=username]", "admin");
    await page.fill("input[name=password]", "admin");
    await page.press("input[name=password]", "Enter");
    const row = page.getByRole("row", { name: /alice/ });
    await row.getByRole("button", { name: /kebab|actions/i }).click();
    await picture(page, "ten-minutes-4-console");
    await page.getByRole("menuitem", { name: "Sign out" }).click();
    await row.waitFor({ state: "detached" });
    await page.context().close();
  }

  /** The cookie is there still, and does not open the door. */
  async function mustBeAsked(page) {
    says("Reload the page: Keycloak asks for the password. The browser still has her cookie, and it opens nothing.");
    const cookies = await page.context().cookies("http://localhost:8080");
    assert.ok(cookies.some(({ name }) => name === "KEYCLOAK_ADAPTER_STATE"), "the browser still has the cookie");
    await page.reload();
    await page.waitForSelector("input[name=password]");
    assert.equal(new URL(page.url()).origin, "http://localhost:8180");
  }

  async function signIn(page, name) {
    await page.goto("http://localhost:8080");
    await page.waitForSelector("input[name=password]");
    assert.equal(new URL(page.url()).origin, "http://localhost:8180", "it is Keycloak that asks");
    if (name) await picture(page, name);
    await page.fill("input[name=username]", "alice");
    await page.fill("input[name=password]", "alice");
    await page.press("input[name=password]", "Enter");
    await page.waitForURL("http://localhost:8080/");
    assert.match(await page.textContent("h1"), /^Hello, alice$/);
  }
});

/** The time that it took a newcomer who types at once, and how much of it was building and fetching. */
function report(terminals, all) {
  const seconds = (ms) => `${(ms / 1000).toFixed(0)} s`;
  for (const { line, ms } of terminals.times) console.log(`README.md:${line}: ${seconds(ms)}`);
  const made = terminals.times.filter(({ text }) => /cargo|install/.test(text)).reduce((sum, { ms }) => sum + ms, 0);
  console.log(`from the first block to the signed-in page: ${seconds(all)}, ${seconds(all - made)} without building and fetching`);
}
