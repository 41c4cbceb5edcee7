// A local app made with Node ws: sends its arguments as text messages, one when the answer to the one before is there, and
// prints each answer as a line of JSON: a string, or {"binary": BASE64}.
"use strict";

const WebSocket = require("ws");

const [socket, name, ...messages] = process.argv.slice(2);
const client = new WebSocket(`ws+unix:${socket}:/v1/connections/${name}/messages`);

function sendNext() {
  if (messages.length === 0) client.close(1000);
  else client.send(messages.shift());
}

client.on("open", sendNext);
client.on("message", (data, binary) => {
  console.log(JSON.stringify(binary ? { binary: data.toString("base64") } : data.toString()));
  sendNext();
});
client.on("error", (error) => {
  console.error(error);
  process.exitCode = 1;
});
