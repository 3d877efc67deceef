// Plays operations through the older client of the SDK for JavaScript, version 3, as player.mjs
// does through the newer: `older.mjs <url>`.

import { createInterface } from "node:readline";
import * as sdk from "@aws-sdk/client-chime";

const client = new sdk.ChimeClient({ endpoint: process.argv[2], maxAttempts: 1 });

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
