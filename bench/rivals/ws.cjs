// `ws`, a `send` to each of a room; speaks what bench/rivals/bare.py does.
"use strict";

const { WebSocketServer } = require("ws");

const rooms = new Map();

const server = new WebSocketServer(
  { host: "127.0.0.1", port: 0, backlog: 1024, perMessageDeflate: false },
  () => console.log(`ws is at http://127.0.0.1:${server.address().port}`),
);

server.on("connection", (socket, request) => {
  if (!rooms.has(request.url)) rooms.set(request.url, new Set());
  const clients = rooms.get(request.url);
  clients.add(socket);
  socket.on("message", (data, isBinary) => {
    clients.forEach((client) => client.send(data, { binary: isBinary }));
  });
  socket.on("close", () => clients.delete(socket));
  socket.on("error", () => {});
  socket.send('{"type":"reply"}');
});
