// Plays operations through the AWS SDK for JavaScript: `player.mjs <url>`.
// A line in: {"operation": "...", "arguments": {...}}; a line out: {"answer": {...}} or
// {"error": "...", "message": "..."}.

import { createInterface } from "node:readline";
import * as sdk from "@aws-sdk/client-chime-sdk-voice";

const client = new sdk.ChimeSDKVoiceClient({ endpoint: process.argv[2], maxAttempts: 1 });

const play = async ({ operation, arguments: input }) => {
  try {
    const { $metadata, ...answer } = await client.send(new sdk[`${operation}Command`](input));
    if (!$metadata.requestId) throw new Error("no request id");
    return { answer };
  } catch (error) {
    if (!(error instanceof sdk[error.name])) throw error;
    return { error: error.name, message: error.message };
  }
};

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await play(JSON.parse(line))));
}
