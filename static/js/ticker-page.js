// @ts-check
/** The ticker's page: the table of all prices, and the chart of the one that is open. */

import { byId, slot } from "./dom.js";
import { Hubbub } from "./hubbub.js";
import { takePast } from "./past.js";
import { announce, mountPill, socketUrl } from "./shell.js";
import { Board } from "./ticker/board.js";
import { INTERVALS } from "./ticker/candles.js";
import { Freshness, ageText } from "./ticker/freshness.js";
import { Painter } from "./ticker/painter.js";
import { Plot } from "./ticker/plot.js";
import { PriceTable } from "./ticker/price-table.js";
import { Quoted } from "./ticker/quoted.js";

/** @typedef {import("./ticker/candles.js").Interval} Interval */

const root = byId("ticker");
const problem = byId("ticker-problem");
const age = byId("freshness");
const asked = new URL(location.href).searchParams;

let symbol = asked.get("symbol")?.toUpperCase() ?? "";
/** Asked for, and not in this market. */
let unknown = "";
let interval = readInterval(asked.get("interval"));

const hub = new Hubbub({ url: socketUrl("/ws") });
const board = new Board();
const painter = new Painter(paint);
const quoted = new Quoted();
const plot = new Plot(hub, interval, () => painter.mark());
const table = new PriceTable(byId("prices"), byId("prices-body"),
  byId("filter", HTMLInputElement), byId("no-match"));
const freshness = new Freshness(showAge);

table.onchoose = open;
for (const input of radios()) {
  input.checked = input.value === interval;
  input.addEventListener("change", () => useInterval(readInterval(input.value)));
}
document.addEventListener("keydown", shortcut);
// While it first connects, the prices that the page came with grow old as any others do.
hub.addEventListener("state", () =>
  freshness.connected(["connecting", "live"].includes(hub.state) && !hub.paused));
mountPill().follow(hub);
hub.subscribe("ticker:market", {
  past: takePast("ticker:market"),
  onReply: (reply) => begin(reply.state),
  onEvent: (event) => {
    board.take(event.data);
    heard();
  },
  onError: (error) => show(`The market does not answer: ${error.message}.`),
});
hub.connect();
plot.load(root.dataset.charts ?? "");

// What comes

/** @param {{symbols: import("./ticker/board.js").Row[]}} state */
function begin(state) {
  board.begin(state);
  table.begin(board.rows);
  if (!board.rows.has(symbol)) {
    unknown = symbol;
    open(state.symbols[0].symbol);
  } else if (!plot.symbol) {
    open(symbol);
  }
  show(unknown && `There is no symbol ${unknown} in this market.`);
  heard();
}

function heard() {
  freshness.heard();
  painter.mark();
}

// What the visitor does

/** @param {string} chosen */
function open(chosen) {
  if (chosen === plot.symbol) return;
  symbol = chosen;
  table.choose(symbol);
  plot.open(symbol);
  keepAddress();
  // On a phone the chart stands above the list that was tapped.
  root.scrollTop = 0;
  painter.mark();
}

/** @param {Interval} chosen */
function useInterval(chosen) {
  interval = chosen;
  plot.setInterval(interval);
  for (const input of radios()) input.checked = input.value === interval;
  keepAddress();
}

/** @param {KeyboardEvent} event */
function shortcut(event) {
  const isTyping = /** @type {Element} */ (event.target).matches("input:not([type=radio])");
  if (isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
  const at = INTERVALS.indexOf(interval);
  if (event.key === "/") table.focusFilter();
  else if (event.key === "[" && at > 0) useInterval(INTERVALS[at - 1]);
  else if (event.key === "]" && at < INTERVALS.length - 1) useInterval(INTERVALS[at + 1]);
  else return;
  event.preventDefault();
}

// What is shown

function paint() {
  const dirty = [...board.dirty];
  board.dirty.clear();
  table.paint(dirty);
  const row = board.rows.get(symbol);
  if (row) quoted.paint(row);
  plot.paint();
}

/** @param {number | null} ageMs */
function showAge(ageMs) {
  const isStale = ageMs !== null;
  if (isStale && age.hidden) announce("The prices are no longer live");
  age.hidden = !isStale;
  slot(age, "age").textContent = isStale ? `${ageText(ageMs)} old` : "";
  for (const part of [byId("prices-body"), byId("plot-canvas"), ...quotedParts()]) {
    part.classList.toggle("is-stale", isStale);
  }
}

/** @param {string} text  empty hides it */
function show(text) {
  problem.hidden = !text;
  const place = problem.querySelector(".banner__text");
  if (place) place.textContent = text;
}

function keepAddress() {
  const address = new URL(location.href);
  address.searchParams.set("symbol", symbol);
  address.searchParams.set("interval", interval);
  history.replaceState(null, "", address);
}

/** @returns {HTMLInputElement[]} */
function radios() {
  return [...root.querySelectorAll("input[name=interval]")].filter(
    (input) => input instanceof HTMLInputElement,
  );
}

/** @returns {Element[]} */
function quotedParts() {
  return [...root.querySelectorAll(".quoted__price, .quoted__more")];
}

/** @param {string | null} text @returns {Interval} */
function readInterval(text) {
  return INTERVALS.find((each) => each === text) ?? "1m";
}
