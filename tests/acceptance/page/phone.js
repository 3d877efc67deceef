// A telephone that speaks SIP over a WebSocket (RFC 7118) by itself: one call, which it makes.
"use strict";

const received = [];
const sent = [];
const own = `${token()}.invalid`; // nobody can look it up
let line, account, call, waiting;

function token() {
  return crypto.randomUUID().replaceAll("-", "").slice(0, 16);
}

async function connect(address, name, password) {
  account = { name, password };
  line = new WebSocket(address, "sip");
  line.onmessage = ({ data }) => hears(String(data));
  await new Promise((opened, failed) => Object.assign(line, { onopen: opened, onerror: failed }));
}

function say(start, headers, body = "") {
  const kind = body ? "Content-Type: application/sdp\r\n" : "";
  const length = `Content-Length: ${body.length}\r\n`;
  const text = `${start}\r\n${headers.join("\r\n")}\r\n${kind}${length}\r\n${body}`;
  sent.push(text);
  line.send(text);
}

function parsed(text) {
  const end = text.indexOf("\r\n\r\n");
  const [start, ...lines] = text.slice(0, end).split("\r\n");
  const all = (name) => lines.filter((one) => one.startsWith(`${name}: `));
  const first = (name) => (all(name)[0] ?? "").slice(name.length + 2);
  const status = start.startsWith("SIP/2.0 ") ? Number(start.split(" ")[1]) : 0;
  return { start, status, all, first, body: text.slice(end + 4) };
}

function hears(text) {
  if (!text.trim()) return;
  received.push(text);
  const message = parsed(text);
  if (!message.status) return asked(message);
  if (message.status >= 200 && message.first("CSeq") === waiting?.number) waiting.done(message);
}

function ask(method, { body = "", more = [], number = ++call.number, branch = token() } = {}) {
  const headers = [
    `Via: SIP/2.0/${line.url.startsWith("wss:") ? "WSS" : "WS"} ${own};branch=z9hG4bK${branch}`,
    "Max-Forwards: 70", `From: <sip:${account.number}@${own}>;tag=${call.tag}`, `To: ${call.to}`,
    `Call-ID: ${call.id}`, `CSeq: ${number} ${method}`,
    `Contact: <sip:${account.number}@${own};transport=ws>`, "User-Agent: Page 1.0", ...more,
  ];
  say(`${method} ${call.target} SIP/2.0`, headers, body);
}

function final(method, given) {
  const answer = new Promise((done) => (waiting = { done, number: `${call.number + 1} ${method}` }));
  ask(method, given);
  return answer;
}

// An INVITE to its end; what a 200 tells is confirmed, with an answer where it is an offer.
async function invite(body, more = []) {
  const branch = token();
  const answer = await final("INVITE", { body, more, branch });
  const number = call.number;
  if (answer.status >= 300) {
    ask("ACK", { number, branch });
    return answer;
  }
  call.to = answer.first("To");
  call.target = answer.first("Contact").replace(/^<|>$/g, "");
  const told = body ? await take("answer", answer.body) : await answered(answer.body);
  ask("ACK", { number, body: told ?? "" });
  return answer;
}

// The status that a call ends up with.
async function dial(from, number, server, late = false) {
  account.number = from;
  const target = `sip:${number}@${server}`;
  call = { id: token(), tag: token(), target, to: `<${target}>`, number: 0 };
  const body = late ? "" : await offered();
  const answer = await invite(body);
  if (answer.status !== 401) return answer.status;
  return (await invite(body, [await authorization(answer, target)])).status;
}

async function change(direction, options = {}) {
  return (await invite(await offered(direction, options))).status;
}

async function hangUp() {
  return (await final("BYE")).status;
}

async function digest(text) {
  const octets = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return Array.from(new Uint8Array(octets), (one) => one.toString(16).padStart(2, "0")).join("");
}

// The answer to a challenge (RFC 7616, RFC 8760).
async function authorization(refusal, uri) {
  const challenge = refusal.all("WWW-Authenticate").find((one) => one.includes("SHA-256"));
  const told = (name) => challenge.match(new RegExp(`${name}="([^"]*)"`))[1];
  const [realm, nonce, cnonce] = [told("realm"), told("nonce"), token()];
  const secret = await digest(`${account.name}:${realm}:${account.password}`);
  const asked = await digest(`INVITE:${uri}`);
  const response = await digest(`${secret}:${nonce}:00000001:${cnonce}:auth:${asked}`);
  return (
    `Authorization: Digest username="${account.name}", realm="${realm}", nonce="${nonce}", ` +
    `uri="${uri}", response="${response}", algorithm=SHA-256, cnonce="${cnonce}", qop=auth, ` +
    "nc=00000001"
  );
}

// What the other side asks within the call.
async function asked(request) {
  const method = request.start.split(" ")[0];
  if (method === "ACK") return;
  const body = request.body ? await answered(request.body) : "";
  const kept = ["Via", "From", "To", "Call-ID", "CSeq"].flatMap(request.all);
  const contact = `Contact: <sip:${account.number}@${own};transport=ws>`;
  say("SIP/2.0 200 OK", [...kept, contact, "Server: Page 1.0"], body);
}
