// @ts-check

/**
 * Where time and chance come from; tests bring their own.
 * @typedef {object} Clock
 * @property {() => number} now  ms since 1970, never going back
 * @property {() => number} random  0 <= x < 1
 * @property {(act: () => void, delayMs: number) => any} setTimeout
 * @property {(handle: any) => void} clearTimeout
 */

/** At most one thing to be done later: a new start replaces it. */
export class Timer {
  #clock;
  /** @type {any} */
  #handle = null;
  #dueMs = 0;

  /** @param {Clock} clock */
  constructor(clock) {
    this.#clock = clock;
  }

  /** Milliseconds until it acts; null when nothing is to be done. */
  get leftMs() {
    return this.#handle === null ? null : Math.max(0, this.#dueMs - this.#clock.now());
  }

  /** @param {number} delayMs @param {() => void} act */
  start(delayMs, act) {
    this.stop();
    this.#dueMs = this.#clock.now() + delayMs;
    this.#handle = this.#clock.setTimeout(() => {
      this.#handle = null;
      act();
    }, delayMs);
  }

  stop() {
    if (this.#handle !== null) this.#clock.clearTimeout(this.#handle);
    this.#handle = null;
  }
}
