// Doorward itself before an application of the test's own, with the small identity server, which signs its one user in without asking.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const demo = process.env.DOORWARD_DEMO ?? fileURLToPath(new URL("../../target/release/examples/demo", import.meta.url));
const programs = dirname(dirname(demo));

/** A port that was free a moment ago: the redirect URI has to be known before anybody listens there. */
async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** The first line of a program's output for which `pick` gives something, within half a minute. */
function firstLine(child, stream, pick) {
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

/** Starts both; returns the door's address and `stop`. `sidecar` is laid over the configuration. */
export async function startDoor(upstream, sidecar = {}) {
  const address = `http://127.0.0.1:${await freePort()}`;
  const folder = mkdtempSync(join(tmpdir(), "doorward-"));
  const children = [];
  const start = (program, ...options) => {
    const child = spawn(join(programs, program), ...options);
    children.push(child);
    process.once("exit", () => child.kill("SIGKILL"));
    return child;
  };
  const stop = async () => {
    const ended = children.map((child) => child.exitCode ?? new Promise((resolve) => child.once("close", resolve)));
    children.forEach((child) => child.kill("SIGTERM"));
    await Promise.all(ended);
    rmSync(folder, { recursive: true });
  };
  try {
    const server = start("examples/identity_server", [`${address}/oauth2/callback`]);
    const issuer = await firstLine(server, server.stdout, (line) => line.match(/^http\S+/)?.[0]);
    const config = {
      realm: "bench",
      "auth-server-url": issuer,
      resource: "bench",
      credentials: { secret: "bench-secret" },
      sidecar: { listen: new URL(address).host, admin: { listen: "127.0.0.1:0" }, "public-url": address, upstream, ...sidecar },
    };
    const file = join(folder, "adapter.json");
    writeFileSync(file, JSON.stringify(config));
    const door = start("doorward", ["serve", "-c", file], { stdio: ["ignore", "ignore", "pipe"] });
    await firstLine(door, door.stderr, (line) => /listening/.test(line) && /public/.test(line));
    return { address, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
