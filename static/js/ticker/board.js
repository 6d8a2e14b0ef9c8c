// @ts-check

/**
 * @typedef {object} Quote  docs/reference/kinds.md; prices in ticks, times in ms
 * @property {string} symbol
 * @property {number} seq
 * @property {number} last
 * @property {number} bid
 * @property {number} ask
 * @property {number} volume
 * @property {number} prev
 * @property {number} change
 * @property {"trading" | "halted"} status
 * @property {number} [until]
 * @property {number} time
 *
 * @typedef {Quote & {name: string, sector: string, tick: string, spark: number[]}} Row
 */

const SPARK_LENGTH = 60;
const MINUTE_MS = 60_000;

/** The quotes of all symbols: the state of `ticker:market`, and what came since. */
export class Board {
  /** @type {Map<string, Row>} */
  rows = new Map();
  /** Symbols that changed since it was last emptied. @type {Set<string>} */
  dirty = new Set();
  /** The minute of each spark's last point. @type {Map<string, number>} */
  #minutes = new Map();

  /** Begin anew. @param {{symbols: Row[]}} state */
  begin(state) {
    this.rows = new Map(state.symbols.map((row) => [row.symbol, row]));
    for (const row of state.symbols) {
      this.dirty.add(row.symbol);
      this.#minutes.set(row.symbol, minuteOf(row));
    }
  }

  /** @param {Quote} quote  one older than what is known changes nothing */
  take(quote) {
    const row = this.rows.get(quote.symbol);
    if (!row || quote.seq < row.seq) return;
    if (quote.volume !== row.volume) this.#traded(row.spark, quote);
    Object.assign(row, quote);
    this.dirty.add(quote.symbol);
  }

  /** The open minute is the last point. @param {number[]} spark @param {Quote} quote */
  #traded(spark, quote) {
    const minute = minuteOf(quote);
    if (minute === this.#minutes.get(quote.symbol)) spark.pop();
    this.#minutes.set(quote.symbol, minute);
    spark.push(quote.last);
    if (spark.length > SPARK_LENGTH) spark.shift();
  }
}

// Internal

/** @param {Quote} quote */
function minuteOf(quote) {
  return Math.floor(quote.time / MINUTE_MS);
}
