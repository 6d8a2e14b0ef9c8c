// Socket.IO as it comes: `join` (a room) is acknowledged, `message` (a room, a text) goes
// to all of the room, who spoke too.
"use strict";

const http = require("node:http");
const { Server } = require("socket.io");

const server = http.createServer();
const io = new Server(server, { serveClient: false });

io.on("connection", (socket) => {
  socket.on("join", (room, done) => {
    socket.join(room);
    done(true);
  });
  socket.on("message", (room, text) => io.to(room).emit("message", text));
});

server.listen(0, "127.0.0.1", 1024, () => {
  console.log(`Socket.IO is at http://127.0.0.1:${server.address().port}`);
});
