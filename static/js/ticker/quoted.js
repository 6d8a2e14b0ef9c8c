// @ts-check
import { byId } from "../dom.js";
import { clockText } from "./chart-looks.js";
import { Figures, directionOf, percent, volume } from "./figures.js";

/** @typedef {import("./board.js").Row} Row */

/** The heading of the chart: the symbol that is open, and its prices. */
export class Quoted {
  #symbol = byId("quoted-symbol");
  #name = byId("quoted-name");
  #halt = byId("quoted-halt");
  #last = byId("quoted-last");
  #change = byId("quoted-change");
  #bid = byId("quoted-bid");
  #ask = byId("quoted-ask");
  #volume = byId("quoted-volume");
  #shown = "";
  /** @type {number | null} */
  #painted = null;
  #figures = new Figures("1");

  constructor() {
    this.#last.addEventListener("animationend", () => delete this.#last.dataset.flash);
  }

  /** @param {Row} row */
  paint(row) {
    if (row.symbol !== this.#shown) this.#open(row);
    const figures = this.#figures;
    if (this.#painted !== null && this.#painted !== row.last) {
      this.#last.dataset.flash = directionOf(row.last - this.#painted);
    }
    this.#painted = row.last;
    this.#last.textContent = figures.price(row.last);
    this.#change.textContent =
      `${figures.change(row.change)} (${percent(row.change, row.prev)})`;
    this.#change.dataset.direction = directionOf(row.change);
    this.#bid.textContent = figures.price(row.bid);
    this.#ask.textContent = figures.price(row.ask);
    this.#volume.textContent = volume(row.volume);
    this.#halt.hidden = row.status !== "halted";
    if (row.until) this.#halt.textContent = `Halted until ${clockText(row.until)}`;
  }

  /** @param {Row} row */
  #open(row) {
    this.#shown = row.symbol;
    this.#painted = null;
    this.#figures = new Figures(row.tick);
    this.#symbol.textContent = row.symbol;
    this.#name.textContent = `${row.name} · ${row.sector}`;
    delete this.#last.dataset.flash;
  }
}
