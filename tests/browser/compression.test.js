// Compressed messages (RFC 7692) in all three browsers: what each offers, what the server agrees to, and how a message
// looks before and after. The program must be built with --features deflate.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { after, before, beforeEach, describe, test } from "node:test";
import { firefox, webkit } from "./engines.js";
import { DEADLINE, Server, killServers, launch } from "./support.js";

const SCREENSHOTS = new URL("screenshots/", import.meta.url).pathname;
const it = (name, body) => test(name, { timeout: 6 * DEADLINE }, body);

// Chromium, with the methods that the other two have.
async function chromium() {
  const browser = await launch();
  const page = await browser.newPage();
  page.setDefaultTimeout(DEADLINE);
  const call = (body, args) => `(${body})(...${JSON.stringify(args)})`;
  return {
    resize: (width, height) => page.setViewportSize({ width, height }),
    goto: url => page.goto(url),
    run: (body, ...args) => page.evaluate(call(body, args)),
    // The page's policy forbids waitForFunction.
    async until(body, ...args) {
      for (const deadline = Date.now() + DEADLINE; !await page.evaluate(call(body, args));) {
        assert.ok(Date.now() < deadline, `waited in vain for ${body}, with ${args}: ${await page.innerText("body")}`);
      }
    },
    screenshot: path => page.screenshot({ path }),
    end: () => browser.close(),
  };
}

const servers = {};
before(async () => {
  mkdirSync(SCREENSHOTS, { recursive: true });
  servers.off = await Server.start();
  servers.alone = await Server.start("--compress");
  servers.context = await Server.start("--compress", "context");
}, { timeout: 6 * DEADLINE });
after(async () => {
  for (const server of Object.values(servers)) await server.end();
  killServers();
}, { timeout: 6 * DEADLINE });

for (const [name, start] of Object.entries({ chromium, firefox, webkit })) {
  describe(name, () => {
    let browser;
    before(async () => { browser = await start(); }, { timeout: 6 * DEADLINE });
    after(() => browser?.end(), { timeout: 6 * DEADLINE });

    const see = (id, words) => browser.until((id, words) => document.getElementById(id)?.textContent.includes(words), id, words);
    const text = selector => browser.run(selector => document.querySelector(selector).textContent, selector);
    const connect = async (server, endpoint) => {
      await browser.resize(1280, 1600);
      await browser.goto(`http://${server.address}/`);
      await browser.run(endpoint => {
        window.faults = [];
        addEventListener("error", event => faults.push(event.message));
        addEventListener("securitypolicyviolation", event => faults.push(event.violatedDirective));
        document.querySelector(`[value='${endpoint}']`).click();
        document.getElementById("connect").click();
      }, endpoint);
      await see("state", `Connected to ${endpoint}`);
      if (endpoint === "/inspect") await see("detail", "How the accept value came about");
    };
    const assertNoFaults = async () => assert.deepEqual(await browser.run(() => faults), []);

    it("shows what the browser offered, and that nothing was agreed", async () => {
      await connect(servers.off, "/inspect");
      assert.match(await text("#compression"), /^Your browser offered permessage-deflate.*The server agreed to no extension$/);
      await see("detail", "started with --compress agrees");
      await browser.run(() => send("Hello, ".repeat(100)));
      await see("detail", "700 bytes of payload. It is a whole message.");
      await see("detail", "RSV1 0: no extension is negotiated");
      await assertNoFaults();
    });

    it("shows what was agreed, each parameter explained, and links to its RFC", async () => {
      await connect(servers.alone, "/inspect");
      await see("compression", "The server agreed to permessage-deflate; server_no_context_takeover; client_no_context_takeover");
      // Firefox offers no parameters.
      await see("log", "agreed on permessage-deflate");
      await see("detail", "the server compresses each message by itself §7.1.1.1 of RFC 7692");
      const link = await browser.run(() =>
        [...document.querySelectorAll("#detail a")].find(link => link.textContent === "§7.1.1.1 of RFC 7692").href);
      assert.equal(link, "https://www.rfc-editor.org/rfc/rfc7692#section-7.1.1.1");
      await assertNoFaults();
    });

    it("shows a compressed message and the inflated one, with both sizes", async () => {
      await connect(servers.alone, "/inspect");
      await browser.run(() => send("Hello, ".repeat(100)));
      await see("detail", "It is compressed, and inflates to 700 bytes.");
      await see("detail", "RSV1 1: compressed: the message is DEFLATE §6 of RFC 7692");
      await see("detail", "Its payload: masked ⊕ key = unmasked, which is DEFLATE");
      const [, wire] = (await text("#inflated")).match(/^(\d+) bytes on the wire became 700 bytes: /);
      assert.ok(wire < 40, wire);
      await see("sequence", `700 bytes in ${wire}`);
      await see("log", `length ${wire}, inflates to 700, key`);
      await see("detail", "These are the first 128 of 700 bytes.");
      const [bits] = await browser.run(() => [[...document.querySelectorAll(".field .digits")].map(cell => cell.textContent).join("")]);
      assert.match(bits, /^11000001/, "FIN, RSV1, text");
      await browser.screenshot(`${SCREENSHOTS}${name}-compressed.png`);
      await browser.resize(390, 1600);
      await browser.until(() => document.documentElement.scrollWidth <= innerWidth);
      await assertNoFaults();
    });

    it("messages that refer to earlier ones arrive, both ways", async () => {
      await connect(servers.context, "/inspect");
      await see("compression", "The server agreed to permessage-deflate");
      for (const size of [700, 707]) {
        await browser.run(size => send("Hello, ".repeat(200).slice(0, size)), size);
        await see("detail", `inflates to ${size} bytes.`);
      }
      await assertNoFaults();
    });

    it("other endpoints say what was agreed, and messages come back whole", async () => {
      await connect(servers.alone, "/echo");
      await see("detail", "the handshake agreed on permessage-deflate");
      await browser.run(() => send("Grüße ".repeat(1000)));
      await see("log", "received text");
      await see("came", "8,000 bytes");
      await connect(servers.off, "/echo");
      await see("detail", "the handshake agreed on no extension");
      await assertNoFaults();
    });
  });
}
