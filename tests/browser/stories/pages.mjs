// The pages that strangers and users get from us when something is refused or fails: each can be read, holds no secret, breaks no
// Content-Security-Policy, and leaves a way to go on where there is one.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { serve } from "../door.mjs";
import { assertNoSecrets, inspect } from "../inspect.mjs";
import { freePort } from "../program.mjs";
import { setStage } from "../stage.mjs";
import { fillIn, greeted, visit } from "../visitor.mjs";

/** Sends a form of the page, to a path, by POST. */
const send = (page, action, { enctype = "application/x-www-form-urlencoded", text = "x" } = {}) =>
  Promise.all([
    page.waitForNavigation(),
    page.evaluate(([action, enctype, text]) => {
      const form = Object.assign(document.createElement("form"), { method: "post", action, enctype });
      form.append(Object.assign(document.createElement("input"), { type: "hidden", name: "text", value: text }));
      document.body.append(form);
      form.submit();
    }, [action, enctype, text]),
  ]).then(([answer]) => answer);

export function pageStories(suite) {
  describe("a page of ours", () => {
    let stage;
    before(async () => {
      stage = await setStage(suite.keycloak, {
        realm: (realm) => void (realm.clients[0].consentRequired = true),
        sidecar: {
          rules: [{ path: "/staff/*", roles: ["staff"] }, { path: "/open/*", access: "public" }, { path: "/*" }],
          limits: { drain: "1s", "body-bytes": 1000, "response-timeout": "1s" },
        },
      });
    });
    after(() => stage?.stop());

    /** Looks at the page that is shown, which must have answered with that status and say that. */
    async function look(page, name, answer, [status, says]) {
      assert.equal(answer.status(), status, name);
      assert.match(await page.textContent("main"), says);
      await inspect(page, `pages.${name}`);
      await assertNoSecrets(page, stage.secrets);
    }

    /** Signs anna in, and consents to what Keycloak asks for this client. */
    async function enter(page) {
      await page.goto(`${stage.address}/`);
      await fillIn(page, "anna");
      await page.click("[name=accept]");
      await greeted(page, "anna");
    }

    test("for somebody who is not signed in says what is wrong, and leads on", async () => {
      await visit(suite.browser, {}, async (page) => {
        const at = (path) => page.goto(stage.address + path);
        await look(page, "callback-of-nobody", await at("/oauth2/callback?state=unknown&code=none"), [400, /Try again/]);
        await look(page, "not-found", await at("/oauth2/nothing"), [404, /nothing here/]);
        await look(page, "two-readings", await at("/a//b"), [400, /./]);
        await look(page, "signed-out", await at("/oauth2/signed_out"), [200, /Sign in/]);
        await look(page, "sign-out-asked", await at("/oauth2/sign_out"), [200, /Sign out/]);
        await at("/open/");
        await look(page, "method", await send(page, "/oauth2/callback"), [405, /./]);
        await at("/open/");
        await look(page, "sign-in-needed", await send(page, "/order", { enctype: "multipart/form-data" }), [401, /Sign in/]);
        // As many cookies as an application may leave behind by mistake.
        const cookies = Array.from({ length: 17 }, (_, at) => ({ name: `c${at}`, value: "x".repeat(4000), url: stage.address }));
        await page.context().addCookies(cookies);
        await look(page, "head-too-large", await at("/open/"), [431, /headers/]);
      });
    });

    test("for somebody who did not consent leads back to the sign-in", async () => {
      await visit(suite.browser, {}, async (page) => {
        await page.goto(`${stage.address}/page?a=b`);
        await fillIn(page, "bert");
        await page.waitForSelector("[name=cancel]");
        const [answer] = await Promise.all([page.waitForNavigation({ url: /callback/ }), page.click("[name=cancel]")]);
        await look(page, "denied", answer, [403, /cancelled.*Try again/]);
        await page.click("text=Try again");
        await fillIn(page, "bert");
        await page.click("[name=accept]");
        await page.waitForURL(`${stage.address}/page?a=b`);
      });
    });

    test("for somebody who is signed in says what is wrong, and leads on", async () => {
      await visit(suite.browser, {}, async (page) => {
        await enter(page);
        const at = (path) => page.goto(stage.address + path);
        await look(page, "forbidden", await at("/staff/"), [403, /may not.*Sign out/]);
        await look(page, "callback-twice", await at("/oauth2/callback?state=unknown&code=none"), [200, /Continue/]);
        await look(page, "nothing-to-send", await at("/oauth2/resume?form=none"), [200, /Continue/]);
        await look(page, "silent", await at("/silent"), [504, /./]);
        await at("/");
        await look(page, "too-large", await send(page, "/order", { text: "a".repeat(2000) }), [413, /./]);
        stage.application.stop();
        await look(page, "application-down", await at("/"), [502, /./]);
      });
    });
  });

  describe("a page of ours without an identity server", () => {
    let address, stop;
    before(async () => {
      const [port, nobody] = [await freePort(), await freePort()];
      address = `http://localhost:${port}`;
      stop = await serve({
        realm: "none",
        "auth-server-url": `http://127.0.0.1:${nobody}`,
        "ssl-required": "none",
        resource: "app",
        credentials: { secret: "of-nobody" },
        sidecar: { listen: `127.0.0.1:${port}`, admin: { listen: "127.0.0.1:0" }, "allowed-hosts": [`localhost:${port}`], upstream: `http://127.0.0.1:${nobody}` },
      });
    });
    after(() => stop?.());

    test("says that it has to be waited for, or that the host is not known", async () => {
      await visit(suite.browser, {}, async (page) => {
        for (const [name, url, status] of [["identity-server-down", address, 503], ["unknown-host", address.replace("localhost", "127.0.0.1"), 400]]) {
          assert.equal((await page.goto(url)).status(), status);
          await inspect(page, `pages.${name}`);
          await assertNoSecrets(page, ["of-nobody"]);
        }
      });
    });
  });
}
