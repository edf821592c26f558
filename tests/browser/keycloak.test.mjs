// The stories beside a real Keycloak, in a real browser: one server and one browser for all, a realm for each.

import { after, before, describe } from "node:test";
import { launch } from "./chromium.mjs";
import { startKeycloak } from "./keycloak.mjs";
import { keptFormStories } from "./stories/kept-form.mjs";
import { pageStories } from "./stories/pages.mjs";
import { sessionEndStories } from "./stories/session-end.mjs";
import { signInStories } from "./stories/sign-in.mjs";
import { signOutStories } from "./stories/sign-out.mjs";

describe("beside Keycloak", { timeout: 600_000 }, () => {
  const suite = {};
  before(async () => {
    [suite.keycloak, suite.browser] = await Promise.all([startKeycloak(), launch()]);
  });
  after(async () => {
    await suite.browser?.close();
    await suite.keycloak?.stop();
  });

  for (const tell of [signInStories, sessionEndStories, signOutStories, keptFormStories, pageStories]) tell(suite);
});
