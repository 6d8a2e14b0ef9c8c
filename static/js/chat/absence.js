// @ts-check

/** A short break is healed before anybody would have read about it. */
const GRACE_MS = 600;
const TICK_MS = 250;
const KEPT = "What you write is kept and sent then.";

/**
 * @typedef {import("../pill.js").Connection & {code?: number | null}} Connection
 */

/** The banner while nothing comes or goes: what happens next, and what is kept. */
export class Absence {
  #banner;
  #text;
  #retry;
  #reload;
  /** @type {Connection | null} */
  #state = null;
  #retryAtMs = 0;
  #sinceMs = 0;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;

  /**
   * @param {HTMLElement} banner
   * @param {EventTarget & {retryNow(): void}} hubbub
   */
  constructor(banner, hubbub) {
    this.#banner = banner;
    this.#text = /** @type {HTMLElement} */ (banner.querySelector(".banner__text"));
    this.#retry = /** @type {HTMLElement} */ (banner.querySelector("[data-retry]"));
    this.#reload = /** @type {HTMLElement} */ (banner.querySelector("[data-reload]"));
    this.#retry.addEventListener("click", () => hubbub.retryNow());
    this.#reload.addEventListener("click", () => location.reload());
    hubbub.addEventListener("state", (event) => {
      this.#follow(/** @type {CustomEvent<Connection>} */ (event).detail);
    });
  }

  /** @param {Connection} state */
  #follow(state) {
    if (this.#state === null && state.state === "connecting") return;
    const isLive = state.state === "live" && !state.paused;
    const isBack = isLive || (state.state === "connecting" && !this.#sinceMs);
    clearInterval(this.#timer);
    this.#state = state;
    if (isBack) {
      this.#sinceMs = 0;
      this.#banner.hidden = true;
      return;
    }
    this.#sinceMs ||= performance.now();
    this.#retryAtMs = performance.now() + (state.retryInS ?? 0) * 1000;
    this.#timer = setInterval(() => this.#show(), TICK_MS);
    this.#show();
  }

  #show() {
    if (!this.#state || performance.now() - this.#sinceMs < GRACE_MS) return;
    const isClosed = this.#state.state === "closed" && this.#state.code !== null;
    this.#text.textContent = this.#words();
    this.#retry.hidden = isClosed || this.#state.paused === true;
    this.#reload.hidden = !isClosed;
    this.#banner.hidden = false;
  }

  #words() {
    const inS = Math.ceil((this.#retryAtMs - performance.now()) / 1000);
    if (this.#state?.state === "closed") {
      return "The server has ended this connection. What you wrote is kept on this device.";
    }
    if (this.#state?.paused) return `Paused: the server is cut off at present. ${KEPT}`;
    if (this.#state?.state === "offline") return `You are offline. ${KEPT}`;
    return `Reconnecting ${inS > 0 ? `in ${inS} s` : "now"}. ${KEPT}`;
  }
}
