// @ts-check
import { PriceRow } from "./price-row.js";

/** @typedef {import("./board.js").Row} Row */
/** @typedef {"symbol" | "name" | "last" | "change"} SortKey */

const RESORT_MS = 2_000;

/** @type {Record<SortKey, (a: Row, b: Row) => number>} */
const ORDERS = {
  symbol: (a, b) => a.symbol.localeCompare(b.symbol),
  name: (a, b) => a.name.localeCompare(b.name),
  last: (a, b) => priceOf(a) - priceOf(b),
  change: (a, b) => a.change / a.prev - b.change / b.prev,
};

/** The table of prices: sorted, filtered, walked through with the arrow keys. */
export class PriceTable {
  /** Called with the symbol that the visitor chose. @type {(symbol: string) => void} */
  onchoose = () => {};

  #table;
  #body;
  #filter;
  #none;
  /** @type {ReadonlyMap<string, Row>} */
  #board = new Map();
  /** @type {Map<string, PriceRow>} */
  #rows = new Map();
  #chosen = "";
  /** @type {SortKey} */
  #key = "symbol";
  #isDescending = false;
  #decimals = 0;

  // Lifecycle

  /**
   * @param {HTMLElement} table
   * @param {HTMLElement} body  its tbody
   * @param {HTMLInputElement} filter
   * @param {HTMLElement} none  shown when nothing matches
   */
  constructor(table, body, filter, none) {
    this.#table = table;
    this.#body = body;
    this.#filter = filter;
    this.#none = none;
    for (const button of table.querySelectorAll("[data-sort]")) {
      const key = /** @type {SortKey} */ (/** @type {HTMLElement} */ (button).dataset.sort);
      button.addEventListener("click", () => this.#sortBy(key));
    }
    body.addEventListener("click", (event) => this.#clicked(event));
    body.addEventListener("keydown", (event) => this.#walk(event));
    filter.addEventListener("input", () => this.#sift());
    filter.addEventListener("keydown", (event) => this.#filterKey(event));
    setInterval(() => this.#resort(), RESORT_MS);
  }

  // Actions

  /** Begin anew. @param {ReadonlyMap<string, Row>} board */
  begin(board) {
    const isSame = [...board.keys()].join() === [...this.#rows.keys()].join();
    this.#board = board;
    if (isSame) return;
    this.#rows = new Map([...board].map(([symbol, row]) => [symbol, new PriceRow(row)]));
    this.#decimals = Math.max(...[...this.#rows.values()].map((row) => row.decimals));
    this.#table.removeAttribute("aria-busy");
    this.#body.replaceChildren();
    this.#arrange();
    this.#sift();
    this.choose(this.#chosen);
  }

  /** @param {Iterable<string>} symbols  those that changed */
  paint(symbols) {
    for (const symbol of symbols) {
      const row = this.#board.get(symbol);
      if (row) this.#rows.get(symbol)?.paint(row, this.#decimals);
    }
  }

  /** Mark a symbol as the one that is open. @param {string} symbol */
  choose(symbol) {
    this.#chosen = symbol;
    for (const [each, { element }] of this.#rows) {
      element.setAttribute("aria-selected", String(each === symbol));
    }
    this.#makeTabStop(this.#rows.get(symbol)?.element);
  }

  focusFilter() {
    this.#filter.focus();
    this.#filter.select();
  }

  // Internal

  /** @returns {HTMLElement[]} those shown, in their order */
  get #shown() {
    const rows = /** @type {HTMLElement[]} */ ([...this.#body.children]);
    return rows.filter((row) => !row.hidden && row.dataset.symbol);
  }

  /** One row can be reached by Tab. @param {HTMLElement | undefined} row */
  #makeTabStop(row) {
    const stop = row && !row.hidden ? row : this.#shown[0];
    for (const { element } of this.#rows.values()) {
      element.tabIndex = element === stop ? 0 : -1;
    }
  }

  /** @param {Event} event @returns {HTMLElement | null} */
  #rowOf(event) {
    return /** @type {Element} */ (event.target).closest("tr[data-symbol]");
  }

  /** @param {Event} event */
  #clicked(event) {
    const symbol = this.#rowOf(event)?.dataset.symbol;
    if (symbol) this.onchoose(symbol);
  }

  /** @param {KeyboardEvent} event */
  #walk(event) {
    const row = this.#rowOf(event);
    if (!row || event.ctrlKey || event.metaKey || event.altKey) return;
    const rows = this.#shown;
    const at = rows.indexOf(row);
    /** @type {Record<string, () => void>} */
    const moves = {
      ArrowDown: () => this.#focus(rows[at + 1]),
      ArrowUp: () => this.#focus(rows[at - 1] ?? this.#filter),
      Home: () => this.#focus(rows[0]),
      End: () => this.#focus(rows.at(-1)),
      Enter: () => this.onchoose(row.dataset.symbol ?? ""),
      " ": () => this.onchoose(row.dataset.symbol ?? ""),
    };
    if (!(event.key in moves)) return;
    event.preventDefault();
    moves[event.key]();
  }

  /** @param {HTMLElement | undefined} element */
  #focus(element) {
    if (element && element !== this.#filter) this.#makeTabStop(element);
    element?.focus();
  }

  /** @param {KeyboardEvent} event */
  #filterKey(event) {
    const [first] = this.#shown;
    if (event.key === "ArrowDown") this.#focus(first);
    else if (event.key === "Enter" && first) this.onchoose(first.dataset.symbol ?? "");
    else if (event.key === "Escape" && this.#filter.value) this.#clear();
    else return;
    event.preventDefault();
  }

  #clear() {
    this.#filter.value = "";
    this.#sift();
  }

  #sift() {
    const words = this.#filter.value.trim().toLowerCase();
    for (const row of this.#rows.values()) row.element.hidden = !row.matches(words);
    this.#none.hidden = this.#rows.size === 0 || this.#shown.length > 0;
    this.#makeTabStop(this.#rows.get(this.#chosen)?.element);
  }

  /** @param {SortKey} key */
  #sortBy(key) {
    const isWord = key === "symbol" || key === "name";
    this.#isDescending = key === this.#key ? !this.#isDescending : !isWord;
    this.#key = key;
    for (const button of this.#table.querySelectorAll("[data-sort]")) {
      const isKey = /** @type {HTMLElement} */ (button).dataset.sort === key;
      const order = this.#isDescending ? "descending" : "ascending";
      button.parentElement?.setAttribute("aria-sort", isKey ? order : "none");
    }
    this.#arrange();
  }

  /** Rows do not move away under a pointer or a focus. */
  #resort() {
    if (document.hidden || this.#key === "symbol" || this.#key === "name") return;
    if (this.#body.matches(":hover, :focus-within")) return;
    this.#arrange();
  }

  #arrange() {
    const order = ORDERS[this.#key];
    const rows = [...this.#board.values()].sort(order);
    if (this.#isDescending) rows.reverse();
    rows.forEach((row, at) => {
      const element = this.#rows.get(row.symbol)?.element;
      const there = this.#body.children[at] ?? null;
      if (element && element !== there) this.#body.insertBefore(element, there);
    });
  }
}

// Internal

/** @param {Row} row */
function priceOf(row) {
  return row.last * Number(row.tick);
}
