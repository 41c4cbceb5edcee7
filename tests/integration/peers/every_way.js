// A local app made with Node, its http and ws: every_way.js SOCKET NAME plain|v1|ndjson|post, see test_clients.py.
"use strict";

const http = require("http");
const readline = require("readline");
const WebSocket = require("ws");

const [socketPath, name, way] = process.argv.slice(2);
const path = `/v1/connections/${name}/messages`;

function say(words) {
  console.log(JSON.stringify(words));
}

function webSocket(protocols, onOpen, onMessage) {
  const client = new WebSocket(`ws+unix:${socketPath}:${path}`, protocols);
  client.on("open", () => onOpen(client));
  client.on("message", (data) => onMessage(client, data.toString()));
}

const ways = {
  plain() {
    webSocket([], (client) => client.send("hello"), (client, message) => {
      say({ message });
      client.close(1000);
    });
  },
  v1() {
    let outstanding = 2;
    webSocket(["wskeep.v1"], () => {}, (client, message) => {
      const event = message.startsWith("{") ? JSON.parse(message) : null;
      if (event && event.event === "hello") {
        say({ event: "hello" });
        client.send("id1\nhello");
        return;
      }
      say(event ? { sent: event.id } : { message: message.slice(message.indexOf("\n") + 1) });
      outstanding -= 1;
      if (outstanding === 0) client.close(1000);
    });
  },
  ndjson() {
    http.get({ socketPath, path: `${path}?from=oldest&follow=true&limit=2` }, (response) => {
      readline.createInterface({ input: response }).on("line", (line) => {
        const found = JSON.parse(line);
        if ("seq" in found) say({ message: found.data });
      });
    });
  },
  post() {
    const request = http.request({ socketPath, path, method: "POST", headers: { "Content-Type": "text/plain" } }, (response) => {
      let body = "";
      response.on("data", (data) => { body += data; });
      response.on("end", () => say({ outcome: JSON.parse(body).outcome }));
    });
    request.end("hello");
  },
};

ways[way]();
