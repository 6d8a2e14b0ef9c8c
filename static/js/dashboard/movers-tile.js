// @ts-check

import { byId, h } from "../dom.js";

/**
 * @typedef {object} Quote see docs/reference/kinds.md
 * @property {string} symbol
 * @property {number} seq
 * @property {number} last in ticks
 * @property {number} prev
 * @property {number} change
 * @property {string} status
 *
 * @typedef {Quote & {name: string, tick: string}} Row
 */

const SHOWN = 5;
const MINUS = "\u2212";

/** The symbols whose price moved furthest since the day before. */
export class MoversTile {
  #body = byId("movers");
  #meta = byId("movers-meta");
  /** @type {Map<string, Row>} */
  #rows = new Map();
  /** @type {Map<string, number>} what each symbol's row said last */
  #shown = new Map();

  /** @param {{symbols: Row[]}} market the state of `ticker:market` */
  replace({ symbols }) {
    this.#rows = new Map(symbols.map((row) => [row.symbol, row]));
  }

  /** @param {Quote} quote */
  update(quote) {
    const row = this.#rows.get(quote.symbol);
    if (row && quote.seq > row.seq) Object.assign(row, quote);
  }

  paint() {
    if (this.#rows.size === 0) return;
    const movers = [...this.#rows.values()]
      .sort((a, b) => share(b) - share(a) || a.symbol.localeCompare(b.symbol))
      .slice(0, SHOWN);
    this.#body.replaceChildren(...movers.map((row) => this.#row(row)));
    this.#shown = new Map(movers.map((row) => [row.symbol, row.last]));
    this.#meta.textContent = `${this.#rows.size} symbols`;
  }

  /** @param {Row} row */
  #row(row) {
    const before = this.#shown.get(row.symbol);
    const moved = before === undefined || before === row.last ? null : row.last > before;
    const flash = moved === null ? {} : { flash: moved ? "up" : "down" };
    const direction = row.change > 0 ? "up" : row.change < 0 ? "down" : "flat";
    return h("tr", null,
      h("th", { scope: "row" }, row.symbol),
      h("td", { class: "mover__name muted truncate" }, row.name),
      h("td", { class: "number", dataset: flash }, price(row)),
      h("td", { class: "number" },
        h("span", { class: "change", dataset: { direction } }, percent(row))));
  }
}

/** @param {Row} row */
function share(row) {
  return Math.abs(row.change) / row.prev;
}

/** @param {Row} row */
function price({ last, tick }) {
  const decimals = tick.split(".")[1]?.length ?? 0;
  const value = last * Number(tick);
  return value.toLocaleString("en", {
    minimumFractionDigits: decimals, maximumFractionDigits: decimals,
  });
}

/** @param {Row} row */
function percent(row) {
  const value = (row.change / row.prev) * 100;
  const sign = value > 0 ? "+" : value < 0 ? MINUS : "";
  return `${sign}${Math.abs(value).toFixed(2)} %`;
}
