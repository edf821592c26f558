// A standard OpenID provider of somebody else's making (the Python package idpyoidc), as a program of its own.

import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { firstLine, freePort, start, stop } from "../browser/program.mjs";

const path = (name) => fileURLToPath(new URL(name, import.meta.url));
let packages;

/** What tokens and cookies are sealed by; without the old ones nothing of before can be read. */
const newSecrets = () => ({ password: randomBytes(16).toString("hex"), salt: randomBytes(16).toString("hex") });

/** How idpyoidc keeps a client: addresses are pairs with their query, and there is one key for those after a sign-out. */
function kept({ post_logout_redirect_uris, redirect_uris, ...client }) {
  const pairs = (addresses) => addresses.map((address) => [address, null]);
  return {
    response_types_supported: ["code"],
    allowed_scopes: ["openid", "profile", "email"],
    id_token_signed_response_alg: "ES256",
    ...client,
    redirect_uris: pairs(redirect_uris),
    post_logout_redirect_uri: pairs(post_logout_redirect_uris),
  };
}

/** A provider that is not running yet. `issuer` is known from the beginning, since clients have to know it and it has to know them. */
export class Idpyoidc {
  #folder = mkdtempSync(join(tmpdir(), "idpyoidc-"));
  #child;
  #secrets = newSecrets();
  #config;
  /** What it told: `refresh` (`token`: a digest, `error`), `issued` (an ID token: `sid`), `told` (a logout token: `uri`, `status`), `error` (`path`, `error`). */
  events = [];

  static async create() {
    return new Idpyoidc(await freePort());
  }

  constructor(port) {
    this.port = port;
    this.issuer = `http://127.0.0.1:${port}`;
  }

  /** Starts it, with the clients that it is to know. */
  async start(clients, { accessTokenSeconds = 600 } = {}) {
    const byId = Object.fromEntries(clients.map((client) => [client.client_id, kept(client)]));
    this.#config = { clients: byId, access_token_seconds: accessTokenSeconds };
    await this.#run();
  }

  /** Ends it in good order and starts it anew, with another key to sign by. With `forgets` it remembers no session and no token either. */
  async restart({ forgets = false } = {}) {
    await stop(this.#child);
    if (forgets) {
      this.#secrets = newSecrets();
      rmSync(this.#state, { force: true });
    }
    await this.#run();
  }

  /** The refresh tokens that it was sent, in order. */
  get refreshes() {
    return this.events.filter(({ event }) => event === "refresh");
  }

  /** The session that its newest ID token is of. */
  get sid() {
    return this.events.findLast(({ event }) => event === "issued").sid;
  }

  /** How those whom it told of a logout answered. */
  get told() {
    return this.events.filter(({ event }) => event === "told").map(({ status }) => status);
  }

  async stop() {
    if (this.#child) await stop(this.#child);
    rmSync(this.#folder, { recursive: true });
  }

  get #state() {
    return join(this.#folder, "state.json");
  }

  async #run() {
    packages ??= execFileSync(path("install"), { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] }).trim();
    const file = join(this.#folder, "config.json");
    const where = { issuer: this.issuer, port: this.port, state: this.#state };
    writeFileSync(file, JSON.stringify({ ...this.#config, ...where, secrets: this.#secrets }));
    this.#child = start("python3", [path("idpyoidc/provider.py"), file], {
      env: { ...process.env, PYTHONPATH: packages, PYTHONDONTWRITEBYTECODE: "1" },
      stdio: ["ignore", "pipe", process.env.PEERS_LOG ? "inherit" : "ignore"],
    });
    createInterface({ input: this.#child.stdout }).on("line", (line) => {
      if (process.env.PEERS_LOG) console.error(line);
      this.events.push(JSON.parse(line));
    });
    await firstLine(this.#child, this.#child.stdout, (line) => line.includes("listening"));
  }
}
