// Doorward itself before an application of the test's own: beside the small identity server, which signs its one user in without asking, or
// beside one that the test has.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { firstLine, freePort, start as startProgram, stop as stopProgram } from "./program.mjs";

const demo = process.env.DOORWARD_DEMO ?? fileURLToPath(new URL("../../target/static/examples/demo", import.meta.url));
const programs = dirname(dirname(demo));
const binary = process.env.DOORWARD ?? join(programs, "doorward");

/** Starts Doorward with this configuration, waits until it listens, and returns `stop`. */
export async function serve(config) {
  const folder = mkdtempSync(join(tmpdir(), "doorward-"));
  const file = join(folder, "adapter.json");
  writeFileSync(file, JSON.stringify(config));
  const door = startProgram(binary, ["serve", "-c", file], { stdio: ["ignore", "ignore", "pipe"] });
  const stop = async () => {
    await stopProgram(door);
    rmSync(folder, { recursive: true });
  };
  try {
    await firstLine(door, door.stderr, (line) => /listening/.test(line) && /public/.test(line));
    return stop;
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Starts both; returns the door's address and `stop`. `sidecar` is laid over the configuration. */
export async function startDoor(upstream, sidecar = {}) {
  const address = `http://127.0.0.1:${await freePort()}`;
  const server = startProgram(join(programs, "examples/identity_server"), [`${address}/oauth2/callback`]);
  try {
    const issuer = await firstLine(server, server.stdout, (line) => line.match(/^http\S+/)?.[0]);
    const stopDoor = await serve({
      realm: "bench",
      "auth-server-url": issuer,
      resource: "bench",
      credentials: { secret: "bench-secret" },
      sidecar: { listen: new URL(address).host, admin: { listen: "127.0.0.1:0" }, "public-url": address, upstream, ...sidecar },
    });
    return { address, stop: () => Promise.all([stopDoor(), stopProgram(server)]) };
  } catch (error) {
    await stopProgram(server);
    throw error;
  }
}
