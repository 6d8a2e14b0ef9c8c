// @ts-check

/** @typedef {"5s" | "1m" | "5m" | "1h"} Interval */
/**
 * start (ms), open, high, low, close (ticks), volume (shares), trades
 * @typedef {[number, number, number, number, number, number, number]} Bar
 */

/** @type {Interval[]} */
export const INTERVALS = ["5s", "1m", "5m", "1h"];
const KEPT = 1_000;

/** The bars of one symbol: the state of its channel, and what came since. */
export class Candles {
  /** @type {Record<Interval, Bar[]>} oldest first */
  #bars = { "5s": [], "1m": [], "5m": [], "1h": [] };

  /** @param {Interval} interval @returns {readonly Bar[]} */
  bars(interval) {
    return this.#bars[interval];
  }

  /** @param {Interval} interval @returns {Bar | undefined} */
  newest(interval) {
    return this.#bars[interval].at(-1);
  }

  /** @param {Interval} interval @param {number} start @returns {Bar | undefined} */
  at(interval, start) {
    return this.#bars[interval].findLast((bar) => bar[0] === start);
  }

  /** Begin anew. @param {Record<Interval, Bar[]>} bars */
  begin(bars) {
    for (const interval of INTERVALS) this.#bars[interval] = [...bars[interval]];
  }

  /**
   * Take a bar, open or closed, in any order: of two versions the one with more trades is
   * the newer.
   *
   * @param {Interval} interval
   * @param {Bar} bar
   * @returns {boolean} whether it was new
   */
  take(interval, bar) {
    const bars = this.#bars[interval];
    let at = bars.length;
    while (at && bars[at - 1][0] > bar[0]) at -= 1;
    const known = at ? bars[at - 1] : undefined;
    if (known?.[0] !== bar[0]) bars.splice(at, 0, bar);
    else if (bar[6] > known[6]) bars[at - 1] = bar;
    else return false;
    if (bars.length > KEPT) bars.shift();
    return true;
  }
}
