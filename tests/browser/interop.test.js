// Clients by other authors, in one room at the same time, some with compression (RFC 7692) and some without. Each must
// read all messages of each, in order. tests/conformance/interop starts this test with what it needs.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { after, before, test } from "node:test";
import { createInterface } from "node:readline";
import WebSocket from "ws";
import { firefox } from "./engines.js";
import { DEADLINE, Server, children, killServers, launch, open } from "./support.js";

const MESSAGES = 12;

// Short and long messages, some of which do not compress to almost nothing.
const text = (name, number) => {
  let rows = "";
  for (let row = 0; row < [0, 8, 400, 2500][number % 4]; row++) rows += ` {"row":${row * 7919 % 1000},"of":${number}}`;
  return `${name} ${number}${rows}`;
};
const texts = name => Array.from({ length: MESSAGES }, (_, number) => text(name, number));

// Each client is a member once it is created. `extensions` is what was agreed on, as far as the client knows; `talk`
// sends the client's messages, and returns all `count` messages that it must receive.

async function ws(url, name, perMessageDeflate) {
  const socket = new WebSocket(url, { perMessageDeflate });
  const heard = [];
  socket.on("message", data => heard.push(data.toString()));
  await once(socket, "open");
  return {
    name, extensions: socket.extensions,
    async talk(messages, count) {
      messages.forEach(message => socket.send(message));
      while (heard.length < count) await once(socket, "message");
      socket.close();
      return heard;
    },
  };
}

async function python(url, name, library, compression) {
  const child = spawn(process.env.PYTHON, ["../conformance/interop.py", library, compression, url], { stdio: ["pipe", "pipe", "inherit"] });
  children.add(child);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => JSON.parse((await lines.next()).value ?? "null");
  return {
    name, extensions: await next(),
    async talk(messages, count) {
      child.stdin.write(`${JSON.stringify([messages, count])}\n`);
      return next();
    },
  };
}

// It offers no extension and prints nothing about its connection, so it counts as a member when its first message
// returns.
async function websocat(url, name) {
  const child = spawn(process.env.WEBSOCAT, ["--text", "--buffer-size", "1000000", url], { stdio: ["pipe", "pipe", "inherit"] });
  children.add(child);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  child.stdin.write("hello\n");
  assert.equal((await lines.next()).value, "hello");
  return {
    name, extensions: "",
    async talk(messages, count) {
      messages.forEach(message => child.stdin.write(`${message}\n`));
      const heard = [];
      while (heard.length < count) heard.push((await lines.next()).value);
      child.kill();
      return heard;
    },
  };
}

const joinInPage = url => {
  window.heard = [];
  window.member = new WebSocket(url);
  member.onmessage = event => heard.push(event.data);
};
const sendInPage = messages => messages.forEach(message => member.send(message));

const browsers = {};

async function inFirefox(url, name) {
  const { host } = new URL(url);
  await browsers.firefox.goto(`http://${host}/`);
  await browsers.firefox.run(joinInPage, url);
  await browsers.firefox.until(() => member.readyState === 1);
  return {
    name, extensions: await browsers.firefox.run(() => member.extensions),
    async talk(messages, count) {
      await browsers.firefox.run(sendInPage, messages);
      await browsers.firefox.until(count => heard.length >= count, count);
      return browsers.firefox.run(() => heard);
    },
  };
}

async function inChromium(url, name) {
  const page = await open(browsers.chromium, { address: new URL(url).host });
  await page.evaluate(joinInPage, url);
  await page.waitForFunction(() => member.readyState === 1);
  return {
    name, extensions: await page.evaluate(() => member.extensions),
    async talk(messages, count) {
      await page.evaluate(sendInPage, messages);
      await page.waitForFunction(count => heard.length >= count, count);
      return page.evaluate(() => heard);
    },
  };
}

before(async () => {
  browsers.chromium = await launch();
  browsers.firefox = await firefox();
}, { timeout: 12 * DEADLINE });
after(async () => {
  await browsers.chromium?.close();
  await browsers.firefox?.end();
  killServers();
}, { timeout: 6 * DEADLINE });

for (const flags of [["--compress"], ["--compress=context"], []]) {
  test(`all read the same with ${flags[0] ?? "no flag"}`, { timeout: 9 * DEADLINE }, async () => {
    const server = await Server.start(...flags);
    const url = `ws://${server.address}/chat`;
    const compressed = [
      await ws(url, "ws", true),
      await ws(url, "ws-window-9", { serverMaxWindowBits: 9, threshold: 0 }),
      await ws(url, "ws-no-context", { serverNoContextTakeover: true, clientNoContextTakeover: true, threshold: 0 }),
      await python(url, "websockets", "websockets", "compressed"),
      await python(url, "aiohttp", "aiohttp", "compressed"),
      await inFirefox(url, "firefox"),
      await inChromium(url, "chromium"),
    ];
    const plain = [
      await ws(url, "ws-plain", false),
      await python(url, "websockets-plain", "websockets", "plain"),
      await python(url, "aiohttp-plain", "aiohttp", "plain"),
      // It joins last, so that each of the others hears its first message.
      await websocat(url, "websocat"),
    ];
    const agreed = flags.length ? /^permessage-deflate/ : /^$/;
    for (const { name, extensions } of compressed) {
      console.log(`${name}: ${extensions || "no extension"}`);
      assert.match(extensions, agreed, name);
    }
    for (const { name, extensions } of plain) assert.equal(extensions, "", name);

    const members = [...compressed, ...plain];
    const count = members.length * MESSAGES;
    const heard = await Promise.all(members.map(({ name, talk }) => talk(texts(name), count + (name === "websocat" ? 0 : 1))));
    members.forEach((reader, at) => {
      for (const { name } of members) {
        // websocat sends line breaks too.
        const its = heard[at].filter(message => message.startsWith(`${name} `)).map(message => message.trimEnd());
        assert.ok(its.length === MESSAGES, `${reader.name} has ${its.length} of ${name}`);
        its.forEach((message, number) => assert.ok(message === text(name, number), `${reader.name}: ${name} ${number}`));
      }
    });
    await server.end();
  });
}
