// The real Keycloak of a run, and realms of it, made through its admin REST API.

import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { until } from "./program.mjs";

const top = fileURLToPath(new URL("../../", import.meta.url));
const log = `${top}target/tmp/keycloak-of-browser.log`;

/** 18 s on two free cores; machines are not always free. */
const START_MS = 240_000;

/** The administrator that the server makes at its first start. */
const ADMINISTRATOR = { username: "admin", password: "admin" };

/** Where the server and the Java for it are; throws when `tests/keycloak/install` has not been run. */
function installed() {
  try {
    const said = execFileSync(`${top}tests/keycloak/install`, ["--installed"], { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
    return Object.fromEntries(said.trim().split("\n").map((line) => line.split("=")));
  } catch {
    throw new Error("Keycloak is not installed: run `./test setup` once, or the whole suite by `./test browser`");
  }
}

/** Starts the server, with an empty database in memory; it is gone, whatever happens, when this process is. */
export async function startKeycloak() {
  const { JAVA_HOME, KEYCLOAK_HOME } = installed();
  mkdirSync(`${top}target/tmp`, { recursive: true });
  // Emptied here and not by the guard: an earlier run's words must not be read as this one's.
  writeFileSync(log, "");
  const server = [`${KEYCLOAK_HOME}/bin/kc.sh`, "start", "--optimized", "--cache=local", "--hostname-strict=false"];
  const listener = ["--http-enabled=true", "--http-host=127.0.0.1", "--http-port=0"];
  const env = {
    ...process.env,
    JAVA_HOME,
    JAVA_OPTS_KC_HEAP: "-Xms128m -Xmx512m",
    KC_BOOTSTRAP_ADMIN_USERNAME: ADMINISTRATOR.username,
    KC_BOOTSTRAP_ADMIN_PASSWORD: ADMINISTRATOR.password,
  };
  // The guard ends what it started when its standard input does, which dies with this process.
  const guard = spawn(`${top}tests/keycloak/guard`, ["0", log, ...server, ...listener], { env, stdio: ["pipe", "ignore", "inherit"] });
  const ended = new Promise((resolve) => guard.once("close", resolve));
  const stop = async () => {
    guard.stdin.end();
    await ended;
  };
  try {
    return { address: await listening(guard), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function listening(guard) {
  return until("Keycloak listens", START_MS, () => {
    const printed = readFileSync(log, "utf8");
    if (guard.exitCode !== null) throw new Error(`Keycloak ended with ${guard.exitCode}:\n${printed}`);
    return printed.match(/Listening on: (http:\/\/[\d.]+:\d+)/)?.[1];
  });
}

/** A realm of a story's own, with nobody else's sessions in it. It goes with the server. */
export class Realm {
  static #count = 0;
  #server;
  #token = { value: "", until: 0 };

  /** `representation` has everything but the name. */
  static async create(server, representation) {
    const realm = new Realm();
    realm.#server = server.address;
    realm.name = `story-${++Realm.#count}`;
    await realm.#call("POST", "/admin/realms", { ...representation, realm: realm.name });
    return realm;
  }

  /** The address that an adapter's `auth-server-url` has. */
  get server() {
    return this.#server;
  }

  /** Ends all sessions of a user, as "Sign out" in the console's list of a user's sessions does. */
  async logOut(username) {
    await this.#below("POST", `users/${await this.#user(username)}/logout`);
  }

  /** Ends one session, as the console's list of sessions does. */
  async endSession(id) {
    await this.#below("DELETE", `sessions/${id}`);
  }

  /** The ids of a user's sessions. */
  async sessions(username) {
    return (await this.#below("GET", `users/${await this.#user(username)}/sessions`)).map(({ id }) => id);
  }

  async #user(username) {
    return (await this.#below("GET", `users?exact=true&username=${username}`))[0].id;
  }

  #below(method, path, body) {
    return this.#call(method, `/admin/realms/${this.name}/${path}`, body);
  }

  async #call(method, path, body) {
    const headers = { authorization: `Bearer ${await this.#administrator()}`, ...(body && { "content-type": "application/json" }) };
    const answer = await fetch(this.#server + path, { method, headers, body: body && JSON.stringify(body) });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text ? JSON.parse(text) : undefined;
  }

  /** The administrator's access token, which is good for a minute. */
  async #administrator() {
    if (this.#token.until > Date.now()) return this.#token.value;
    const body = new URLSearchParams({ grant_type: "password", client_id: "admin-cli", ...ADMINISTRATOR });
    const answer = await fetch(`${this.#server}/realms/master/protocol/openid-connect/token`, { method: "POST", body });
    if (!answer.ok) throw new Error(`the administrator cannot sign in: ${answer.status}`);
    this.#token = { value: (await answer.json()).access_token, until: Date.now() + 30_000 };
    return this.#token.value;
  }
}
