// The demo's story in a real browser: in, a look around, out, and what an error looks like.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { launch, picture } from "./chromium.mjs";
import { startDemo } from "./demo.mjs";

describe("the demo", { timeout: 120_000 }, () => {
  let demo, browser;
  before(async () => {
    demo = await startDemo();
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    await demo?.stop();
  });

  /** Runs a story in a browser profile of its own, in which a script's error is a failure. */
  async function visit(options, story) {
    const context = await browser.newContext(options);
    context.setDefaultTimeout(15_000);
    const page = await context.newPage();
    const errors = [];
    page.on("pageerror", (error) => errors.push(error));
    try {
      await story(page);
      assert.deepEqual(errors, []);
    } catch (error) {
      await picture(page, "failure");
      throw error;
    } finally {
      await context.close();
    }
  }

  async function signIn(page) {
    await page.goto(demo.address);
    await page.fill("input[name=username]", "demo");
    await page.fill("input[name=password]", "demo");
    await Promise.all([page.waitForURL((url) => url.origin === new URL(demo.address).origin), page.press("input[name=password]", "Enter")]);
  }

  /** Signs out here alone, not at the identity server, as somebody does who has a copy of the cookie. */
  async function endSessionButKeepItsCookie(page) {
    const context = page.context();
    const cookies = (await context.cookies()).filter(({ name }) => name === "KEYCLOAK_ADAPTER_STATE");
    const { origin, href } = new URL("/oauth2/sign_out", demo.address);
    const answer = await context.request.post(href, { headers: { Origin: origin }, maxRedirects: 0 });
    assert.ok(answer.status() === 302 || answer.status() === 303, `status ${answer.status()}`);
    await context.addCookies(cookies);
  }

  /** Sends a form of the page, as a script's submit does: its field named `submit` is in nobody's way. */
  function sendOrder(page) {
    return page.evaluate(() => {
      const form = document.createElement("form");
      Object.assign(form, { method: "post", action: "/order?id=7" });
      for (const [name, value] of [["item", "tea & cake"], ["note", "two\nlines"], ["item", "ü"], ["submit", "x"]]) {
        form.append(Object.assign(document.createElement("input"), { type: "hidden", name, value }));
      }
      document.body.append(form);
      HTMLFormElement.prototype.submit.call(form);
    });
  }

  /** The cookies of ours that scripts on the page can read: there must be none. */
  const readable = (page) => page.evaluate(() => document.cookie);

  test("a user signs in, is named on the page, signs out and is asked again", async () => {
    await visit({}, async (page) => {
      await signIn(page);
      assert.match(await page.textContent("body"), /demo/);
      assert.equal(await readable(page), "");
      await picture(page, "signed-in");

      await page.click("form[action$='/sign_out'] button");
      await page.waitForURL((url) => url.pathname === "/oauth2/signed_out");
      await picture(page, "signed-out");

      await page.goto(demo.address);
      await page.waitForSelector("input[name=password]");
      await picture(page, "login");
    });
  });

  test("a deep link survives the login", async () => {
    await visit({}, async (page) => {
      await page.goto(new URL("/?from=a%20link", demo.address).href);
      await page.fill("input[name=username]", "demo");
      await page.fill("input[name=password]", "demo");
      await page.press("input[name=password]", "Enter");
      await page.waitForURL((url) => url.search === "?from=a%20link");
    });
  });

  test("a form that was sent after the session had ended is sent again, once", async () => {
    await visit({}, async (page) => {
      await signIn(page);
      const posted = [];
      page.on("request", (request) => {
        if (request.method() === "POST" && new URL(request.url()).pathname === "/order") {
          posted.push([...new URLSearchParams(request.postData())]);
        }
      });
      // The session at the identity server lives on: the sign-in is silent.
      await endSessionButKeepItsCookie(page);
      await sendOrder(page);
      await page.waitForURL((url) => url.pathname === "/order" && url.search === "?id=7");
      await page.waitForFunction(() => document.body.textContent.includes("Hello"));
      const sent = [["item", "tea & cake"], ["note", "two\r\nlines"], ["item", "ü"], ["submit", "x"]];
      assert.deepEqual(posted, [sent, sent], "once without a session, once after the sign-in");
      await page.goBack();
      await page.waitForFunction(() => document.body.textContent.includes("Hello"));
      assert.equal(posted.length, 2, "going back sends nothing");
    });
  });

  test("a form whose sender is not known any more is sent again by a click only", async () => {
    await visit({}, async (page) => {
      await signIn(page);
      // The session is gone, the one at the identity server is not: the sign-in is silent.
      await page.context().clearCookies({ name: /KEYCLOAK_ADAPTER_STATE/ });
      await sendOrder(page);
      await page.waitForFunction(() => document.body.textContent.includes("It cannot be told any more"));
      await picture(page, "send-again");
      await page.click("button");
      await page.waitForURL((url) => url.pathname === "/order" && url.search === "?id=7");
      await page.waitForFunction(() => document.body.textContent.includes("Hello"));
    });
  });

  test("where a tab keeps nothing, the page says what to do", async () => {
    await visit({}, async (page) => {
      await signIn(page);
      await page.context().clearCookies({ name: /KEYCLOAK_ADAPTER_STATE/ });
      await page.addInitScript(() => {
        Storage.prototype.setItem = () => {
          throw new Error("no room");
        };
      });
      await page.evaluate(() => {
        document.body.innerHTML = '<form method="post" action="/order"><input name="a" value="b"><button>Go</button></form>';
      });
      await page.click("button");
      await page.waitForSelector("a");
      assert.match(await page.textContent("h1"), /sign in again/);
      await picture(page, "kept-form");
      await page.click("a");
      await page.waitForURL((url) => url.pathname === "/oauth2/resume");
      assert.match(await page.textContent("h1"), /Nothing to send/);
      await picture(page, "nothing-to-send");
    });
  });

  for (const colorScheme of ["light", "dark"]) {
    test(`an error page can be read in ${colorScheme} colours`, async () => {
      await visit({ colorScheme }, async (page) => {
        // A callback that belongs to no attempt of this browser.
        const answer = await page.goto(new URL("/oauth2/callback?state=unknown&code=none", demo.address).href);
        assert.ok(answer.status() >= 400 && answer.status() < 500, `status ${answer.status()}`);
        assert.ok((await contrast(page)) >= 4.5, "text on its background (WCAG 2.2, 1.4.3)");
        await picture(page, `error-${colorScheme}`);
      });
    });
  }
});

/** The contrast between the page's text and its background, 1 to 21 (WCAG 2.2). */
function contrast(page) {
  return page.evaluate(() => {
    const luminance = (colour) => {
      const [r, g, b] = colour.match(/[\d.]+/g).slice(0, 3).map((part) => part / 255);
      const linear = (part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
      return 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
    };
    const transparent = (colour) => colour === "transparent" || /,\s*0\)$/.test(colour);
    const painted = [document.body, document.documentElement].map((element) => getComputedStyle(element).backgroundColor);
    const canvas = matchMedia("(prefers-color-scheme: dark)").matches && getComputedStyle(document.documentElement).colorScheme.includes("dark");
    const back = painted.find((colour) => !transparent(colour)) ?? (canvas ? "rgb(18, 18, 18)" : "rgb(255, 255, 255)");
    const text = getComputedStyle(document.querySelector("h1, p") ?? document.body).color;
    const [dark, light] = [luminance(text), luminance(back)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  });
}
