// The real adapter, as its users start it: the binary and a configuration file.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { firstLine, start, stop } from "../browser/program.mjs";

const binary = process.env.DOORWARD ?? fileURLToPath(new URL("../../target/static/doorward", import.meta.url));

/** An adapter that is not running yet, with a folder of its own. */
export class Doorward {
  #folder = mkdtempSync(join(tmpdir(), "doorward-"));
  #child;

  /** `address` is the origin that users see; `config` the file without the places where it listens. */
  constructor(address, config) {
    this.address = address;
    const sidecar = { listen: new URL(address).host, admin: { listen: "127.0.0.1:0" }, "public-url": address, persist: this.#folder };
    const whole = { "ssl-required": "none", ...config, sidecar: { ...sidecar, ...config.sidecar } };
    writeFileSync(join(this.#folder, "adapter.json"), JSON.stringify(whole));
  }

  /** Starts it, and waits until it listens. */
  async start() {
    this.#child = start(binary, ["serve", "-c", join(this.#folder, "adapter.json")], { stdio: ["ignore", process.env.PEERS_LOG ? "inherit" : "ignore", "pipe"] });
    // Its log, where somebody looks for what went wrong.
    if (process.env.PEERS_LOG) this.#child.stderr.pipe(process.stderr, { end: false });
    await firstLine(this.#child, this.#child.stderr, (line) => /listening/.test(line) && /public/.test(line));
  }

  /** As a crash does, or a machine that goes. */
  kill() {
    return stop(this.#child, "SIGKILL");
  }

  async stop() {
    if (this.#child) await stop(this.#child);
    rmSync(this.#folder, { recursive: true });
  }
}
