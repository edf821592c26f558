// Another relying party at the same provider: as little as one can be.

import { randomBytes } from "node:crypto";
import { createServer } from "node:http";

const payload = (token) => JSON.parse(Buffer.from(token.split(".")[1], "base64url"));

async function text(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts).toString();
}

/**
 * Starts it; `/` signs in, `/sign-out` signs out at the provider. `client` is how it is registered, `at` tells it its provider, and
 * `loggedOut` are the claims of the logout tokens that it was sent, and the parameters of front-channel logouts.
 */
export async function startParty({ host = "127.0.0.1" } = {}) {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = `http://${host}:${server.address().port}`;
  const client = {
    client_id: "second",
    client_secret: randomBytes(16).toString("hex"),
    redirect_uris: [`${address}/callback`],
    post_logout_redirect_uris: [`${address}/signed-out`],
    backchannel_logout_uri: `${address}/backchannel-logout`,
    backchannel_logout_session_required: true,
    token_endpoint_auth_method: "client_secret_post",
  };
  const loggedOut = [];
  let provider, idToken;

  const authorization = () =>
    new URLSearchParams({ client_id: client.client_id, response_type: "code", scope: "openid", redirect_uri: client.redirect_uris[0] });
  const endOfSession = () =>
    new URLSearchParams({ id_token_hint: idToken, post_logout_redirect_uri: client.post_logout_redirect_uris[0] });
  const redeem = async (code) => {
    const { client_id, client_secret, redirect_uris: [redirect_uri] } = client;
    const body = new URLSearchParams({ grant_type: "authorization_code", code, redirect_uri, client_id, client_secret });
    ({ id_token: idToken } = await (await fetch(provider.token_endpoint, { method: "POST", body })).json());
  };
  const routes = {
    "/": () => ({ location: `${provider.authorization_endpoint}?${authorization()}` }),
    "/callback": async (request, url) => void (await redeem(url.searchParams.get("code"))),
    "/sign-out": () => ({ location: `${provider.end_session_endpoint}?${endOfSession()}` }),
    "/signed-out": () => undefined,
    "/backchannel-logout": async (request) =>
      void loggedOut.push(payload(new URLSearchParams(await text(request)).get("logout_token"))),
    "/frontchannel-logout": (request, url) => void loggedOut.push(Object.fromEntries(url.searchParams)),
  };
  server.on("request", async (request, response) => {
    const url = new URL(request.url, address);
    const headers = (await routes[url.pathname]?.(request, url)) ?? {};
    response.writeHead(headers.location ? 302 : 200, headers).end();
  });
  const stop = () => {
    server.close();
    server.closeAllConnections();
  };
  const at = async (issuer) => {
    provider = await (await fetch(`${issuer}/.well-known/openid-configuration`)).json();
  };
  return { address, client, loggedOut, stop, at };
}
