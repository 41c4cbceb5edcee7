// An upstream made with Node ws. Knows the commands of samples.py; sends back whatever else it gets.
"use strict";

const fs = require("fs");
const https = require("https");
const { WebSocketServer } = require("ws");

const [port, certificate, key, compress] = process.argv.slice(2);
const server = https.createServer({ cert: fs.readFileSync(certificate), key: fs.readFileSync(key) });
const sockets = new WebSocketServer({
  server,
  perMessageDeflate: compress === "compress" ? { threshold: 0 } : false,
});

const answers = {
  "send text": (client) => client.send("Grüße, 世界 🌍"),
  "send binary": (client) => client.send(Buffer.from(Array.from({ length: 256 }, (_, number) => number))),
  "send fragmented": (client) => {
    const fragments = ["Grü", "", "ße, ", "世界"];
    fragments.forEach((part, index) => client.send(part, { fin: index === fragments.length - 1 }));
  },
  "send large text": (client) => client.send("0123456789".repeat(70000)),
  "send large binary": (client) => client.send(Buffer.from(Array.from({ length: 1000000 }, (_, number) => number % 251))),
};

sockets.on("connection", (client) => {
  client.on("message", (data, binary) => {
    const answer = binary ? undefined : answers[data.toString()];
    if (answer) answer(client);
    else client.send(data, { binary });
  });
});
server.listen(Number(port), "127.0.0.1");
