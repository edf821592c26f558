// What every page of ours must be for whoever reads it: named, in a language, readable in both colour schemes and on a phone, usable by
// keyboard. The numbers are of WCAG 2.2, level AA.

import assert from "node:assert/strict";
import { picture } from "./chromium.mjs";

const SCREENS = { phone: { width: 360, height: 640 }, desktop: { width: 1280, height: 800 } };

/** Looks at a page in both colour schemes, on a phone and on a desktop, keeps a picture of each, and fails where it cannot be read. */
export async function inspect(page, name) {
  const before = page.viewportSize();
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    for (const [screen, size] of Object.entries(SCREENS)) {
      await page.setViewportSize(size);
      await picture(page, `${name}.${screen}-${colorScheme}`);
      assert.deepEqual(await page.evaluate(faults), [], `${name}, ${colorScheme}, ${screen}`);
    }
    assert.deepEqual(await focusFaults(page), [], `${name}, ${colorScheme}`);
  }
  await page.setViewportSize(before);
}

/** Goes through what can be pressed, by keyboard: each must show where the focus is (2.4.7, 1.4.11). */
async function focusFaults(page) {
  const all = await page.locator("a[href], button").allTextContents();
  const seen = new Map();
  // One more than there are: between the last and the first the focus is outside of the page.
  for (let at = 0; at <= all.length; at++) {
    await page.keyboard.press("Tab");
    const [text, shown] = await page.evaluate(focused);
    seen.set(text, shown);
  }
  const unseen = all.filter((text) => !seen.has(text)).map((text) => `no focus on "${text}"`);
  return [...unseen, ...all.filter((text) => seen.get(text) === false).map((text) => `no outline shows the focus on "${text}"`)];
}

/** Runs in the page: what has the focus, and whether that is to be seen. */
function focused() {
  const style = getComputedStyle(document.activeElement);
  return [document.activeElement.textContent, style.outlineStyle === "solid" && parseFloat(style.outlineWidth) >= 2];
}

/** Runs in the page: what is wrong with it as it is shown now. */
function faults() {
  const found = [];
  const must = (so, what) => so || found.push(what);
  const heading = document.querySelectorAll("h1");
  must(document.documentElement.lang, "no lang");
  must(heading.length === 1, `${heading.length} h1`);
  must(document.title && document.title === heading[0]?.textContent, `the title is "${document.title}"`);
  must(document.querySelectorAll("main").length === 1, "no main");
  must(document.documentElement.scrollWidth <= innerWidth, `${document.documentElement.scrollWidth} wide`);
  const zoom = document.querySelector("meta[name=viewport]")?.content ?? "";
  must(/width=device-width/.test(zoom) && !/maximum-scale|user-scalable/.test(zoom), `viewport "${zoom}"`);
  // But for the signed-out page's own, whose answer has kept pages forgotten.
  const own = new URL("/oauth2/signed_out", location.origin).href;
  for (const { nodeName, src, href } of document.querySelectorAll("[src], link[href]")) {
    must(src === own && location.href.startsWith(own), `fetches ${nodeName} ${src ?? href}`);
  }

  const parse = (colour) => colour.match(/[\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => {
    const linear = (part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4);
    return 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  };
  const over = ([r, g, b], alpha, under) => [r, g, b].map((part, at) => part * alpha + under[at] * (1 - alpha));
  const line = (element) => (element ? [...line(element.parentElement), element] : []);
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.textContent.trim());
    if (!own || element.closest("script, style")) continue;
    // The text over all that is painted behind it.
    let [back, opacity] = [[255, 255, 255], 1];
    for (const at of line(element)) {
      const style = getComputedStyle(at);
      opacity *= Number(style.opacity);
      const [r, g, b, alpha = 1] = parse(style.backgroundColor);
      back = over([r, g, b], alpha * opacity, back);
    }
    const [r, g, b, alpha = 1] = parse(getComputedStyle(element).color);
    const [dark, light] = [luminance(over([r, g, b], alpha * opacity, back)), luminance(back)].sort((a, b) => a - b);
    const contrast = (light + 0.05) / (dark + 0.05);
    must(contrast >= 4.5, `"${element.textContent}" has a contrast of ${contrast.toFixed(2)} (1.4.3)`);
  }
  for (const element of document.querySelectorAll("main a[href], main button")) {
    const { width, height } = element.getBoundingClientRect();
    must(width >= 24 && height >= 24, `"${element.textContent}" is ${width} by ${height} (2.5.8)`);
  }
  return found;
}

/** Fails when a page holds one of the secrets, a token, or a cookie of ours that only servers may read. */
export async function assertNoSecrets(page, secrets) {
  const html = await page.content();
  const cookies = (await page.context().cookies()).filter(({ httpOnly }) => httpOnly).map(({ value }) => value);
  for (const secret of [...secrets, ...cookies]) assert.ok(secret.length < 8 || !html.includes(secret), "a secret is in the page");
  assert.doesNotMatch(html, /eyJ[\w-]+\.[\w-]+\./, "a token is in the page");
}
