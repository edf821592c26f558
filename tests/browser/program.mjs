// Programs that a test starts and stops.

import { spawn } from "node:child_process";
import { createServer } from "node:net";
import { createInterface } from "node:readline";

/** A port that was free a moment ago: the redirect URI has to be known before anybody listens there. */
export async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Starts a program that is gone, whatever happens, when this process is. */
export function start(...command) {
  const child = spawn(...command);
  const kill = () => child.kill("SIGKILL");
  process.once("exit", kill);
  child.once("exit", () => process.off("exit", kill));
  return child;
}

/** Ends a program, and waits until it has. */
export async function stop(child, signal = "SIGTERM") {
  const ended = child.exitCode ?? child.signalCode ?? new Promise((resolve) => child.once("close", resolve));
  child.kill(signal);
  await ended;
}

/** The first line of a program's output for which `pick` gives something, within half a minute. */
export function firstLine(child, stream, pick) {
  return new Promise((resolve, reject) => {
    const printed = [];
    const fail = (why) => reject(new Error(`${child.spawnfile} ${why}; it printed:\n${printed.join("\n")}`));
    const timer = setTimeout(() => fail("said nothing in time"), 30_000);
    child.once("error", (error) => fail(`cannot start: ${error.message}`));
    child.once("exit", (code) => fail(`ended with ${code}`));
    createInterface({ input: stream }).on("line", (line) => {
      printed.push(line);
      const found = pick(line);
      if (found) {
        clearTimeout(timer);
        resolve(found);
      }
    });
  });
}

/** Asks until there is an answer, and returns it; fails when it takes longer than that. */
export async function until(what, limitMs, ask) {
  for (const end = Date.now() + limitMs; Date.now() < end; ) {
    const found = await ask();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`not within ${limitMs} ms: ${what}`);
}
