// @ts-check
import { h, icon } from "../dom.js";
import { Figures, directionOf, percent } from "./figures.js";
import { Sparkline } from "./sparkline.js";

/** @typedef {import("./board.js").Row} Row */

/** One symbol's row of the table. */
export class PriceRow {
  element;
  #figures;
  #spark = new Sparkline();
  #last = h("td", { class: "number" });
  #change = h("span", { class: "change" });
  #halt = h("span", { class: "prices__halt", hidden: true },
    icon("pause", { label: "Trading is halted", small: true }));
  /** What is painted. @type {Partial<Row>} */
  #painted = {};
  #searched;

  /** @param {Row} row */
  constructor(row) {
    this.#figures = new Figures(row.tick);
    this.#searched = `${row.symbol}\n${row.name}\n${row.sector}`.toLowerCase();
    this.element = h("tr", { "data-symbol": row.symbol, tabindex: -1, "aria-selected": "false" },
      h("th", { scope: "row" }, row.symbol, this.#halt),
      h("td", { class: "prices__name", title: `${row.name} · ${row.sector}` }, row.name),
      this.#last,
      h("td", { class: "number" }, this.#change),
      h("td", { class: "prices__hour" }, this.#spark.element),
    );
    // A flash that has faded may begin again.
    this.#last.addEventListener("animationend", () => delete this.#last.dataset.flash);
  }

  get decimals() {
    return this.#figures.decimals;
  }

  /** @param {string} words  lower case */
  matches(words) {
    return this.#searched.includes(words);
  }

  /** @param {Row} row @param {number} decimals  the most that any row has */
  paint(row, decimals) {
    const { last, change } = this.#painted;
    if (row.last !== last) {
      this.#last.textContent = this.#figures.aligned(row.last, decimals);
      this.#spark.draw(row.spark);
      if (last !== undefined) this.#last.dataset.flash = directionOf(row.last - last);
    }
    if (row.change !== change || row.prev !== this.#painted.prev) {
      this.#change.textContent = percent(row.change, row.prev);
      this.#change.dataset.direction = directionOf(row.change);
    }
    this.#halt.hidden = row.status !== "halted";
    this.#painted = { last: row.last, change: row.change, prev: row.prev };
  }
}
