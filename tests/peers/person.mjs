// Somebody at a browser: keeps cookies, follows redirects, and answers the provider's questions: who it is, and whether to sign out.

import { request } from "node:http";
import WebSocket from "ws";

/** As many as Chromium follows. */
const REDIRECTS = 20;

const NAVIGATION = { accept: "text/html", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" };
const SCRIPT = { accept: "application/json", "sec-fetch-mode": "cors", "sec-fetch-dest": "empty" };

/** The form of a page: where it goes, and its hidden fields; nothing without one. */
function formOf(page) {
  const action = page.match(/<form[^>]*action="([^"]+)"/)?.[1];
  const fields = [...page.matchAll(/type="hidden" name="([^"]+)" value="([^"]+)"/g)].map(([, ...field]) => field);
  return action && { action, fields };
}

/** One exchange; the whole answer. */
function exchange(url, { method = "GET", headers = {}, body } = {}) {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, headers, agent: false }, (response) => {
      const parts = [];
      response.on("data", (part) => parts.push(part));
      response.on("error", reject);
      response.on("end", () => resolve({ status: response.statusCode, headers: response.headers, text: Buffer.concat(parts).toString() }));
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

export class Person {
  /** By origin, then by name. Real browsers keep one jar for all ports of a host; here each server sees its own cookies alone. */
  #jar = new Map();

  constructor(name) {
    this.name = name;
  }

  /** A browser with the same cookies: somebody copied them. */
  copy() {
    const copy = new Person(this.name);
    copy.#jar = new Map([...this.#jar].map(([origin, cookies]) => [origin, new Map(cookies)]));
    return copy;
  }

  /** Opens an address, follows redirects and answers forms; `trail` are the paths on the way, `visited` the whole addresses. */
  async open(address, method = "GET") {
    let url = new URL(address);
    let next = { method };
    const trail = [];
    const visited = [];
    for (;;) {
      trail.push(url.pathname);
      visited.push(url);
      if (trail.length > REDIRECTS) throw new Error(`a redirect loop: ${trail.join(" ")}`);
      const answer = await this.#exchange(url, { ...next, headers: { ...NAVIGATION, ...(method === "POST" && { origin: url.origin }) } });
      const form = answer.headers["content-type"]?.startsWith("text/html") && formOf(answer.text);
      if (answer.headers.location) next = { method: "GET", to: answer.headers.location };
      else if (form) next = { method: "POST", to: form.action, body: this.#filledIn(form) };
      else return { ...answer, url, trail, visited };
      url = new URL(next.to, url);
      method = next.method;
    }
  }

  /** What a script on a page asks: one exchange. */
  fetch(address) {
    return this.#exchange(new URL(address), { headers: SCRIPT });
  }

  /** Opens an event stream; resolves, when its first event is there, to a promise of its end. */
  events(address) {
    const url = new URL(address);
    return new Promise((resolve, reject) => {
      const sent = request(url, { headers: this.#headers(url, { ...SCRIPT, accept: "text/event-stream" }), agent: false }, (response) => {
        if (response.statusCode !== 200) reject(new Error(`the event stream was refused: ${response.statusCode}`));
        const ended = new Promise((over) => response.once("error", () => undefined).once("close", over));
        response.once("data", () => resolve({ ended }));
      });
      sent.on("error", reject);
      sent.end();
    });
  }

  /** Opens a WebSocket; resolves, when it is open, to a promise of the code it closes with. */
  webSocket(address) {
    const url = new URL(address);
    const socket = new WebSocket(url.href.replace("http", "ws"), { headers: this.#headers(url, { origin: url.origin }) });
    const ended = new Promise((over) => socket.once("close", over));
    return new Promise((resolve, reject) => socket.once("open", () => resolve({ ended })).once("error", reject));
  }

  #filledIn({ fields }) {
    return new URLSearchParams([...fields, ["username", this.name], ["logout", "yes"]]).toString();
  }

  #headers(url, more) {
    const cookies = [...(this.#jar.get(url.origin) ?? [])].map((pair) => pair.join("="));
    return { ...more, "x-person": this.name, ...(cookies.length && { cookie: cookies.join("; ") }) };
  }

  async #exchange(url, { method, headers, body }) {
    const form = body && { "content-type": "application/x-www-form-urlencoded" };
    const answer = await exchange(url, { method, headers: this.#headers(url, { ...headers, ...form }), body });
    const cookies = this.#jar.get(url.origin) ?? new Map();
    this.#jar.set(url.origin, cookies);
    for (const line of answer.headers["set-cookie"] ?? []) {
      const [, name, value] = line.match(/^([^=]+)=([^;]*)/);
      if (/max-age=0|expires=Thu, 01 Jan 1970/i.test(line)) cookies.delete(name);
      else cookies.set(name, value);
    }
    return answer;
  }
}
