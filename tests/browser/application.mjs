// The application behind the door: pages that say who is signed in, a form, and a page with a fetch, an event stream and a WebSocket.
// It knows nothing of OpenID Connect but where the sign-out is.

import { createServer } from "node:http";
import { WebSocketServer } from "ws";

const escape = (text) => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

const STYLE = `
  :root { color-scheme: light dark }
  body { font: 1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 2rem auto; padding: 0 1rem }
  nav a { margin-right: 1rem }
  textarea, input { font: inherit; display: block; width: 100%; box-sizing: border-box; margin-bottom: .75rem }
  [role=status] { min-height: 1.5rem; font-weight: 600 }`;

/** What the page with live parts runs: how an application can tell its user that the session is over. */
const LIVE = `
  const status = document.querySelector("[role=status]");
  const events = new EventSource("/events");
  events.onmessage = () => (document.body.dataset.events = "open");
  events.onerror = () => (document.body.dataset.events = events.readyState === EventSource.CLOSED ? "closed" : "again");
  const socket = new WebSocket(location.origin.replace("http", "ws") + "/socket");
  socket.onopen = () => (document.body.dataset.socket = "open");
  socket.onclose = ({ code }) => (document.body.dataset.socket = code);
  async function save() {
    const answer = await fetch("/api/me", { headers: { accept: "application/json" } });
    if (answer.status !== 401) return (status.textContent = "Saved for " + (await answer.json()).user);
    const { detail, login_url } = await answer.json();
    const link = Object.assign(document.createElement("a"), { href: new URL(login_url, location), textContent: "Sign in again" });
    const url = new URL(link.href);
    url.searchParams.set("rd", location.pathname + location.search);
    link.href = url;
    status.replaceChildren(detail + " ", link);
  }
  document.querySelector("#save").onclick = save;`;

const FORM = `<form method="post" action="/order?id=7"><label>Item <input name="item"></label>
  <label>Note <textarea name="note" rows="3"></textarea></label><button>Order</button></form>`;

function page({ user, url, main }) {
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
    <title>The application</title><style>${STYLE}</style></head><body><h1>Hello, ${escape(user ?? "nobody")}</h1>
    <p>This is <code>${escape(url)}</code>.</p>${main}
    <nav><a href="/live">Live</a><a href="/form">Form</a><a href="/oauth2/sign_out">Sign out</a></nav></body></html>`;
}

async function fieldsOf(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  return [...new URLSearchParams(Buffer.concat(parts).toString())];
}

/** Starts it on a free port. `orders` are the forms that reached it: who sent them, and their fields. */
export async function startApplication() {
  const orders = [];
  const mains = { "/live": `<button id="save">Save</button><p role="status"></p><script>${LIVE}</script>`, "/form": FORM };
  const server = createServer(async (request, response) => {
    const url = new URL(request.url, "http://application");
    const user = request.headers["x-forwarded-preferred-username"];
    if (request.method === "POST") orders.push({ user, fields: await fieldsOf(request) });
    if (url.pathname === "/events") {
      response.writeHead(200, { "content-type": "text/event-stream" }).write("data: hello\n\n");
    } else if (url.pathname === "/api/me") {
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ user }));
    } else if (url.pathname !== "/silent") {
      const said = url.searchParams.get("cache-control");
      response.writeHead(200, { "content-type": "text/html", ...(said && { "cache-control": said }) });
      response.end(page({ user, url: request.url, main: mains[url.pathname] ?? "" }));
    }
  });
  const sockets = new WebSocketServer({ server });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const stop = () => {
    sockets.clients.forEach((socket) => socket.terminate());
    server.close();
    server.closeAllConnections();
  };
  return { address: `http://127.0.0.1:${server.address().port}`, orders, stop };
}
