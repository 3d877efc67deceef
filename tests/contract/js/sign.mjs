// Signs requests as the AWS SDK for JavaScript does. Standard input and output: a JSON list.

import { createHash, createHmac } from "node:crypto";
import { SignatureV4 } from "@smithy/signature-v4";

class Sha256 {
  constructor(secret) {
    this.hash = secret ? createHmac("sha256", secret) : createHash("sha256");
  }
  update(data) {
    this.hash.update(data);
  }
  async digest() {
    return new Uint8Array(this.hash.digest());
  }
}

const escape = (text) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

const target = ({ path, query }) => {
  const pairs = Object.entries(query).flatMap(([name, values]) =>
    [values].flat().map((value) => `${escape(name)}=${escape(value)}`),
  );
  return pairs.length ? `${path}?${pairs.join("&")}` : path;
};

const signed = async ({ region, credentials, presign, ...request }) => {
  const signer = new SignatureV4({ service: "chime", region, credentials, sha256: Sha256 });
  const ready = await (presign ? signer.presign(request, { expiresIn: presign }) : signer.sign(request));
  return { target: target(ready), headers: ready.headers };
};

let text = "";
for await (const piece of process.stdin) text += piece;
console.log(JSON.stringify(await Promise.all(JSON.parse(text).map(signed))));
