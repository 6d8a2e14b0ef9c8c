// @ts-check

/**
 * What the page came with of a channel's past: the reply that a subscribe would have had
 * when the page was served. Only once: who comes to the channel later asks the server.
 *
 * @param {string} channel
 * @returns {import("./wire.js").Reply | undefined}
 */
export function takePast(channel) {
  const block = document.getElementById(`past-${channel}`);
  block?.remove();
  return block ? JSON.parse(block.textContent ?? "") : undefined;
}
