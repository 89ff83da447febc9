// The page in a real browser. Every test has a page of its own, which must have caused no errors when the test ends.

import axe from "axe-core";
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { DEADLINE, Server, connect, killServers, launch, logged, open, payloadRow, press, prefixProxy, scriptedServer, see } from "./support.js";

const SCREENSHOTS = new URL("screenshots/", import.meta.url).pathname;
const PHONE = { viewport: { width: 360, height: 780 }, deviceScaleFactor: 2, hasTouch: true };
const HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>\u001b[31m\u0000\u0007\u009b\u202e\u2028\"\\ \ud83d";

let browser, server, page;
before(async () => {
  mkdirSync(SCREENSHOTS, { recursive: true });
  // The silence before a Ping is short, so that a test need not wait long for one.
  [browser, server] = await Promise.all([launch(), Server.start("--ping-interval", "0.5")]);
}, { timeout: 60_000 });
after(async () => {
  await browser?.close();
  await server?.end();
  // node would wait for the servers that a failed test has left.
  killServers();
}, { timeout: 60_000 });

beforeEach(async () => { page = await open(browser, server); });
afterEach(async () => {
  const { faults, hosts } = page;
  await page.context().close();
  assert.deepEqual(faults, []);
  assert.deepEqual([...hosts], [new URL(`http://${server.address}`).host], "it talks to its own server only");
});

// Opens the page again, in a window with other options than the wide one.
async function reopen(options) {
  await page.context().close();
  page = await open(browser, server, options);
}

const it = (name, body) => test(name, { timeout: 6 * DEADLINE }, body);
const bitsOf = hex => hex.replaceAll(" ", "").replace(/../g, byte => parseInt(byte, 16).toString(2).padStart(8, "0"));
const allText = selector => page.locator(selector).allTextContents();

describe("messages", () => {
  it("text and bytes come back from /echo", async () => {
    await connect(page, "/echo");
    await page.getByLabel("Text").fill("Grüße, 世界 👋");
    await press(page, "Send text");
    await logged(page, 'received text "Grüße, 世界 👋", 20 bytes');
    await page.getByLabel("Binary, as hex digits").fill("00 ff 1B");
    await press(page, "Send bytes");
    await logged(page, "received binary 00 ff 1b, 3 bytes");
    await page.getByLabel("Binary, from a file").setInputFiles({ name: "file", mimeType: "image/png", buffer: Buffer.from([1, 2]) });
    await press(page, "Send file");
    await logged(page, "received binary 01 02, 2 bytes");
  });

  it("hex digits that make no bytes are reported, and nothing is sent", async () => {
    await connect(page, "/echo");
    for (const [digits, words] of [["0", "A digit is missing"], ["zz", "Only the hex digits"]]) {
      await page.getByLabel("Binary, as hex digits").fill(digits);
      await press(page, "Send bytes");
      await see(page, "#notice", words);
    }
    assert.ok(!(await page.locator("#log").textContent()).includes("sent"));
  });

  it("below a path prefix of a proxy the endpoints are found beside the page", async () => {
    const proxy = await prefixProxy(server.address, "/some/prefix");
    for (const path of ["/some/prefix/", "/some/prefix", "/some/prefix/?query#fragment"]) {
      const its = await open(browser, { address: proxy.host + path });
      for (const endpoint of ["/echo", "/inspect"]) {
        await connect(its, endpoint);
        await logged(its, `connecting to ws://${proxy.host}/some/prefix${endpoint}`);
        await its.locator("#text").fill("through the proxy");
        await press(its, "Send text");
        await see(its, "#came", 'text "through the proxy"');
        await press(its, "Disconnect");
        await see(its, "#state", "Not connected");
      }
      assert.deepEqual([its.faults, [...its.hosts]], [[], [proxy.host]]);
      await its.context().close();
    }
    proxy.end();
  });
});

// Joins the chat under a name, in a room of its own.
async function join(its, name, room = "") {
  await its.getByRole("radio", { name: "/chat" }).check();
  await its.getByLabel("Your name").fill(name);
  await its.getByLabel("Room").fill(room);
  await press(its, "Connect");
  await see(its, "#state", `Connected to /chat${room && "/" + encodeURIComponent(room)}`);
}
const membersOf = its => its.locator("#members li").allTextContents();
const say = async (its, words) => {
  await its.getByLabel("Text").fill(words);
  await press(its, "Send text");
};

describe("the chat", () => {
  let other;
  beforeEach(async () => { other = await open(browser, server); });
  afterEach(async () => {
    assert.deepEqual(other.faults, []);
    await other.context().close();
  });

  it("two pages in one room see one another's names and messages, and who has left", async () => {
    await join(page, "Ann", "über uns");
    await see(page, "#sequence", "push you are \"Ann\"; 0 others in /chat/%C3%BCber%20uns");
    assert.deepEqual(await membersOf(page), ["Ann (you)"]);
    await join(other, "Bob", "über uns");
    await see(page, "#sequence", "push Bob joined; 2 members now");
    await logged(page, "Bob joined");
    await see(other, "#sequence", "push you are \"Bob\"; 1 other in");
    assert.deepEqual([await membersOf(page), await membersOf(other)], [["Ann (you)", "Bob"], ["Bob (you)", "Ann"]]);
    await say(other, "anybody there?");
    await logged(page, 'received text "anybody there?", 14 bytes, from Bob');
    await see(page, ".row.push", 'push Bob: text "anybody there?"');
    await see(other, "#came", 'Received text "anybody there?", 14 bytes, from Bob (you).');
    await other.getByLabel("Binary, as hex digits").fill("00 ff");
    await press(other, "Send bytes");
    await logged(page, "received binary, 2 bytes, from Bob");
    await press(other, "Disconnect");
    await see(page, "#sequence", "push Bob left; 1 member now");
    await logged(page, "Bob left");
    assert.deepEqual(await membersOf(page), ["Ann (you)"]);
    assert.ok(await other.locator("#present").isHidden());
  });

  it("a page that is closed without a Close has left too", async () => {
    await join(page, "Ann", "leaving");
    const third = await open(browser, server);
    await join(third, "Carl", "leaving");
    await see(page, "#members", "Carl");
    await third.context().close();
    await see(page, "#sequence", "push Carl left; 1 member now");
  });

  it("nothing is heard of another room, and each name is listed once", async () => {
    await join(page, "Ann", "one");
    await join(other, "Ann", "two");
    await say(other, "not for you");
    await logged(other, "from Ann (you)");
    await press(other, "Disconnect");
    await see(other, "#state", "Not connected");
    await join(other, "Ann", "one");
    await see(page, "#members", "Ann-2");
    assert.deepEqual(await membersOf(other), ["Ann-2 (you)", "Ann"]);
    assert.ok(!(await page.locator("#log").textContent()).includes("not for you"));
  });

  it("your own message that comes back is no push; without a name you are a guest", async () => {
    await join(page, "", "alone");
    await see(page, "#sequence", 'push you are "guest-1"; 0 others in /chat/alone');
    await say(page, "Hello");
    const row = page.locator(".row", { hasText: 'server to browser: guest-1 (you): text "Hello"' });
    await row.waitFor();
    assert.doesNotMatch(await row.getAttribute("class"), /push/);
    await see(page, "#detail", "Your message comes back");
  });

  it("a name or a room that cannot be is reported", async () => {
    await page.getByRole("radio", { name: "/chat" }).check();
    await page.getByLabel("Room").fill("..");
    await press(page, "Connect");
    await see(page, "#notice", "A room cannot be called . or ..");
    await page.getByLabel("Room").fill("");
    await page.evaluate(() => { document.getElementById("name").value = "\u0007"; });
    await press(page, "Connect");
    await see(page, "#notice", "400 for a name that the chat does not take");
    // This line is the browser's own, and no page can suppress it.
    page.faults = page.faults.filter(fault => !fault.includes("Unexpected response code: 400"));
  });

  it("name and room are asked for at /chat only", async () => {
    for (const endpoint of ["/inspect", "/chat", "/echo", "/chat", "/clock"]) {
      await page.getByRole("radio", { name: endpoint }).check();
      assert.equal(await page.getByLabel("Your name").isVisible(), endpoint === "/chat");
      assert.equal(await page.getByLabel("Room").isVisible(), endpoint === "/chat");
    }
  });
});

describe("the clock", () => {
  it("ticks each second, each time as a push, until it is switched off", async () => {
    await connect(page, "/clock");
    const pushes = page.locator(".row.push", { hasText: /server to browser, unasked: push text "\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", 20 bytes/ });
    await pushes.nth(1).waitFor();
    const [first, second] = (await pushes.allTextContents()).map(words => Date.parse(words.match(/"(.*)"/)[1]));
    assert.ok(second > first && second - first <= 10_000, `${first}, ${second}`);
    const shown = Date.parse(await page.locator("#time").textContent());
    assert.ok(shown >= second && Math.abs(shown - Date.now()) < 20_000, `${shown}`);
    await see(page, "#detail", "A push: nobody asked for this frame.");
    // The diagram of the frame: FIN and opcode 1, not masked, 20 bytes.
    assert.match((await allText(".field .digits")).join(""), new RegExp("^" + bitsOf("8114")));
    const log = await page.locator("#log").textContent();
    assert.equal(log.match(/pushed by the server/g).length, 1, "the log is read aloud: it does not tick");
    await press(page, "Disconnect");
    await see(page, "#state", "Not connected");
    assert.ok(await page.locator("#clock").isHidden());
    const count = await pushes.count();
    await connect(page, "/echo");
    assert.equal(await pushes.count(), count);
  });
});

describe("what /inspect tells", () => {
  beforeEach(() => connect(page, "/inspect"));

  it("the handshake, and how the accept value came about", async () => {
    await see(page, "#detail", "GET /inspect HTTP/1.1");
    await see(page, "#detail", "HTTP/1.1 101 Switching Protocols");
    const [key, guid, , accept] = await allText(".steps code");
    const joined = new TextEncoder().encode(key + guid);
    const expected = Buffer.from(await crypto.subtle.digest("SHA-1", joined)).toString("base64");
    assert.equal(accept, expected);
    const lines = await allText(".lines code");
    assert.ok(lines.includes(`Sec-WebSocket-Key: ${key}`) && lines.includes(`Sec-WebSocket-Accept: ${accept}`), lines);
  });

  it('the frame of "Hello", bit by bit', async () => {
    await press(page, "Send text");
    await see(page, "#detail", "A text frame from your browser, 5 bytes of payload. It is a whole message.");
    const [masked, key] = [await payloadRow(page, "masked"), await payloadRow(page, "⊕ key")];
    assert.deepEqual(await payloadRow(page, "= unmasked"), ["48", "65", "6c", "6c", "6f"]);
    assert.deepEqual(await payloadRow(page, "character"), [..."Hello"]);
    masked.forEach((byte, index) => assert.equal(parseInt(byte, 16) ^ parseInt(key[index], 16), "Hello".charCodeAt(index)));
    assert.equal(key[4], key[0], "the key repeats after four bytes");
    // The diagram shows the frame: 81 85, the key, the masked payload.
    assert.equal((await allText(".field .digits")).join(""), bitsOf("8185" + key.slice(0, 4).join("") + masked.join("")));
    assert.deepEqual((await allText(".field .name")).slice(0, 8),
      ["FIN", "RSV1", "RSV2", "RSV3", "opcode", "MASK", "payload length", "masking key"]);
  });

  it("lengths over 125 have their own field", async () => {
    await page.getByLabel("Text").fill("x".repeat(300));
    await press(page, "Send text");
    await see(page, ".field", "extended payload length");
    assert.match((await allText(".field .digits")).join(""), new RegExp("^" + bitsOf("81fe012c")));
    await see(page, "#detail", "These are the first 128 of 300 bytes.");
  });

  it("a Ping, with the time until its Pong", async () => {
    await press(page, "Say nothing until the Ping arrives");
    await see(page, "#notice", /A Ping came, and the browser answered it: round trip \d+\.\d\d ms/);
    await see(page, "#detail", "A pong frame from your browser");
    const labels = await allText(".row .label");
    const at = labels.findIndex(label => /Pong, after \d+\.\d\d ms/.test(label));
    assert.equal(labels[at - 1], "server to browser: Ping");
  });

  it("a Pong does not replace the frame that the user looks at", async () => {
    await press(page, "Send text");
    await see(page, "#detail", "A text frame");
    await see(page, ".row", "Pong, after");
    assert.match(await page.locator("#detail").textContent(), /^A text frame/);
  });

  it("a header that is not shown says why", async () => {
    const line = page.locator(".lines li", { hasText: "Sec-WebSocket-Protocol: (not shown)" });
    assert.match(await line.textContent(), /its value could prove who you are, and pages of other sites may read this/);
    const key = page.locator(".lines li", { hasText: "Sec-WebSocket-Key" });
    assert.doesNotMatch(await key.textContent(), /prove who you are/);
    const lines = ["GET /inspect?(not shown) HTTP/1.1", "Cookie: (not shown)", "X-Api-Key", "GET /inspect HTTP/1.1", "Accept:", "HTTP/1.1 101 Switching Protocols"];
    assert.deepEqual(await page.evaluate(lines => lines.map(line => isKept(line)), lines), [true, true, true, false, false, false]);
  });

  it("a text's row has its length", async () => {
    await page.getByLabel("Text").fill("Grüße");
    await press(page, "Send text");
    await see(page, "#sequence", 'text "Grüße", 7 bytes');
  });

  it("1 MiB of text, in as many frames as the browser makes of it", async () => {
    await press(page, "Send 1 MiB of text");
    await page.waitForFunction(() => {
      const frames = document.getElementById("log").textContent.matchAll(/the server got (?:text|continuation).*?; length (\d+), key/g);
      return [...frames].reduce((sum, frame) => sum + Number(frame[1]), 0) === 1024 * 1024;
    });
    await see(page, "#detail", /It is a whole message|With it a message of \d+ fragments is complete: 1,048,576 bytes/);
  });
});

describe("the end of a connection", () => {
  it("a Close with code 4000, and who began it", async () => {
    await connect(page, "/inspect");
    await press(page, "Close");
    await see(page, "#notice", "closed with 4000 (the application's own); this page began it");
    const labels = (await allText(".row .label")).slice(-3);
    assert.deepEqual(labels, ['browser to server: Close 4000 "bye"', "server to browser: Close 4000", "closed; the browser began"]);
    // The diagram of the server's Close: FIN, opcode 8, not masked, 2 bytes; 4000 is 0fa0.
    assert.equal((await allText(".field .digits")).join(""), bitsOf("88020fa0"));
    // The browser's Close, as far as a page can know it.
    await page.locator(".row").nth(-3).click();
    assert.equal((await allText(".field .digits")).join(""), bitsOf("8885") + "?".repeat(32));
    assert.deepEqual(await payloadRow(page, "payload"), ["0f", "a0", "62", "79", "65"]);
  });

  it("a Close without a code", async () => {
    await connect(page, "/inspect");
    await page.getByLabel("Close code").fill("");
    await page.getByLabel("Close reason").fill("");
    await press(page, "Close");
    await see(page, "#notice", "closed with no code; this page began it. Both sides agreed to end");
    assert.equal((await allText(".row .label")).at(-3), "browser to server: Close");
    // Both are empty: 88 and the length 0, to the server with MASK and a key that the page does not know.
    assert.equal((await allText(".field .digits")).join(""), bitsOf("8800"));
    await page.locator(".row").nth(-3).click();
    assert.equal((await allText(".field .digits")).join(""), bitsOf("8880") + "?".repeat(32));
  });

  it("a number that is no Close code is not sent, and the page says why", async () => {
    await connect(page, "/inspect");
    for (const [code, reason, words] of [
      ["abc", "", 'A Close code is a number, and "abc" is none'],
      ["1e3", "", "A Close code is a number"],
      ["4000.5", "", "A Close code is a number"],
      ["-1", "", "A Close code is a number"],
      ["69536", "", "it is at most 65535"],
      ["", "bye", "A reason needs a code"],
      ["0", "", "A page can close only with 1000 and with 3000 to 4999"],
      ["1001", "", "A page can close only with 1000 and with 3000 to 4999"],
      ["5000", "", "A page can close only with 1000 and with 3000 to 4999"],
      ["4000", "ü".repeat(62), "A reason has 123 bytes at most, as a control frame has 125 (§5.5) and the code takes two. This one has 124."],
    ]) {
      await page.getByLabel("Close code").fill(code);
      await page.getByLabel("Close reason").fill(reason);
      await press(page, "Close");
      await see(page, "#notice", words);
      await see(page, "#state", "Connected to /inspect");
    }
    assert.ok(!(await page.locator("#log").textContent()).includes("closing"));
    await page.getByLabel("Close code").fill(" 4000 ");
    await page.getByLabel("Close reason").fill("x".repeat(123));
    await press(page, "Close");
    await see(page, "#notice", "closed with 4000");
  });

  it("each Close code means something to a beginner, and no two the same", async () => {
    const codes = [1000, 1001, 1002, 1003, 1005, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 4000, 2999];
    const meanings = await page.evaluate(codes => codes.map(code => closeMeaning(code)), codes);
    assert.equal(new Set(meanings).size, codes.length);
    assert.ok(meanings.every(meaning => meaning.length > 20 && meaning.endsWith(".")), meanings);
  });

  it("the browser refuses a reserved code by itself", async () => {
    await connect(page, "/inspect");
    await press(page, "Close with 1005, which is reserved");
    await see(page, "#notice", "The browser refused, and sent nothing: InvalidAccessError");
    await see(page, "#state", "Connected");
  });

  it("a message over the limit: Close 1009 from the server", async () => {
    await connect(page, "/inspect");
    await press(page, "Send 16 MiB and a byte: too large");
    await see(page, "#notice", "closed with 1009 (message too big)");
    await see(page, "#notice", "the server began it. A message was longer than this server takes.");
    // No frame was chosen, so the frame that broke the rule is shown by itself, and not the Close after it.
    await see(page, ".row.wrong[aria-current=true]", "breaks a rule");
    await see(page, "#detail [role=alert]", "this server takes messages of up to 16,777,216 bytes");
    await see(page, "#detail [role=alert]", /(with this fragment the message|this one) would have 16,777,217\. /);
    await see(page, "#detail [role=alert]", "1009");
    const opacities = await page.locator("#notice").evaluate(element => {
      const all = [];
      for (let at = element; at; at = at.parentElement) all.push(getComputedStyle(at).opacity);
      return all;
    });
    assert.ok(opacities.every(opacity => opacity === "1"), `among disabled fields, and yet not pale: ${opacities}`);
    assert.ok(await page.locator("#newer").isHidden(), "the Close that follows is nothing newer");
    assert.ok(await page.locator(".field.broken").count() > 0, "the field is marked");
  });

  it("Disconnect is Close 1000, and Connect works again", async () => {
    await connect(page, "/echo");
    await press(page, "Disconnect");
    await see(page, "#notice", "closed with 1000 (normal closure)");
    await connect(page, "/inspect");
  });

  it("a server that shuts down says so with 1001", async () => {
    const mortal = await Server.start();
    const its = await open(browser, mortal);
    await connect(its, "/echo");
    await mortal.end();
    await see(its, "#notice", /closed with 1001 \(going away\).*; the server began it\. The server is going away: it shuts down/);
    assert.deepEqual(its.faults, []);
    await its.context().close();
  });

  it("the chat comes back by itself after a restart, and Disconnect ends that", async () => {
    const mortal = await Server.start();
    const its = await open(browser, mortal);
    await join(its, "Ann");
    await see(its, "#members", "Ann (you)");
    await mortal.end();
    await see(its, "#state", /Connection lost: coming back in \d\.\d s/);
    await see(its, "#log", "connection lost (1001, going away); this page comes back by itself");
    const restarted = await Server.start("--listen", mortal.address);
    await see(its, "#state", "Connected to /chat");
    await see(its, "#sequence", /connection lost \(1001\), and back after/);
    await say(its, "here again");
    await see(its, "#sequence", 'Ann (you): text "here again"');
    await restarted.end("SIGKILL");
    await see(its, "#state", /Connection lost/);
    await press(its, "Disconnect");
    await see(its, "#state", "Not connected");
    assert.equal(await its.getByRole("button", { name: "Connect", exact: true }).isVisible(), true);
    assert.deepEqual(its.faults.filter(fault => !fault.includes("ERR_CONNECTION_REFUSED")), []);
    await its.context().close();
  });

  it("the chat comes back with the id of the last message that it got", async () => {
    const urls = [];
    const welcome = id => ({ type: "welcome", id, name: "Ann", room: "/chat", members: [] });
    const message = (id, text) => ({ type: "message", id, from: "Bob", text });
    // It behaves like a server with a bus that closes with 1013, and then like the next server.
    const scripted = await scriptedServer(server.address, url => {
      urls.push(url);
      return urls.length === 1 ? [welcome("0-0"), message("7-1", "before"), 1013] : [welcome("7-1"), message("9-2", "what was missed")];
    });
    const its = await open(browser, { address: scripted.host });
    await join(its, "Ann");
    await see(its, "#sequence", 'Bob: text "what was missed"');
    scripted.end();
    assert.deepEqual(urls, ["/chat?name=Ann", "/chat?name=Ann&after=7-1"]);
    assert.deepEqual(its.faults, []);
    await its.context().close();
  });

  it("a server that is gone: the page says in plain words that the connection broke, and then that there is none", async () => {
    const mortal = await Server.start();
    const its = await open(browser, mortal);
    await connect(its, "/inspect");
    await mortal.end("SIGKILL");
    await see(its, "#notice", "The connection broke off without a Close (1006). Nobody said why");
    await see(its, "#notice", "it was never sent");
    await press(its, "Connect");
    await see(its, "#notice", `No connection to ws://${mortal.address}/inspect. The server is not running, or it refused`);
    await see(its, "#notice", "403 for a page of a site that is not allowed");
    await see(its, "#state", "Not connected");
    // This line is the browser's own, and no page can suppress it.
    assert.deepEqual(its.faults.filter(fault => !fault.includes("ERR_CONNECTION_REFUSED")), []);
    await its.context().close();
  });
});

describe("where you look", () => {
  const shownRow = () => page.locator(".row[aria-current=true] .label").textContent();

  for (const endpoint of ["/echo", "/inspect"]) {
    it(`at ${endpoint} your own actions are followed again after you chose an older row`, async () => {
      await connect(page, endpoint);
      await press(page, "Send text");
      await see(page, ".row", 'text "Hello"');
      await page.locator(".row").first().click();
      assert.match(await shownRow(), /GET/);
      await page.getByLabel("Text").fill("after that");
      await press(page, "Send text");
      await see(page, ".row[aria-current=true]", 'text "after that"');
      await page.locator(".row").first().click();
      await press(page, "Close");
      await see(page, ".row[aria-current=true]", "Close 4000");
      await page.locator(".row").first().click();
      await connect(page, "/inspect");
      await see(page, ".row[aria-current=true]", "101 Switching Protocols");
    });
  }

  it("beside an older row a button says how many are newer, and shows the last", async () => {
    const other = await open(browser, server);
    await join(other, "Bob", "newer");
    await join(page, "Ann", "newer");
    await see(page, "#sequence", "Ann (you) joined; 2 members now");
    await page.locator(".row").first().click();
    await see(page, "#newer", "3 newer");
    for (const word of ["one", "two"]) await say(other, word);
    await see(page, "#newer", "5 newer");
    assert.match(await shownRow(), /GET/, "the row that the user looks at stays");
    await page.locator("#newer").click();
    await see(page, ".row[aria-current=true]", 'text "two"');
    assert.ok(await page.locator("#newer").isHidden());
    await press(other, "Send text");
    await page.waitForFunction(() => document.querySelector(".row[aria-current=true]") === [...document.querySelectorAll(".row")].at(-1)
      && document.querySelectorAll(".row").length === 7);
    await other.context().close();
  });

  it("between two connections a row says that a new one begins", async () => {
    await connect(page, "/echo");
    assert.equal(await page.locator(".row.begins").count(), 0, "not before the first");
    await press(page, "Disconnect");
    await see(page, "#state", "Not connected");
    await connect(page, "/inspect");
    await see(page, "#detail", "How the accept value came about");
    const labels = await allText(".row .label");
    const at = labels.indexOf("a new connection, to /inspect");
    assert.equal(labels[at - 1], "closed; the browser began");
    assert.equal(labels[at + 1], "browser to server: GET /inspect HTTP/1.1");
    assert.equal((await allText(".row time"))[at], "0.000");
  });

  it("before anything has happened there is an example, which is a picture only", async () => {
    await see(page, "#sequence", 'text "Hello", 5 bytes');
    await see(page, "#example-note", "An example");
    assert.equal((await allText(".example .field .digits")).join(""), bitsOf("818537fa213d7f9f4d5158"));
    assert.equal(await page.locator("#sequence button").count(), 0);
    assert.ok(await page.evaluate(() => [...document.querySelectorAll(".example")].every(element => element.inert)));
    await connect(page, "/echo");
    await see(page, ".row", "GET /echo");
    assert.equal(await page.locator(".example, #example-note").count(), 0);
    assert.ok(!(await page.locator("#sequence").textContent()).includes("Hello"));
  });

  it("on a phone the text beside the button says what was sent, and its result", async () => {
    await reopen(PHONE);
    const isSeen = selector => page.locator(selector).evaluate(element => {
      const { top, bottom, height } = element.getBoundingClientRect();
      return height > 0 && top >= 0 && bottom <= innerHeight;
    });
    for (const [endpoint, reply] of [["/echo", 'Received text "Hello", 5 bytes.'], ["/inspect", 'The server got text "Hello", 5 bytes: 81 85']]) {
      await connect(page, endpoint);
      await press(page, "Send text");
      await see(page, "#sent", 'Sent text "Hello", 5 bytes.');
      await see(page, "#came", reply);
      assert.ok(await isSeen("#answer"), "it is on the screen");
      await press(page, "Send bytes");
      await see(page, "#sent", "Sent binary 00 01 7f 80 ff, 5 bytes.");
      assert.ok(await isSeen("#answer"), "it is on the screen");
      await press(page, "Disconnect");
      await see(page, "#notice", "closed with 1000");
      assert.ok(await isSeen("#notice"), "it is on the screen");
    }
  });

  it("an error is shown below the field that it is about", async () => {
    await reopen(PHONE);
    await connect(page, "/echo");
    await page.getByText("Let it go wrong").click();
    for (const [field, words, button] of [["hex", "0", "Send bytes"], ["code", "abc", "Close"]]) {
      await page.locator(`#${field}`).fill(words);
      await press(page, button);
      await page.locator("#notice:not(:empty)").waitFor();
      const gap = await page.evaluate(field =>
        document.getElementById("notice").getBoundingClientRect().top - document.getElementById(field).form.getBoundingClientRect().bottom, field);
      assert.ok(gap >= 0 && gap < 40, `${gap} pixels`);
    }
  });

  it("on a phone no length and no \"more to come\" is cut", async () => {
    await reopen(PHONE);
    await connect(page, "/inspect");
    await page.evaluate(() => drawReport({
      direction: "in", header: "017f", key: "00000000", masked: "", unmasked: "", text: "W".repeat(128), length: 16_777_216, shown: 0, opcode: "text",
      fin: false, fields: [], close: null, round_trip_us: null, message: null, error: null,
    }));
    const size = page.locator(".row .size", { hasText: "16,777,216 bytes, more to come" });
    const [whole, { left, right }, label] = await size.evaluate(element => [element.scrollWidth <= element.clientWidth || getComputedStyle(element).display !== "block",
      element.getBoundingClientRect(), element.parentElement.getBoundingClientRect()]);
    assert.ok(whole && left >= label.left - 1 && right <= label.right + 1, `${left} to ${right}, of ${label.left} to ${label.right}`);
  });
});

describe("strangers' bytes", () => {
  for (const endpoint of ["/echo", "/inspect"]) {
    it(`hostile text is shown as text at ${endpoint}, and nothing of it runs`, async () => {
      await connect(page, endpoint);
      const scripts = await page.locator("script").count();
      await page.evaluate(text => send(text), HOSTILE);
      const shown = String.raw`"<img src=x onerror=alert(1)><script>alert(2)</script>\u{1b}[`;
      await logged(page, `sent text ${shown}`);
      await logged(page, endpoint === "/echo" ? `received text ${shown}` : 'the server got text "<img src=x onerror=alert');
      assert.equal(await page.locator("img").count(), 0);
      assert.equal(await page.locator("script").count(), scripts);
      assert.doesNotMatch(await page.locator("main").textContent(), /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u202e]/);
    });
  }

  it("hostile names, rooms and messages of the chat are shown as text, and nothing of them runs", async () => {
    const other = await open(browser, server);
    // The server refuses names with letters such as U+202E, which would reverse the text around them.
    const name = "<img src=x>\"\\";
    await join(page, "Ann", "<b>");
    await join(other, name, "<b>");
    await see(page, "#members", String.raw`<img src=x>\"\\`);
    await other.evaluate(text => send(text), HOSTILE);
    await logged(page, String.raw`received text "<img src=x onerror=alert(1)><script>alert(2)</script>\u{1b}[`);
    for (const event of [{ type: HOSTILE }, { type: "joined", name: HOSTILE, members: HOSTILE }, { type: "message", from: HOSTILE, text: HOSTILE }]) {
      await page.evaluate(event => hear(event, JSON.stringify(event)), event);
    }
    for (const its of [page, other]) {
      assert.equal(await its.locator("img").count(), 0);
      assert.doesNotMatch(await its.locator("main").textContent(), /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u202e]/);
    }
    assert.deepEqual(other.faults, []);
    await other.context().close();
  });

  it("each field of a report goes in as text", async () => {
    await connect(page, "/inspect");
    await page.evaluate(hostile => {
      const fields = [{ name: hostile, bits: "1010", value: hostile, about: hostile, section: hostile }];
      drawHandshake({ request: [{ line: hostile, about: hostile, section: hostile }], response: [{ line: hostile, about: hostile, section: hostile }],
        accept: { key: hostile, guid: hostile, joined: hostile, sha1: hostile, base64: hostile } });
      drawReport({ direction: "in", header: "81", key: null, masked: "", unmasked: "", text: hostile, length: 1, shown: 0, opcode: hostile, fin: true, fields,
        close: { code: 1, name: hostile, reason: hostile }, round_trip_us: null, message: null, error: { field: hostile, rule: hostile, section: hostile, message_length: hostile, code: 1002 } });
    }, HOSTILE);
    assert.equal(await page.locator("img").count(), 0);
    await see(page, "#detail .wrong", "<img src=x");
  });

  it("the field that broke a rule is marked", async () => {
    await connect(page, "/inspect");
    await page.evaluate(() => drawReport({
      direction: "in", header: "c1", key: null, masked: "", unmasked: "", text: null, length: 0, shown: 0, opcode: "text", fin: true,
      fields: ["FIN", "RSV1", "RSV2", "RSV3"].map((name, at) => ({ name, bits: at < 2 ? "1" : "0", value: "", about: "a flag", section: "5.2" })),
      close: null, round_trip_us: null, message: null, error: { field: "RSV1", rule: "no extension was negotiated", section: "5.2", message_length: null, code: 1002 },
    }));
    assert.deepEqual(await allText(".field.broken .name"), ["RSV1"]);
    await see(page, "#detail [role=alert]", "RSV1 breaks a rule: no extension was negotiated §5.2 The server fails the connection with 1002.");
  });

  it("the diagram and the log keep the last 200 entries", async () => {
    await connect(page, "/echo");
    await page.evaluate(() => { for (let number = 0; number < 300; number++) send(`${number}`); });
    await logged(page, 'received text "299"');
    assert.equal(await page.locator(".row").count(), 200);
    assert.equal(await page.locator("#log p").count(), 200);
  });

  it("the browser lets the page load nothing else, and make no HTML of text", async () => {
    const refused = await page.evaluate(async host => {
      const outcome = [];
      await fetch(`http://${host}/`).catch(() => outcome.push("fetch"));
      await new Promise(done => { const socket = new WebSocket(`ws://${host}/`); socket.onerror = () => done(outcome.push("WebSocket")); });
      try { document.body.innerHTML = "<p>"; } catch { outcome.push("innerHTML"); }
      return outcome;
    }, "127.0.0.2:9");
    assert.deepEqual(refused, ["fetch", "WebSocket", "innerHTML"]);
    const [policy, others] = [page.faults.filter(fault => /Content Security Policy|TrustedHTML/.test(fault)), page.hosts];
    assert.ok(policy.length >= 3, page.faults);
    page.faults = [];
    others.delete("127.0.0.2:9");
  });
});

describe("for everybody", () => {
  it("the keyboard alone is enough, from load to an answer and its bits", async () => {
    const focused = () => page.evaluate(() => {
      const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
      return { words: document.activeElement.textContent, id: document.activeElement.id, outline: `${outlineStyle} ${outlineWidth}` };
    });
    const tabTo = async wanted => {
      for (let presses = 0; presses < 40; presses++) {
        await page.keyboard.press("Tab");
        const { words, id, outline } = await focused();
        assert.match(outline, /^solid [1-9]/, `one sees that the focus is on ${words || id}`);
        if (id === wanted || words.includes(wanted)) return;
      }
      assert.fail(`Tab never comes to ${wanted}`);
    };
    await tabTo("connect");
    await page.keyboard.press("Enter");
    await see(page, "#state", "Connected to /inspect");
    await tabTo("text");
    await page.keyboard.press("Control+A");
    await page.keyboard.type("by hand");
    await page.keyboard.press("Enter");
    await see(page, "#detail", "A text frame from your browser, 7 bytes");
    await tabTo('text "by hand"');
    await page.keyboard.press("ArrowUp");
    await see(page, "#detail", /A pong frame|How the accept value came about|A ping frame/);
    await page.keyboard.press("End");
    await page.locator(".row", { hasText: "by hand" }).focus();
    await page.keyboard.press("Enter");
    await tabTo("opcode");
    await see(page, "#tip", "opcode (bits 4-7)");
    await page.keyboard.press("Escape");
    await page.locator("#tip").waitFor({ state: "hidden" });
  });

  it("a finger gets the tooltips too", async () => {
    await reopen(PHONE);
    await connect(page, "/inspect");
    await press(page, "Send text");
    await page.locator(".field.tint-mask").first().tap();
    await see(page, "#tip", "MASK (bit 8)");
  });

  it("at 360 pixels nothing is wider than the page", async () => {
    await reopen(PHONE);
    const fits = async () => assert.ok(await page.evaluate(() => document.documentElement.scrollWidth) <= 360);
    await fits();
    await connect(page, "/inspect");
    await see(page, "#detail", "How the accept value came about");
    await fits();
    await page.locator("summary", { hasText: "Let it go wrong" }).click();
    await page.locator("summary", { hasText: "fragments" }).click();
    await page.getByLabel("Text").fill("W".repeat(1000));
    await press(page, "Send text");
    await see(page, "#detail", "1,000 bytes");
    await fits();
    await page.locator(".field").nth(6).tap();
    await fits();
    await press(page, "Close");
    await see(page, "#notice", "closed with 4000");
    await fits();
    await join(page, "W".repeat(32), "W".repeat(50));
    await see(page, ".row.push", "you are");
    await say(page, "W".repeat(1000));
    await see(page, "#came", "from W");
    await fits();
    await press(page, "Disconnect");
    await connect(page, "/clock");
    await see(page, "#detail", "A push: nobody asked for this frame.");
    await fits();
  });

  for (const colorScheme of ["light", "dark"]) {
    it(`no breach of WCAG A or AA, ${colorScheme}`, async () => {
      for (const options of [{}, PHONE]) {
        await reopen({ colorScheme, ...options });
        await page.evaluate(axe.source);
        const check = async when => {
          // On a phone a bit is narrower than a finger; the list under the diagram shows the same (§2.5.8,
          // "Equivalent").
          const rules = { "target-size": { enabled: options !== PHONE } };
          const { violations } = await page.evaluate(rules =>
            axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"], rules }), rules);
          assert.deepEqual(violations.map(({ id, nodes }) => [id, nodes.map(node => node.html)]), [], when);
        };
        await check("before anything happened");
        await connect(page, "/inspect");
        await see(page, "#detail", "How the accept value came about");
        await check("with the handshake");
        await press(page, "Send text");
        await see(page, "#detail", "A text frame");
        await page.locator(".field").nth(4).focus();
        await check("with a frame and a tooltip");
        await page.evaluate(() => closeWith(4000, "bye"));
        await see(page, "#notice", "closed with 4000");
        await check("after the Close");
        await join(page, "Ann", colorScheme);
        await see(page, ".row.push", "you are");
        await check("in the chat");
        await press(page, "Disconnect");
        await see(page, "#state", "Not connected");
        await connect(page, "/clock");
        await see(page, "#detail", "A push: nobody asked for this frame.");
        await check("with the clock");
      }
    });
  }

  for (const [name, options] of Object.entries({ wide: {}, phone: PHONE, dark: { colorScheme: "dark" } })) {
    it(`screenshots to look at: ${name}`, async () => {
      await reopen(options);
      // The window is as high as the page, because `fullPage` would change the window's size and so close the tooltip.
      const shoot = async (what, prepare = async () => {}) => {
        await page.setViewportSize(options.viewport ?? { width: 1280, height: 900 });
        const height = await page.evaluate(() => document.documentElement.scrollHeight);
        await page.setViewportSize({ width: page.viewportSize().width, height });
        await prepare();
        await page.screenshot({ path: `${SCREENSHOTS}${name}-${what}.png` });
      };
      await shoot("start");
      await connect(page, "/inspect");
      await see(page, "#detail", "How the accept value came about");
      await shoot("handshake");
      await see(page, ".row", "Pong, after");
      await press(page, "Send text");
      await see(page, "#detail", "A text frame");
      await shoot("frame", () => page.locator(".field.tint-mask").first().focus());
      await page.getByLabel("Text").fill("Grüße, Welt! ".repeat(20));
      await press(page, "Send text");
      await see(page, "#detail", "300 bytes");
      await shoot("long");
      await page.evaluate(() => send(new Uint8Array(16 * 1024 * 1024 + 1)));
      await see(page, "#notice", "1009");
      await shoot("wrong");
      await page.locator(".row").last().click();
      await shoot("closed");
      const other = await open(browser, server);
      await join(page, "Ann", `picture-${name}`);
      await join(other, "Bob", `picture-${name}`);
      await say(other, "Anybody there?");
      await see(page, "#detail", "Somebody else has said something.");
      await shoot("chat");
      await other.context().close();
      await press(page, "Disconnect");
      await see(page, "#state", "Not connected");
      await connect(page, "/clock");
      await see(page, "#detail", "A push: nobody asked for this frame.");
      await shoot("clock");
    });
  }
});
