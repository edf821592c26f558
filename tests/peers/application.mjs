// The application behind the door: says what reached it, streams events at /events, and takes WebSockets.

import { createServer } from "node:http";
import { WebSocketServer } from "ws";

/** Starts it on a free port. */
export async function startApplication() {
  const server = createServer((request, response) => {
    if (request.url === "/events") {
      response.writeHead(200, { "content-type": "text/event-stream" }).write("data: hello\n\n");
      return;
    }
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(request.headers));
  });
  new WebSocketServer({ server });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const stop = () => {
    server.close();
    server.closeAllConnections();
  };
  return { address: `http://127.0.0.1:${server.address().port}`, stop };
}
