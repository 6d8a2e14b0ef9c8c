// @ts-check
import { byId, h } from "../dom.js";
import { Candles } from "./candles.js";
import { clockText } from "./chart-looks.js";
import { Figures, percent, volume } from "./figures.js";
import { PriceChart } from "./price-chart.js";

/**
 * @typedef {import("./candles.js").Bar} Bar
 * @typedef {import("./candles.js").Interval} Interval
 * @typedef {import("../hubbub.js").Hubbub} Hubbub
 */

const TOLD_EVERY_MS = 5_000;
const LENGTHS = { "5s": "5 seconds", "1m": "1 minute", "5m": "5 minutes", "1h": "1 hour" };

/** The chart of the symbol that is open: its subscription, its bars, its legend. */
export class Plot {
  #hub;
  #onChange;
  #figure = byId("plot");
  #canvas = byId("plot-canvas");
  #legend = byId("legend");
  #note = byId("plot-note");
  /** @type {PriceChart | null} */
  #chart = null;
  /** @type {import("../hubbub.js").Subscription | null} */
  #subscription = null;
  #candles = new Candles();
  #figures = new Figures("1");
  #symbol = "";
  /** @type {Interval} */
  #interval;
  /** Bars that changed since the last paint, by start. @type {Map<number, Bar>} */
  #dirty = new Map();
  #isAnew = false;
  /** @type {number | null} */
  #pointed = null;
  #toldAt = 0;

  // Lifecycle

  /**
   * @param {Hubbub} hub
   * @param {Interval} interval
   * @param {() => void} onChange  there is something to paint
   */
  constructor(hub, interval, onChange) {
    this.#hub = hub;
    this.#interval = interval;
    this.#onChange = onChange;
  }

  /** @param {string} address  of the chart library; empty where it was not built */
  async load(address) {
    if (!address) {
      this.#say("The chart is missing", "The prices beside it are live.");
      return;
    }
    try {
      this.#chart = await PriceChart.load(address, this.#canvas);
    } catch {
      this.#say("The chart could not be loaded", "The prices are live. Reload to try again.");
      return;
    }
    this.#chart.onpoint = (start) => {
      this.#pointed = start;
      this.#paintLegend();
    };
    this.#begin();
  }

  /** The symbol that is open; empty before there is one. */
  get symbol() {
    return this.#symbol;
  }

  // Actions

  /** Show another symbol. @param {string} symbol */
  open(symbol) {
    this.#subscription?.unsubscribe();
    this.#symbol = symbol;
    this.#candles = new Candles();
    this.#figure.setAttribute("aria-busy", "true");
    this.#subscription = this.#hub.subscribe(`ticker:${symbol}`, {
      onReply: (reply, { recovered }) => this.#joined(reply.state, recovered),
      onEvent: (event) => {
        if (event.event === "bar") this.#take(event.data.interval, event.data.bar);
      },
    });
    this.#begin();
  }

  /** @param {Interval} interval */
  setInterval(interval) {
    this.#interval = interval;
    this.#begin();
  }

  /** Bring the chart up to date; called once a frame. */
  paint() {
    const chart = this.#chart;
    if (!chart) return;
    if (this.#isAnew) {
      chart.show(this.#candles.bars(this.#interval), this.#figures, this.#interval);
    } else {
      // In the order of their time, as the chart needs them.
      const bars = [...this.#dirty.values()].sort((a, b) => a[0] - b[0]);
      for (const bar of bars) chart.update(bar);
    }
    this.#isAnew = false;
    this.#dirty.clear();
    this.#paintLegend();
    this.#tell();
  }

  // Internal

  /** @param {any} state @param {boolean} recovered */
  #joined(state, recovered) {
    this.#figures = new Figures(state.tick);
    this.#figure.removeAttribute("aria-busy");
    if (!recovered) {
      this.#candles.begin(state.bars);
      this.#begin();
      return;
    }
    for (const [interval, bars] of Object.entries(state.bars)) {
      for (const bar of bars) this.#take(/** @type {Interval} */ (interval), bar);
    }
  }

  /** @param {Interval} interval @param {Bar} bar */
  #take(interval, bar) {
    if (!this.#candles.take(interval, bar) || interval !== this.#interval) return;
    this.#dirty.set(bar[0], bar);
    this.#onChange();
  }

  #begin() {
    this.#isAnew = true;
    this.#dirty.clear();
    this.#pointed = null;
    this.#onChange();
  }

  /** The bar under the pointer, or the newest one. */
  get #shownBar() {
    const pointed = this.#pointed;
    const found = pointed === null ? undefined : this.#candles.at(this.#interval, pointed);
    return found ?? this.#candles.newest(this.#interval);
  }

  #paintLegend() {
    const bar = this.#shownBar;
    if (!bar) {
      this.#legend.replaceChildren();
      return;
    }
    const [start, open, high, low, close, shares] = bar;
    const price = (/** @type {number} */ ticks) => this.#figures.price(ticks);
    this.#legend.replaceChildren(
      h("b", null, clockText(start)),
      "O ", h("b", null, price(open)), "H ", h("b", null, price(high)),
      "L ", h("b", null, price(low)), "C ", h("b", null, price(close)),
      h("span", { class: "plot__rest" },
        h("b", null, percent(close - open, open)), "V ", h("b", null, volume(shares))),
    );
  }

  /** The chart in words, for those who do not see it. */
  #tell() {
    const now = performance.now();
    const bars = this.#candles.bars(this.#interval);
    if (!bars.length || (now - this.#toldAt < TOLD_EVERY_MS && this.#toldAt)) return;
    this.#toldAt = now;
    const low = this.#figures.price(Math.min(...bars.map((bar) => bar[3])));
    const high = this.#figures.price(Math.max(...bars.map((bar) => bar[2])));
    const last = this.#figures.price(bars[bars.length - 1][4]);
    this.#canvas.setAttribute("aria-label",
      `${this.#symbol}: ${bars.length} bars of ${LENGTHS[this.#interval]}, ` +
      `from ${low} to ${high}, last ${last}`);
  }

  /** @param {string} title @param {string} text */
  #say(title, text) {
    this.#figure.removeAttribute("aria-busy");
    this.#note.hidden = false;
    this.#note.replaceChildren(h("strong", null, title), h("span", null, text));
  }
}
