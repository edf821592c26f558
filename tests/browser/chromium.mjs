// Debian's Chromium, driven by Playwright, with nothing of it left behind.

import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

/** Pictures of a run, to be looked at. */
const screenshots = fileURLToPath(new URL("../../target/screenshots/", import.meta.url));

/**
 * A headless Chromium that talks to loopback only. `keepsPages`: it keeps pages that were left in memory and shows them again by Back, as
 * users' browsers do, which Playwright switches off otherwise.
 */
export function launch({ keepsPages = false } = {}) {
  return chromium.launch({
    ignoreDefaultArgs: keepsPages ? ["--disable-back-forward-cache"] : [],
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    // Chromium refuses to run as root inside its sandbox; the pages are all ours.
    chromiumSandbox: false,
    args: [
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

/** Keeps a picture of the whole page under target/screenshots. */
export async function picture(page, name) {
  mkdirSync(screenshots, { recursive: true });
  await page.screenshot({ path: `${screenshots}${name}.png`, fullPage: true });
}
