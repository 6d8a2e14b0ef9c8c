// @ts-check

/** How long to wait before the next try: full jitter over a window that doubles. */
export class Backoff {
  #minDelayMs;
  #maxDelayMs;
  #random;
  #tries = 0;

  /** @param {{minDelayMs: number, maxDelayMs: number, random: () => number}} options */
  constructor({ minDelayMs, maxDelayMs, random }) {
    this.#minDelayMs = minDelayMs;
    this.#maxDelayMs = maxDelayMs;
    this.#random = random;
  }

  /** How many delays were given since the last reset. */
  get tries() {
    return this.#tries;
  }

  /** The next delay in ms; its window is twice the one before. */
  next() {
    const windowMs = this.#minDelayMs * 2 ** this.#tries++;
    return this.#random() * Math.min(this.#maxDelayMs, windowMs);
  }

  /** A delay in ms from the widest window, which leaves the others as they are. */
  longest() {
    return this.#random() * this.#maxDelayMs;
  }

  reset() {
    this.#tries = 0;
  }
}
