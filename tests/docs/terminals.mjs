// Terminals of a newcomer: shells that are given code blocks, as somebody pastes them.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** How long a block may take that is not to stay: with everything to be built, as long as that takes. */
const BLOCK_MS = process.env.COLD === "1" ? 2_400_000 : 600_000;

/** Shells by their numbers, each in a process group of its own, all of which end with `close`. */
export class Terminals {
  /** What each block that ended took: `{ line, text, ms }`. */
  times = [];
  #folder;
  #env;
  #shells = new Map();
  #scripts = mkdtempSync(join(tmpdir(), "blocks-"));
  #count = 0;

  /** Every terminal opens in `folder`, with `env` alone. */
  constructor(folder, env) {
    this.#folder = folder;
    this.#env = env;
    process.once("exit", () => this.#kill("SIGKILL"));
  }

  /** Runs a block, and waits until it is done unless it stays. Fails with what was printed when a command of it fails. */
  async run({ text, terminal, stays, line }) {
    const shell = this.#shell(terminal);
    const began = Date.now();
    const end = `-- end of block ${++this.#count} --`;
    const script = join(this.#scripts, `${this.#count}.sh`);
    writeFileSync(script, text);
    // From a file, so that no program of the block reads the next block as its input.
    shell.child.stdin.write(`. ${script} </dev/null\necho '${end}'\n`);
    if (stays) return;
    await this.#until(`README.md:${line} ends`, () => shell.output.includes(end), shell, BLOCK_MS);
    this.times.push({ line, text, ms: Date.now() - began });
  }

  /** What a terminal printed that looks like `pattern`, as soon as it does. */
  async printed(terminal, pattern) {
    const shell = this.#shell(terminal);
    await this.#until(`${pattern} is printed`, () => pattern.test(shell.output), shell, BLOCK_MS);
    return shell.output.match(pattern)[0];
  }

  /** Waits until somebody listens on this port of loopback, as long as no terminal has ended. */
  async listens(port) {
    let heard = false;
    const ask = () => {
      const socket = connect(port, "127.0.0.1");
      socket.once("connect", () => (heard = true) && socket.destroy());
      socket.once("error", () => socket.destroy());
      return heard;
    };
    await this.#until(`port ${port} listens`, ask, undefined, 60_000);
  }

  /** Ends every shell and what it started, and waits for that. */
  async close() {
    const ended = [...this.#shells.values()].map(({ child }) => {
      return child.exitCode ?? child.signalCode ?? new Promise((resolve) => child.once("close", resolve));
    });
    this.#kill("SIGTERM");
    const timer = setTimeout(() => this.#kill("SIGKILL"), 20_000);
    await Promise.all(ended);
    clearTimeout(timer);
    rmSync(this.#scripts, { recursive: true, force: true });
  }

  #shell(terminal) {
    if (!this.#shells.has(terminal)) {
      const options = { cwd: this.#folder, env: this.#env, detached: true, stdio: ["pipe", "pipe", "pipe"] };
      const child = spawn("bash", ["-e", "-o", "pipefail"], options);
      const shell = { child, output: "" };
      for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (shell.output += data));
      child.stdin.on("error", () => {});
      this.#shells.set(terminal, shell);
    }
    return this.#shells.get(terminal);
  }

  async #until(what, done, shell, ms) {
    const deadline = Date.now() + ms;
    while (!done()) {
      const ended = [...this.#shells].find(([, { child }]) => child.exitCode !== null || child.signalCode !== null);
      if (ended) throw new Error(`terminal ${ended[0]} has ended before ${what}; it printed:\n${ended[1].output}`);
      if (Date.now() > deadline) throw new Error(`not in time: ${what}; printed:\n${shell?.output ?? ""}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  #kill(signal) {
    for (const { child } of this.#shells.values()) {
      try {
        process.kill(-child.pid, signal);
      } catch {
        // Its group has ended.
      }
    }
  }
}
