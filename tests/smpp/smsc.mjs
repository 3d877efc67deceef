// An SMSC made with the npm package smpp. Prints a line of JSON for what happens; what it reads on
// its standard input, a line of JSON each, it delivers to whoever is bound.
import { createInterface } from "node:readline";
import { readFileSync } from "node:fs";
import smpp from "smpp";

const [password, key, cert] = process.argv.slice(2);
const tell = (event) => console.log(JSON.stringify(event));
const tls = key ? { key: readFileSync(key), cert: readFileSync(cert) } : {};
let bound;
let taken = 0;

function receipt(pdu, id) {
  bound.deliver_sm({
    esm_class: smpp.ESM_CLASS.MC_DELIVERY_RECEIPT,
    source_addr: pdu.destination_addr,
    source_addr_ton: pdu.dest_addr_ton,
    destination_addr: pdu.source_addr,
    dest_addr_ton: pdu.source_addr_ton,
    short_message: `id:${id} sub:001 dlvrd:001 submit date:2611250812 done date:2611250813 ` +
      `stat:DELIVRD err:000 text:hello`,
    receipted_message_id: id,
    message_state: smpp.MESSAGE_STATE.DELIVERED,
  });
}

const server = smpp.createServer(tls, (session) => {
  const bind = (pdu) => {
    const good = pdu.password === password;
    if (good) bound = session;
    session.send(pdu.response(good ? {} : { command_status: smpp.ESME_RINVPASWD }));
    tell({ event: "bind", command: pdu.command, system_id: pdu.system_id, good });
  };
  for (const mode of ["bind_transceiver", "bind_receiver", "bind_transmitter"]) {
    session.on(mode, bind);
  }
  const take = (pdu) => {
    taken += 1;
    const id = `js-${taken}`;
    session.send(pdu.response({ message_id: id }));
    const payload = pdu.message_payload;
    const { message, udh } = pdu.short_message || payload;
    tell({
      event: pdu.command,
      source: pdu.source_addr,
      destination: pdu.destination_addr,
      source_ton: pdu.source_addr_ton,
      data_coding: pdu.data_coding,
      esm_class: pdu.esm_class,
      registered_delivery: pdu.registered_delivery,
      reference: pdu.user_message_reference,
      seconds: pdu.qos_time_to_live,
      text: message || (payload && payload.message),
      udh: udh && udh.map((element) => element.toString("hex")),
    });
    if (pdu.registered_delivery & 1) receipt(pdu, id);
  };
  for (const operation of ["submit_sm", "data_sm"]) session.on(operation, take);
  session.on("unbind", (pdu) => {
    session.send(pdu.response());
    tell({ event: "unbind" });
    session.close();
  });
  session.on("enquire_link", (pdu) => session.send(pdu.response()));
  session.on("error", (error) => tell({ event: "error", code: error.code }));
});

server.listen(0, "127.0.0.1", () => tell({ event: "listening", port: server.address().port }));
createInterface({ input: process.stdin }).on("line", (line) => {
  bound.deliver_sm(JSON.parse(line), (pdu) => {
    tell({ event: "answer", status: pdu.command_status });
  });
});
