// @ts-check

/** How a server says in its close reason when it wants this client back. */
const TOLD = /; retry (\d{1,5}) ms$/;
/** So much later than told, at most. */
const JITTER = 0.2;

/**
 * How long to wait before the next try: as the server said; else full jitter over a
 * window that doubles.
 */
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

  /**
   * The next delay in ms; without a time that is told, its window is twice the one before.
   *
   * @param {string} reason  of the close
   */
  next(reason = "") {
    const told = TOLD.exec(reason);
    if (told) return Number(told[1]) * (1 + JITTER * this.#random());
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
