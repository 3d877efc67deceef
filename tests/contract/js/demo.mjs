// What AWS's own sample of proxy sessions does, with the SDK for JavaScript, version 2:
// `demo.mjs <url>`. The sample gives each call both a callback and asks for its promise, and so
// sends it twice; it sends the default expiry as text; its endpoint ends in /console.
// Standard input: {"connector": id, "numbers": [two]}. Standard output: what it was answered.

import AWS from "aws-sdk";

const chime = new AWS.Chime({ region: "us-east-1", endpoint: `${process.argv[2]}/console` });
const answers = {};

const twice = async (operation, params) => {
  const called = new Promise((resolve, reject) => {
    const request = chime[operation](params, (error, data) => (error ? reject(error) : resolve(data)));
    answers[operation] = request.promise();
  });
  return [await called, await answers[operation]];
};

let text = "";
for await (const piece of process.stdin) text += piece;
const { connector, numbers } = JSON.parse(text);

const put = await twice("putVoiceConnectorProxy", {
  VoiceConnectorId: connector,
  DefaultSessionExpiryMinutes: "60",
  PhoneNumberPoolCountries: ["US"],
});
const created = await twice("createProxySession", {
  VoiceConnectorId: connector,
  ParticipantPhoneNumbers: numbers,
  Capabilities: ["Voice", "SMS"],
  ExpiryMinutes: 60,
  NumberSelectionBehavior: "PreferSticky",
  GeoMatchParams: { Country: "US", AreaCode: numbers[1].substring(2, 5) },
});
for (const { ProxySession } of created) {
  await twice("deleteProxySession", {
    VoiceConnectorId: connector,
    ProxySessionId: ProxySession.ProxySessionId,
  });
}
let missing;
try {
  await twice("deleteProxySession", { VoiceConnectorId: connector });
} catch (error) {
  missing = error.code; // found by the SDK itself: nothing is sent
}
await Promise.allSettled(Object.values(answers));
console.log(JSON.stringify({ put, created, missing }));
