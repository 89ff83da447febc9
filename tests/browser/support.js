// The server as a child process, and a page of it that records each error.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import http from "node:http";
import { connect as connectTcp } from "node:net";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

// The longest wait for anything that a page must show.
export const DEADLINE = 10_000;

// However the tests end, no server stays behind.
export const children = new Set();
export const killServers = () => { for (const child of children) child.kill("SIGKILL"); };
process.on("exit", killServers);
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(1));

export class Server {
  // Starts the program on a port that the system picks; its first line says which.
  static async start(...options) {
    const child = spawn(process.env.PLAINSOCKET, ["--listen", "127.0.0.1:0", ...options], { stdio: ["ignore", "pipe", "ignore"] });
    children.add(child);
    child.once("exit", () => children.delete(child));
    const lines = createInterface({ input: child.stdout });
    const [line] = await once(lines, "line", { signal: AbortSignal.timeout(DEADLINE) });
    const address = line.match(/ listening on (127\.0\.0\.1:\d+)$/)?.[1];
    assert.ok(address, line);
    return Object.assign(new Server(), { child, address });
  }

  async end(signal = "SIGTERM") {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = once(this.child, "exit", { signal: AbortSignal.timeout(DEADLINE) });
    this.child.kill(signal);
    await ended;
  }
}

// A proxy that serves a server below a prefix, as on a host with several servers: /prefix/echo there is /echo here. The
// rest of the request is unchanged, including `Host`.
export async function prefixProxy(address, prefix) {
  const [hostname, port] = address.split(":");
  const path = url => url.slice(prefix.length).replace(/^(?!\/)/, "/");
  const sockets = new Set();
  const proxy = http.createServer((request, response) => {
    if (!request.url.startsWith(prefix)) return response.writeHead(404).end();
    http.get({ hostname, port, path: path(request.url), headers: request.headers }, upstream => {
      response.writeHead(upstream.statusCode, upstream.rawHeaders);
      upstream.pipe(response);
    });
  });
  proxy.on("connection", socket => { sockets.add(socket); socket.on("error", () => {}); });
  proxy.on("upgrade", ({ url, rawHeaders }, client, head) => {
    if (!url.startsWith(prefix)) return client.end("HTTP/1.1 404 Not Found\r\n\r\n");
    const lines = rawHeaders.flatMap((name, at) => (at % 2 ? [] : `${name}: ${rawHeaders[at + 1]}`));
    const upstream = connectTcp(port, hostname);
    upstream.on("error", () => client.destroy());
    upstream.write([`GET ${path(url)} HTTP/1.1`, ...lines, "", ""].join("\r\n"));
    upstream.write(head);
    upstream.pipe(client).pipe(upstream);
  });
  await once(proxy.listen(0, "127.0.0.1"), "listening");
  return { host: `127.0.0.1:${proxy.address().port}`, end: () => { proxy.close(); for (const socket of sockets) socket.destroy(); } };
}

// A server that answers each WebSocket with what `script` returns for its URL: an object is an event, and a number is a
// Close code. The page itself is that of the server at `address`.
export async function scriptedServer(address, script) {
  const [hostname, port] = address.split(":");
  const sockets = new Set();
  const server = http.createServer(({ url }, response) => {
    http.get({ hostname, port, path: url }, upstream => {
      response.writeHead(upstream.statusCode, upstream.rawHeaders);
      upstream.pipe(response);
    });
  });
  server.on("connection", socket => { sockets.add(socket); socket.on("error", () => {}); });
  server.on("upgrade", ({ url, headers }, socket) => {
    const key = headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    const accept = createHash("sha1").update(key).digest("base64");
    const lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
                   `Sec-WebSocket-Accept: ${accept}`, `Sec-WebSocket-Protocol: ${headers["sec-websocket-protocol"]}`, "", ""];
    socket.write(lines.join("\r\n"));
    for (const step of script(url)) {
      const isCode = typeof step === "number";
      const payload = isCode ? Buffer.from([step >> 8, step & 255]) : Buffer.from(JSON.stringify(step));
      socket.write(Buffer.concat([Buffer.from([isCode ? 0x88 : 0x81, payload.length]), payload]));
      if (isCode) socket.end();
    }
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return { host: `127.0.0.1:${server.address().port}`, end: () => { server.close(); for (const socket of sockets) socket.destroy(); } };
}

export const launch = () => chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium" });

// A page in a context of its own. `faults` collects errors on the console (also violations of the policy), exceptions
// and dialogs; `hosts` collects the hosts that the page connected to.
export async function open(browser, server, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(DEADLINE);
  page.faults = [];
  page.hosts = new Set();
  const ask = url => { if (!url.startsWith("data:")) page.hosts.add(new URL(url).host); };
  context.on("request", request => ask(request.url()));
  page.on("websocket", socket => ask(socket.url()));
  page.on("console", message => { if (["error", "warning"].includes(message.type())) page.faults.push(message.text()); });
  page.on("pageerror", error => page.faults.push(error.stack));
  page.on("dialog", dialog => { page.faults.push(dialog.message()); dialog.dismiss(); });
  await page.goto(`http://${server.address}${server.address.includes("/") ? "" : "/"}`);
  return page;
}

export const press = (page, name) => page.getByRole("button", { name, exact: true }).click();

export async function connect(page, endpoint) {
  await page.getByRole("radio", { name: endpoint }).check();
  await press(page, "Connect");
  await see(page, "#state", `Connected to ${endpoint}`);
  // The report of the handshake arrives a little after the 101, and would replace whatever a test shows meanwhile.
  if (endpoint === "/inspect") await see(page, "#detail", "How the accept value came about");
}

// Waits until the words are in the element.
export const see = (page, selector, words) => page.locator(selector, { hasText: words }).first().waitFor();

export const logged = (page, words) => see(page, "#log", words);

// The cells in a row of the payload's tables.
export const payloadRow = (page, name) =>
  page.locator(".payload tr", { has: page.getByRole("rowheader", { name, exact: true }) }).locator("td").allTextContents();
