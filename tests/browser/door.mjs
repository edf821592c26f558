// Doorward itself before an application of the test's own, with the small identity server, which signs its one user in without asking.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { firstLine, freePort, start as startProgram, stop as stopProgram } from "./program.mjs";

const demo = process.env.DOORWARD_DEMO ?? fileURLToPath(new URL("../../target/release/examples/demo", import.meta.url));
const programs = dirname(dirname(demo));

/** Starts both; returns the door's address and `stop`. `sidecar` is laid over the configuration. */
export async function startDoor(upstream, sidecar = {}) {
  const address = `http://127.0.0.1:${await freePort()}`;
  const folder = mkdtempSync(join(tmpdir(), "doorward-"));
  const children = [];
  const start = (program, ...options) => {
    const child = startProgram(join(programs, program), ...options);
    children.push(child);
    return child;
  };
  const stop = async () => {
    await Promise.all(children.map((child) => stopProgram(child)));
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
