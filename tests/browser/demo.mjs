// The demo as a program: started, asked for its address, stopped.

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const top = fileURLToPath(new URL("../../", import.meta.url));

/** How long the demo may take until it prints its address. */
const START_MS = 30_000;

/**
 * Starts the demo (`DOORWARD_DEMO`, else the release build), which lets pages of these origins use it, and waits until it prints an
 * address.
 * Returns the address, what was printed so far, and `stop`, which ends it and waits for its end.
 */
export async function startDemo(...origins) {
  const program = process.env.DOORWARD_DEMO ?? `${top}target/static/examples/demo`;
  const child = spawn(program, origins, { stdio: ["ignore", "pipe", "pipe"] });
  const ended = new Promise((resolve) => child.once("close", resolve));
  const printed = [];
  const stop = async () => {
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), 10_000);
    await ended;
    clearTimeout(timer);
  };
  // A test that dies takes the demo along.
  process.once("exit", () => child.kill("SIGKILL"));
  try {
    return { address: await firstAddress(child, printed), printed, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function firstAddress(child, printed) {
  return new Promise((resolve, reject) => {
    const fail = (why) => reject(new Error(`the demo ${why}; it printed:\n${printed.join("\n")}`));
    const timer = setTimeout(() => fail("printed no address in time"), START_MS);
    child.once("error", (error) => fail(`cannot start: ${error.message}`));
    child.once("exit", (code) => fail(`ended with ${code}`));
    createInterface({ input: child.stderr }).on("line", (line) => printed.push(line));
    createInterface({ input: child.stdout }).on("line", (line) => {
      printed.push(line);
      const address = line.match(/https?:\/\/[^\s"]+/)?.[0];
      if (address) {
        clearTimeout(timer);
        resolve(address);
      }
    });
  });
}
