// Firefox and WebKit, driven without a package. Each has its own protocol for the same commands, those of WebDriver
// (https://www.w3.org/TR/webdriver2/).

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { DEADLINE, children } from "./support.js";

// The first start of a browser on a machine takes long, because it fills caches.
const START = 60_000;

// The part of a browser that a test needs. `command` sends a command by its path in the standard.
class Session {
  constructor(command, end) {
    Object.assign(this, { command, end });
  }
  goto(url) {
    return this.command("url", { url });
  }
  // Runs a function in the page, with arguments that JSON can carry.
  run(body, ...args) {
    return this.command("execute/sync", { script: `return (${body}).apply(null, arguments)`, args });
  }
  // Waits until the function returns something.
  async until(body, ...args) {
    for (const deadline = Date.now() + DEADLINE; ; await pause(20)) {
      const value = await this.run(body, ...args);
      if (value) return value;
      if (Date.now() < deadline) continue;
      assert.fail(`waited in vain for ${body}, with ${args}: ${await this.run(() => document.body.innerText)}`);
    }
  }
  // As near to this size as the browser's own buttons allow.
  resize(width, height) {
    return this.command("window/rect", { width, height });
  }
  async screenshot(path) {
    writeFileSync(path, Buffer.from(await this.command("screenshot"), "base64"));
  }
}

// A home folder of its own: the profile is new each time, and Firefox refuses to run as root in another user's home.
const makeHome = () => mkdtempSync(join(tmpdir(), "plainsocket-browser-"));
const removeHome = home => rmSync(home, { recursive: true, force: true, maxRetries: 5 });

function start(program, args, stdio = "ignore", settings = {}) {
  const child = spawn(program, args, { stdio, env: { ...process.env, ...settings } });
  children.add(child);
  child.over = new Promise((_, reject) => {
    child.once("error", reject);
    child.once("exit", code => { children.delete(child); reject(new Error(`${program} ended with ${code}`)); });
  });
  // Code that awaits `over` gets the error. This handler is for an expected end, which nobody awaits.
  child.over.catch(() => {});
  return child;
}

// Waits for `promise`, or fails when the program ends.
const within = (child, promise) => Promise.race([promise, child.over]);

async function stop(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit", { signal: AbortSignal.timeout(DEADLINE) });
  child.kill();
  await ended;
}

async function waitFor(child, what) {
  for (const deadline = Date.now() + START; ; await within(child, pause(50))) {
    const found = await what();
    if (found) return found;
    assert.ok(Date.now() < deadline, `${child.spawnfile} does not start`);
  }
}

// Firefox has a protocol built in: Marionette, which is JSON over TCP, with the length in front.
const MARIONETTE = {
  url: "WebDriver:Navigate", "execute/sync": "WebDriver:ExecuteScript", "window/rect": "WebDriver:SetWindowRect",
  screenshot: "WebDriver:TakeScreenshot",
};

export async function firefox({ dark = false } = {}) {
  const profile = makeHome();
  const settings = { "marionette.port": 0, "layout.css.prefers-color-scheme.content-override": dark ? 0 : 1 };
  const lines = Object.entries(settings).map(([name, value]) => `user_pref("${name}", ${value});\n`);
  writeFileSync(join(profile, "user.js"), lines.join(""));
  const args = ["--headless", "--marionette", "--no-remote", "--profile", profile];
  const child = start(process.env.FIREFOX, args, "ignore", { HOME: profile, XAUTHORITY: "" });
  const port = await waitFor(child, () => {
    const file = join(profile, "MarionetteActivePort");
    return existsSync(file) && Number(readFileSync(file, "utf8"));
  });
  const socket = connect(port, "127.0.0.1");
  const answers = new Map();
  let unread = Buffer.alloc(0);
  socket.on("data", bytes => {
    unread = Buffer.concat([unread, bytes]);
    for (let colon; (colon = unread.indexOf(":")) > 0;) {
      const end = colon + 1 + Number(unread.subarray(0, colon));
      if (unread.length < end) return;
      const message = JSON.parse(unread.subarray(colon + 1, end));
      // The first message is the browser's greeting, which answers nothing.
      if (Array.isArray(message)) answers.get(message[1])?.(message[2], message[3]);
      unread = unread.subarray(end);
    }
  });
  await once(socket, "connect");
  let last = 0;
  const ask = (name, parameters = {}) => within(child, new Promise((resolve, reject) => {
    const text = JSON.stringify([0, ++last, name, parameters]);
    answers.set(last, (error, value) => (error ? reject(new Error(`${name}: ${error.message}`)) : resolve(value)));
    socket.write(`${Buffer.byteLength(text)}:${text}`);
  }));
  await ask("WebDriver:NewSession");
  return new Session(async (path, parameters) => (await ask(MARIONETTE[path], parameters))?.value, async () => {
    socket.destroy();
    await stop(child);
    removeHome(profile);
  });
}

// WebKitGTK needs a program in between, WebKitWebDriver, which starts the browser and speaks HTTP. It needs a display.
export async function webkit({ dark = false } = {}) {
  const screen = ["-displayfd", "3", "-nolisten", "tcp", "-screen", "0", "1600x4000x24"];
  const xvfb = start("Xvfb", screen, ["ignore", "ignore", "ignore", "pipe"]);
  const [number] = await within(xvfb, once(xvfb.stdio[3], "data"));
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address();
  await new Promise(done => probe.close(done));
  const home = makeHome();
  const settings = { HOME: home, DISPLAY: `:${String(number).trim()}`, GTK_THEME: dark ? "Adwaita:dark" : "Adwaita" };
  const child = start("WebKitWebDriver", [`--port=${port}`, "--host=127.0.0.1"], "ignore", settings);
  const ask = async (method, path, body) => {
    const signal = AbortSignal.timeout(START);
    const request = { method, body: body && JSON.stringify(body), signal };
    const response = await within(child, fetch(`http://127.0.0.1:${port}${path}`, request));
    const { value } = await response.json();
    if (!response.ok) throw new Error(`${path}: ${value.message || value.error}`);
    return value;
  };
  await waitFor(child, () => ask("GET", "/status").catch(() => null));
  const options = { "webkitgtk:browserOptions": { binary: process.env.WEBKIT, args: ["--automation"] } };
  const { sessionId } = await ask("POST", "/session", { capabilities: { alwaysMatch: options } });
  const command = (path, parameters) => ask(parameters ? "POST" : "GET", `/session/${sessionId}/${path}`, parameters);
  return new Session(command, async () => {
    await ask("DELETE", `/session/${sessionId}`);
    await stop(child);
    await stop(xvfb);
    removeHome(home);
  });
}
