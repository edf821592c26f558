// A standard OpenID provider of somebody else's making (the package oidc-provider), in this process.

import { generateKeyPairSync, randomBytes } from "node:crypto";
import { createServer } from "node:http";
import Provider from "oidc-provider";
import { createMemoryAdapter } from "oidc-provider/lib/adapters/memory_adapter.js";

/** A key that signs ID tokens and logout tokens. */
function signingKey() {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return { ...privateKey.export({ format: "jwk" }), kid: randomBytes(8).toString("hex"), use: "sig", alg: "RS256" };
}

/** Whoever the browser says sits at the keyboard (the header `x-person`) is who signs in, without a page. */
async function signIn(provider, request, response) {
  const login = { accountId: request.headers["x-person"] };
  await provider.interactionFinished(request, response, { login }, { mergeWithLastSubmission: false });
}

function configuration(clients, accessTokenSeconds) {
  return {
    clients,
    clientDefaults: { grant_types: ["authorization_code", "refresh_token"] },
    claims: { openid: ["sub"], profile: ["preferred_username"], email: ["email"] },
    cookies: { keys: ["of the tests alone"] },
    features: {
      devInteractions: { enabled: false },
      backchannelLogout: { enabled: true },
      revocation: { enabled: true },
      rpInitiatedLogout: { enabled: true, logoutSource: (ctx, form) => void (ctx.body = form) },
    },
    // It refuses to call loopback, where all of this plays.
    fetch: (url, options) => {
      delete options.dispatcher;
      return globalThis.fetch(url, options);
    },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, preferred_username: id, email: `${id}@example.com` }) }),
    interactions: { url: (_, { uid }) => `/interaction/${uid}` },
    issueRefreshToken: () => true,
    // Nobody is asked whether the client may: every client of this provider may.
    loadExistingGrant: async ({ oidc }) => {
      const grant = new oidc.provider.Grant({ accountId: oidc.session.accountId, clientId: oidc.client.clientId });
      grant.addOIDCScope("openid profile email");
      await grant.save();
      return grant;
    },
    rotateRefreshToken: true,
    ttl: { AccessToken: accessTokenSeconds, IdToken: 3600, RefreshToken: 3600, Session: 3600, Grant: 3600, Interaction: 600 },
  };
}

/**
 * Starts it on a free port. `clients` is what it is to know, given its issuer. Returns `issuer`, `rotate`, which gives it a new key in place of the
 * one it has, `refused`, which lists the answers that logout tokens met beside 200, `refreshes`, the refresh tokens that it was sent and the `error`
 * of those that it refused, and `stop`.
 */
export async function startProvider(clients, { accessTokenSeconds = 600 } = {}) {
  let provider, answer;
  // What it remembers of sessions and grants, which outlives its keys.
  const adapter = createMemoryAdapter();
  const refused = [];
  const refreshes = [];
  const refreshed = ({ oidc: { params } }, error) => {
    if (params?.grant_type === "refresh_token") refreshes.push({ token: params.refresh_token, error: error?.error });
  };
  const server = createServer((request, response) => {
    if (request.url.startsWith("/interaction/")) signIn(provider, request, response).catch((error) => response.destroy(error));
    else answer(request, response);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const rotate = () => {
    provider = new Provider(issuer, { ...configuration(clients, accessTokenSeconds), adapter, jwks: { keys: [signingKey()] } });
    provider.on("backchannel.error", (_, error) => refused.push(error.message));
    provider.on("grant.success", (ctx) => refreshed(ctx));
    provider.on("grant.error", refreshed);
    provider.on("server_error", (_, error) => console.error(error));
    answer = provider.callback();
  };
  rotate();
  const stop = () => {
    server.close();
    server.closeAllConnections();
  };
  return { issuer, rotate, refused, refreshes, stop };
}
