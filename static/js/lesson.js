// A chat page, whole: open a socket, send text, show what comes.
const form = document.querySelector("#lesson-form");
const log = document.querySelector("#lesson-log");
const address = new URL(form.dataset.socket, location.href);
address.protocol = address.protocol.replace("http", "ws");
const socket = new WebSocket(address);

function show(text) {
  const line = document.createElement("li");
  line.textContent = text; // as text, never as HTML
  log.append(line);
  log.scrollTop = log.scrollHeight;
}

socket.onmessage = (event) => show(event.data);
socket.onclose = () => show("The connection is gone.");
form.onsubmit = (event) => {
  event.preventDefault();
  socket.send(form.elements.text.value);
  form.reset();
};
