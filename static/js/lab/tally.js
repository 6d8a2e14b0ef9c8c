// @ts-check

const SEEN = 1;
const TOLD = 2;

/**
 * @typedef {object} Counts
 * @property {number} received
 * @property {number} missed numbers that were neither seen nor told of
 * @property {number} recovered of the received: after a return
 * @property {number} doubled
 * @property {number} merged signals, as the server told
 * @property {number} skipped signals, as the server told
 * @property {number} told numbers that the server said cannot be resumed
 * @property {number} resets times that it said so
 * @property {number} disordered that came after a later one
 */

/**
 * Checks by the flood's own numbers what came. It knows nothing of positions: what the
 * client module claims is not believed here.
 */
export class Tally {
  /** @type {Counts} */
  counts = zero();
  #flood = "";
  /** @type {Uint8Array} by number */
  #fate = new Uint8Array(0);
  #last = 0;
  #cut = false;

  /** Begin at nought. */
  clear() {
    this.counts = zero();
    this.#cut = false;
  }

  /**
   * A numbered publication came.
   * @param {string} flood
   * @param {number} n from 1
   * @param {boolean} recovered
   */
  see(flood, n, recovered) {
    this.#enter(flood, n);
    const { counts } = this;
    if (this.#fate[n] === SEEN) {
      counts.doubled += 1;
      return;
    }
    if (n > this.#last) {
      this.#jump(n);
    } else {
      // It was counted as not there when a later one came.
      counts.disordered += 1;
      if (this.#fate[n] === TOLD) counts.told -= 1;
      else counts.missed -= 1;
    }
    this.#fate[n] = SEEN;
    counts.received += 1;
    if (recovered) counts.recovered += 1;
  }

  /** A signal came: it promises nothing but to be counted. */
  hear() {
    this.counts.received += 1;
  }

  /** @param {{merged: number, skipped: number}} gap */
  gap({ merged, skipped }) {
    this.counts.merged += merged;
    this.counts.skipped += skipped;
  }

  /** The server said that what comes next does not join on. */
  cut() {
    this.#cut = true;
    this.counts.resets += 1;
  }

  /** The flood is over. @param {string} flood @param {number} sent */
  end(flood, sent) {
    this.#enter(flood, sent);
    if (sent > this.#last) this.#jump(sent + 1);
  }

  /** @param {string} flood @param {number} n */
  #enter(flood, n) {
    if (flood !== this.#flood) {
      this.#flood = flood;
      this.#fate = new Uint8Array(1024);
      this.#last = 0;
    }
    if (n + 1 < this.#fate.length) return;
    const wider = new Uint8Array(2 * n + 2);
    wider.set(this.#fate);
    this.#fate = wider;
  }

  /** From the last number to `n`: all in between did not come. @param {number} n */
  #jump(n) {
    const absent = n - this.#last - 1;
    if (this.#cut) {
      this.counts.told += absent;
      this.#fate.fill(TOLD, this.#last + 1, n);
    } else {
      this.counts.missed += absent;
    }
    this.#cut = false;
    this.#last = n;
  }
}

/** @returns {Counts} */
function zero() {
  return {
    received: 0, missed: 0, recovered: 0, doubled: 0, merged: 0, skipped: 0, told: 0,
    resets: 0, disordered: 0,
  };
}
