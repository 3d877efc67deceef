// A client without an SDK: requests signed by aws4, and every answer read as JSON, whatever its
// status. `controller.mjs <url>`; standard input: {"numbers": [two]}; standard output: a list of
// [status, answer].

import http from "node:http";
import aws4 from "aws4";

const { hostname, port } = new URL(process.argv[2]);

const ask = (method, path, content) =>
  new Promise((resolve, reject) => {
    const request = aws4.sign({
      host: `${hostname}:${port}`,
      method,
      path,
      service: "chime",
      region: "us-east-1",
      headers: content ? { "Content-Type": "application/json" } : {},
      body: content && JSON.stringify(content),
    });
    const sent = http.request({ ...request, hostname, port }, (answer) => {
      let text = "";
      answer.on("data", (piece) => (text += piece));
      answer.on("end", () => resolve([answer.statusCode, text === "" ? null : JSON.parse(text)]));
    });
    sent.on("error", reject);
    sent.end(request.body);
  });

let text = "";
for await (const piece of process.stdin) text += piece;
const { numbers } = JSON.parse(text);

const made = await ask("POST", "/voice-connectors", { Name: "controller", RequireEncryption: false });
const connector = `/voice-connectors/${made[1].VoiceConnector.VoiceConnectorId}`;
const session = { ParticipantPhoneNumbers: numbers, Capabilities: ["Voice"] };
const early = await ask("POST", `${connector}/proxy-sessions`, session);
const put = await ask("PUT", `${connector}/programmable-numbers/proxy`, {
  DefaultSessionExpiryMinutes: 30,
  PhoneNumberPoolCountries: ["US"],
});
const created = await ask("POST", `${connector}/proxy-sessions`, session);
const listed = await ask("GET", `${connector}/proxy-sessions`);
const id = created[1].ProxySession.ProxySessionId;
const deleted = await ask("DELETE", `${connector}/proxy-sessions/${id}`);
const nowhere = await ask("GET", "/nowhere");
console.log(JSON.stringify({ made, early, put, created, listed, deleted, nowhere }));
