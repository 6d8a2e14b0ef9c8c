// @ts-check

import { announce } from "./announce.js";

/**
 * What the pill shows; the detail of a `state` event of hubbub.js is one.
 *
 * @typedef {object} Connection
 * @property {"live" | "connecting" | "reconnecting" | "offline" | "closed"} state
 *   `closed`, for good, looks like `offline`
 * @property {boolean} [paused] live, but the server can pass nothing on
 * @property {number | null} [latencyMs] of a live connection; null while unknown
 * @property {number | null} [retryInS] until the next try; the pill counts it down
 * @property {boolean} [canRetry] shows `retry`; by default only while reconnecting
 */

/** @typedef {EventTarget & {retryNow(): void}} Client */

const WORDS = {
  live: "Live",
  paused: "Paused",
  connecting: "Connecting",
  reconnecting: "Reconnecting",
  offline: "Offline",
  closed: "Offline",
};
const PAUSED = "The server is cut off at present. What you send is kept here, and sent then.";
const TICK_MS = 250;

/** Tells the truth about the connection in the one place where each page has it. */
export class ConnectionPill {
  /** Called when the visitor asks to try now. @type {() => void} */
  onretry = () => {};

  #root;
  #word;
  #more;
  #again;
  /** @type {keyof typeof WORDS | null} */
  #state = null;
  #retryAt = 0;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;

  // Lifecycle

  /** @param {HTMLElement} root the `.pill` of base.html */
  constructor(root) {
    this.#root = root;
    this.#word = part(root, ".pill__word");
    this.#more = part(root, ".pill__more");
    this.#again = part(root, ".pill__again");
    part(root, ".pill__retry").addEventListener("click", () => this.onretry());
  }

  // Actions

  /** Show what this client says, and let it retry. @param {Client} client */
  follow(client) {
    this.onretry = () => client.retryNow();
    client.addEventListener("state", (event) => {
      this.set(/** @type {CustomEvent<Connection>} */ (event).detail);
    });
  }

  /** @param {Connection} connection */
  set({ state: said, paused, latencyMs, retryInS, canRetry = said === "reconnecting" }) {
    const state = said === "live" && paused ? "paused" : said;
    clearInterval(this.#timer);
    this.#root.dataset.state = state === "closed" ? "offline" : state;
    this.#root.title = state === "paused" ? PAUSED : "";
    this.#word.textContent = WORDS[state];
    this.#again.hidden = !canRetry;
    if (state === "reconnecting" && typeof retryInS === "number") {
      this.#countDown(retryInS);
    } else {
      this.#more.textContent =
        state === "live" && typeof latencyMs === "number"
          ? ` · ${Math.round(latencyMs)} ms`
          : "";
    }
    this.#tell(state);
  }

  // Internal

  /** @param {number} seconds */
  #countDown(seconds) {
    this.#retryAt = performance.now() + seconds * 1000;
    this.#showRest();
    this.#timer = setInterval(() => this.#showRest(), TICK_MS);
  }

  #showRest() {
    const rest = Math.ceil((this.#retryAt - performance.now()) / 1000);
    this.#more.textContent = rest > 0 ? ` in ${rest} s` : " now";
    if (rest <= 0) clearInterval(this.#timer);
  }

  /** A page that just opens need not say so. @param {keyof typeof WORDS} state */
  #tell(state) {
    if (this.#state !== null && this.#state !== state) announce(`Connection: ${WORDS[state]}`);
    this.#state = state;
  }
}

/** @param {HTMLElement} root @param {string} selector @returns {HTMLElement} */
function part(root, selector) {
  const found = root.querySelector(selector);
  if (!(found instanceof HTMLElement)) throw new Error(`the pill has no ${selector}`);
  return found;
}
