// What a story beside a real Keycloak begins with: a realm with two people and a client, an application, and Doorward between.

import { randomBytes } from "node:crypto";
import { startApplication } from "./application.mjs";
import { serve } from "./door.mjs";
import { Realm } from "./keycloak.mjs";
import { freePort } from "./program.mjs";

/** The client that each realm has. */
const CLIENT = "app";

/** Somebody with an account; the password is the name doubled. Complete and verified, since Keycloak would ask for the rest at the first login. */
const user = (username) => ({
  username,
  email: `${username}@example.com`,
  emailVerified: true,
  firstName: username,
  lastName: "Example",
  enabled: true,
  credentials: [{ type: "password", value: username.repeat(2), temporary: false }],
});

function representation(address, admin, secret) {
  return {
    enabled: true,
    sslRequired: "none",
    // These passwords are no secrets: one round for each, since many sign in.
    passwordPolicy: "hashIterations(1)",
    roles: { realm: [{ name: "staff" }] },
    users: ["anna", "bert"].map(user),
    clients: [
      {
        clientId: CLIENT,
        name: "The application",
        secret,
        redirectUris: [`${address}/oauth2/callback`],
        adminUrl: `${admin}/`,
        attributes: { "pkce.code.challenge.method": "S256", "post.logout.redirect.uris": `${address}/oauth2/signed_out` },
      },
    ],
  };
}

/**
 * Sets it. `realm` changes the realm's representation before it is made; `adapter` and `sidecar` are laid over the configuration.
 * Returns `address`, the origin that users see, the `realm`, the `application`, `secrets` that no page may show, and `stop`.
 *
 * The application is at `localhost`, Keycloak at 127.0.0.1: two sites for a browser, as they may well be for users.
 */
export async function setStage(keycloak, { realm: change = () => {}, adapter = {}, sidecar = {} } = {}) {
  const [port, adminPort] = [await freePort(), await freePort()];
  const [address, admin] = [`http://localhost:${port}`, `http://127.0.0.1:${adminPort}`];
  const secrets = [randomBytes(16).toString("hex"), randomBytes(32).toString("base64")];
  const whole = representation(address, admin, secrets[0]);
  change(whole);
  const realm = await Realm.create(keycloak, whole);
  const application = await startApplication();
  const config = {
    realm: realm.name,
    "auth-server-url": realm.server,
    "ssl-required": "none",
    resource: CLIENT,
    credentials: { secret: secrets[0] },
    ...adapter,
    sidecar: {
      listen: `127.0.0.1:${port}`,
      admin: { listen: `127.0.0.1:${adminPort}` },
      "public-url": address,
      upstream: application.address,
      cookie: { keys: [secrets[1]] },
      limits: { drain: "1s" },
      ...sidecar,
    },
  };
  const stopDoor = await serve(config).catch((error) => {
    application.stop();
    throw error;
  });
  const stop = async () => {
    await stopDoor();
    application.stop();
  };
  return { address, realm, application, secrets, stop };
}
