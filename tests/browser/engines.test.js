// The page in Firefox and WebKit: behaviour that differs between browsers, and one connection from its first byte to
// its last. The rest is tested with Chromium (page.test.js).

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { after, before, beforeEach, describe, test } from "node:test";
import { firefox, webkit } from "./engines.js";
import { DEADLINE, Server, killServers } from "./support.js";

const SCREENSHOTS = new URL("screenshots/", import.meta.url).pathname;
const it = (name, body) => test(name, { timeout: 6 * DEADLINE }, body);

let server;
before(async () => {
  mkdirSync(SCREENSHOTS, { recursive: true });
  server = await Server.start();
}, { timeout: 6 * DEADLINE });
after(async () => {
  await server?.end();
  killServers();
}, { timeout: 6 * DEADLINE });

for (const [name, launch] of Object.entries({ firefox, webkit })) {
  describe(name, () => {
    let browser;
    before(async () => { browser = await launch(); }, { timeout: 6 * DEADLINE });
    after(() => browser?.end(), { timeout: 6 * DEADLINE });
    beforeEach(async () => {
      await browser.resize(1280, 1600);
      await browser.goto(`http://${server.address}/`);
      await browser.run(() => {
        window.faults = [];
        addEventListener("error", event => faults.push(event.message));
        addEventListener("securitypolicyviolation", event => faults.push(event.violatedDirective));
      });
    });

    const see = (id, words) => browser.until((id, words) => document.getElementById(id).textContent.includes(words), id, words);
    const click = selector => browser.run(selector => document.querySelector(selector).click(), selector);
    const closeAsTyped = (code, reason) => browser.run((code, reason) => {
      document.getElementById("code").value = code;
      document.getElementById("reason").value = reason;
      document.querySelector("#close button").click();
    }, code, reason);
    const sendHello = async () => {
      await click("#connect");
      await see("detail", "How the accept value came about");
      await click("#send-text button");
      await see("detail", "A text frame from your browser, 5 bytes of payload.");
    };
    const assertNoFaults = async () => assert.deepEqual(await browser.run(() => faults), []);

    it("a connection to /inspect, from the handshake to a Close without a code", async () => {
      await sendHello();
      await see("answer", 'Sent text "Hello", 5 bytes. The server got text "Hello", 5 bytes: 81 85');
      const digits = await browser.run(() =>
        [...document.querySelectorAll(".field .digits")].map(cell => cell.textContent).join(""));
      assert.match(digits, /^1000000110000101[01]{72}$/);
      await closeAsTyped("1005", "");
      await see("notice", "A page can close only with 1000 and with 3000 to 4999");
      await closeAsTyped("4000", "x".repeat(124));
      await see("notice", "This one has 124.");
      await see("state", "Connected to /inspect");
      await closeAsTyped("", "");
      await see("notice", "closed with no code; this page began it.");
      await assertNoFaults();
    });

    it("pushes are drawn as such: the clock, and who is in a room of the chat", async () => {
      await click("[value='/clock']");
      await click("#connect");
      await browser.until(() => document.querySelectorAll(".row.push").length >= 2);
      await see("sequence", "server to browser, unasked: push text");
      assert.match(await browser.run(() => document.getElementById("time").textContent), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
      await click("#connect");
      await see("state", "Not connected");
      await click("[value='/chat']");
      await browser.run(room => {
        document.getElementById("name").value = "Ann";
        document.getElementById("room").value = room;
      }, `engine ${name}`);
      await click("#connect");
      await see("members", "Ann (you)");
      await see("sequence", `push you are "Ann"; 0 others in /chat/engine%20${name}`);
      await click("#send-text button");
      await see("came", 'Received text "Hello", 5 bytes, from Ann (you).');
      await assertNoFaults();
    });

    it("a message that is too large: the frame that broke the rule is shown, with the length that is too much", async () => {
      await sendHello();
      await click("#too-large");
      await see("notice", "closed with 1009 (message too big)");
      const alert = await browser.run(() => document.querySelector("#detail [role=alert]")?.textContent);
      assert.match(alert ?? "", /16,777,216 bytes, and (this one|with this fragment the message) would have 16,777,217\./);
      await assertNoFaults();
    });

    it("each letter of a flag has a line to itself", async () => {
      for (const width of [1280, 390]) {
        await browser.resize(width, 1600);
        await browser.goto(`http://${server.address}/`);
        await sendHello();
        const flags = await browser.run(() => [...document.querySelectorAll(".field.flag")].map(cell => {
          const name = cell.querySelector(".name");
          const { firstChild: text, textContent: word } = name;
          const boxes = Array.from(word, (_, at) => {
            const range = document.createRange();
            range.setStart(text, at);
            range.setEnd(text, at + 1);
            // If the range starts a line, WebKit adds an empty box at the end of the previous line.
            const { left, right, top, bottom } = [...range.getClientRects()].at(-1);
            return { left, right, top, bottom };
          });
          const { left, right, top, bottom } = cell.getBoundingClientRect();
          return { word, boxes, cell: { left, right, top, bottom }, size: parseFloat(getComputedStyle(name).fontSize) };
        }));
        assert.deepEqual(flags.map(flag => flag.word), ["FIN", "RSV1", "RSV2", "RSV3", "MASK"]);
        for (const { word, boxes, cell, size } of flags) {
          boxes.forEach((box, at) => {
            const says = `${word[at]} of ${word}, ${width} pixels: ${JSON.stringify({ box, cell })}`;
            assert.ok(box.left >= cell.left && box.right <= cell.right && box.bottom <= cell.bottom, says);
            if (at) assert.ok(box.top - boxes[at - 1].top >= size && Math.abs(box.left - boxes[at - 1].left) < 1, says);
          });
        }
      }
    });

    it("in a narrow window nothing is wider than the page", async () => {
      await browser.resize(390, 1600);
      const fits = async () => {
        const [page, width] = await browser.run(() => [document.documentElement.scrollWidth, innerWidth]);
        assert.ok(width <= 520 && page <= width, `${page} of ${width}`);
      };
      await fits();
      await sendHello();
      await fits();
      await closeAsTyped("4000", "bye");
      await see("notice", "closed with 4000");
      await fits();
      await assertNoFaults();
    });

    it("screenshots to look at", async () => {
      const shoot = async (session, kind, width) => {
        await session.resize(width, 1800);
        await session.goto(`http://${server.address}/`);
        await session.screenshot(`${SCREENSHOTS}${name}-${kind}-start.png`);
        await session.run(() => connect());
        await session.until(() => document.getElementById("detail").textContent.includes("How the accept value"));
        await session.run(() => send("Hello"));
        await session.until(() => document.getElementById("detail").textContent.includes("A text frame"));
        await session.screenshot(`${SCREENSHOTS}${name}-${kind}-frame.png`);
      };
      await shoot(browser, "wide", 1280);
      await shoot(browser, "phone", 390);
      const dark = await launch({ dark: true });
      try {
        await shoot(dark, "dark", 1280);
        assert.ok(await dark.run(() => matchMedia("(prefers-color-scheme: dark)").matches));
      } finally {
        await dark.end();
      }
    });
  });
}
