// Plays operations through the SDK for JavaScript, version 2, as player.mjs does through version 3:
// `version2.mjs <url>`.

import { createInterface } from "node:readline";
import AWS from "aws-sdk";

const chime = new AWS.Chime({ endpoint: process.argv[2], maxRetries: 0 });

const play = async ({ operation, arguments: input }) => {
  const method = operation[0].toLowerCase() + operation.slice(1);
  try {
    const { $response, ...answer } = await chime[method](input).promise();
    return { answer };
  } catch (error) {
    if (!error.requestId) throw error;
    return { error: error.code, message: error.message };
  }
};

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await play(JSON.parse(line))));
}
