// What a CDK construct does for phone numbers and voice connectors, with the SDK for JavaScript,
// version 3: `construct.mjs <url>`. Searches, orders, looks until the order is done, associates,
// configures; then takes all of it down by what the answers say. Standard output: what it saw.

import * as sdk from "@aws-sdk/client-chime-sdk-voice";
import { setTimeout as pause } from "node:timers/promises";

const client = new sdk.ChimeSDKVoiceClient({ endpoint: process.argv[2], maxAttempts: 1 });
const ask = (operation, input = {}) => client.send(new sdk[`${operation}Command`](input));

const { E164PhoneNumbers } = await ask("SearchAvailablePhoneNumbers", { AreaCode: "206", MaxResults: 1 });
const ordered = await ask("CreatePhoneNumberOrder", { ProductType: "VoiceConnector", E164PhoneNumbers });
const { PhoneNumberOrderId } = ordered.PhoneNumberOrder;
const seen = [ordered.PhoneNumberOrder.Status];
while (seen.at(-1) === "Processing") {
  if (seen.length > 20) throw new Error("the order is never done");
  if (seen.length > 1) await pause(50);
  seen.push((await ask("GetPhoneNumberOrder", { PhoneNumberOrderId })).PhoneNumberOrder.Status);
}

const { VoiceConnector } = await ask("CreateVoiceConnector", { Name: "construct", RequireEncryption: true });
const { VoiceConnectorId } = VoiceConnector;
await ask("PutVoiceConnectorOrigination", {
  VoiceConnectorId,
  Origination: { Routes: [{ Host: "192.0.2.9", Port: 5061, Protocol: "TCP", Priority: 1, Weight: 1 }], Disabled: false },
});
await ask("PutVoiceConnectorTermination", {
  VoiceConnectorId,
  Termination: { CallingRegions: ["US"], CidrAllowedList: ["198.51.100.0/27"], CpsLimit: 1 },
});
await ask("PutVoiceConnectorStreamingConfiguration", {
  VoiceConnectorId,
  StreamingConfiguration: { DataRetentionInHours: 0, Disabled: false, StreamingNotificationTargets: [{ NotificationTarget: "EventBridge" }] },
});
await ask("PutVoiceConnectorLoggingConfiguration", {
  VoiceConnectorId,
  LoggingConfiguration: { EnableSIPLogs: true, EnableMediaMetricLogs: true },
});
const associated = await ask("AssociatePhoneNumbersWithVoiceConnector", { VoiceConnectorId, E164PhoneNumbers, ForceAssociate: true });

let conflict;
try {
  await ask("DeleteVoiceConnector", { VoiceConnectorId });
} catch (error) {
  conflict = error.name;
}
const { PhoneNumbers } = await ask("ListPhoneNumbers", { FilterName: "VoiceConnectorId", FilterValue: VoiceConnectorId });
for (const { PhoneNumberId } of PhoneNumbers) {
  const { PhoneNumber } = await ask("GetPhoneNumber", { PhoneNumberId });
  await ask("DisassociatePhoneNumbersFromVoiceConnector", {
    VoiceConnectorId: PhoneNumber.Associations[0].Value,
    E164PhoneNumbers: [PhoneNumber.E164PhoneNumber],
  });
  await ask("DeletePhoneNumber", { PhoneNumberId });
}
await ask("DeleteVoiceConnector", { VoiceConnectorId });
const { PhoneNumber } = await ask("GetPhoneNumber", { PhoneNumberId: E164PhoneNumbers[0] });
let gone;
try {
  await ask("GetVoiceConnector", { VoiceConnectorId });
} catch (error) {
  gone = error.name;
}
console.log(JSON.stringify({ seen, errors: associated.PhoneNumberErrors, conflict, status: PhoneNumber.Status, gone }));
