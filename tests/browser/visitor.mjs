// Somebody before a browser: a profile of their own, in which a page's error is a failure.

import assert from "node:assert/strict";
import { picture } from "./chromium.mjs";

/** How long a page may take to do what is waited for. */
const PATIENCE_MS = 20_000;

/** What browsers write for each answer that is an error; a story says which answers it expects. */
const ANSWERED_WITH_AN_ERROR = /^Failed to load resource: the server responded/;

let failures = 0;

/**
 * Runs a story in a profile of its own. It gets the first page and `open`, which makes further tabs. Pages must not write errors, of a
 * script or of a broken Content-Security-Policy; those that match `expected` are let pass.
 */
export async function visit(browser, { expected = [], ...options }, story) {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(PATIENCE_MS);
  const errors = [];
  const note = (text) => [ANSWERED_WITH_AN_ERROR, ...expected].some((known) => known.test(text)) || errors.push(text);
  context.on("weberror", (error) => note(String(error.error())));
  context.on("console", (message) => message.type() === "error" && note(message.text()));
  const open = () => context.newPage();
  const page = await open();
  try {
    await story(page, open);
    assert.deepEqual(errors, [], "errors that pages wrote");
  } catch (error) {
    failures += 1;
    for (const [at, left] of context.pages().entries()) await picture(left, `failure-${failures}-${at}`).catch(() => undefined);
    throw error;
  } finally {
    await context.close();
  }
}

/** Fills in Keycloak's login form, which must be there. */
export async function fillIn(page, name, password = name.repeat(2)) {
  await page.fill("input[name=username]", name);
  await page.fill("input[name=password]", password);
  await page.press("input[name=password]", "Enter");
}

/** Opens an address of the application, meets the login form, and signs in there. */
export async function signIn(page, address, name = "anna") {
  await page.goto(address);
  await fillIn(page, name);
  await greeted(page, name);
}

/** The application's page, for that user. */
export const greeted = (page, name) => page.waitForSelector(`h1:text-is("Hello, ${name}")`);

/** Keycloak's login form. */
export const askedToSignIn = (page) => page.waitForSelector("input[name=password]");
