// @ts-check
import { onSchemeChange, tokenColor } from "../colors.js";
import { chartOptions, candleOptions, volumeOptions } from "./chart-looks.js";

/**
 * @typedef {import("./candles.js").Bar} Bar
 * @typedef {import("./candles.js").Interval} Interval
 * @typedef {import("./figures.js").Figures} Figures
 */

const MOST_BARS = 120;
const BAR_WIDTH_PX = 6;
const ROOM_AT_THE_END = 3;

/** The plot of one symbol's bars: candles, and the volume below them. */
export class PriceChart {
  /** Called with the start (ms) of the bar under the pointer; null where there is none.
   * @type {(start: number | null) => void} */
  onpoint = () => {};

  #library;
  #container;
  #chart;
  #candles;
  #volumes;
  /** @type {Figures | null} */
  #figures = null;
  #isEmpty = true;
  /** Start of the newest bar in seconds. */
  #newest = 0;
  #colors = { up: "", down: "" };

  // Lifecycle

  /**
   * @param {any} library  the module of lightweight-charts
   * @param {HTMLElement} container
   */
  constructor(library, container) {
    this.#library = library;
    this.#container = container;
    this.#chart = library.createChart(container, chartOptions(library));
    this.#candles = this.#chart.addSeries(library.CandlestickSeries, candleOptions());
    this.#volumes = this.#chart.addSeries(library.HistogramSeries, volumeOptions());
    this.#volumes.priceScale().applyOptions({ scaleMargins: { top: 0.84, bottom: 0 } });
    this.#candles.priceScale().applyOptions({ scaleMargins: { top: 0.1, bottom: 0.2 } });
    this.#readColors();
    onSchemeChange(() => this.#repaint());
    this.#chart.subscribeCrosshairMove((/** @type {any} */ { time }) => {
      this.onpoint(typeof time === "number" ? time * 1_000 : null);
    });
  }

  /** @param {string} address  of the bundled library @param {HTMLElement} container */
  static async load(address, container) {
    return new PriceChart(await import(address), container);
  }

  // Actions

  /**
   * Show other bars, the newest at the right.
   * @param {readonly Bar[]} bars @param {Figures} figures @param {Interval} interval
   */
  show(bars, figures, interval) {
    this.#figures = figures;
    const minMove = figures.tick;
    const priceFormat = { type: "price", precision: figures.decimals, minMove };
    this.#candles.applyOptions({ priceFormat });
    this.#chart.timeScale().applyOptions({ secondsVisible: interval === "5s" });
    this.#candles.setData(bars.map((bar) => this.#candle(bar)));
    this.#volumes.setData(bars.map((bar) => this.#volume(bar)));
    this.#isEmpty = bars.length === 0;
    this.#newest = (bars.at(-1)?.[0] ?? 0) / 1_000;
    this.#showNewest(bars.length);
  }

  clear() {
    this.#candles.setData([]);
    this.#volumes.setData([]);
    this.#isEmpty = true;
    this.#newest = 0;
  }

  /** A bar changed, or a new one began. @param {Bar} bar */
  update(bar) {
    if (this.#isEmpty && this.#figures === null) return;
    const isOlder = bar[0] / 1_000 < this.#newest;
    this.#candles.update(this.#candle(bar), isOlder);
    this.#volumes.update(this.#volume(bar), isOlder);
    this.#newest = Math.max(this.#newest, bar[0] / 1_000);
    this.#isEmpty = false;
  }

  // Internal

  /** @param {number} count */
  #showNewest(count) {
    const scale = this.#chart.timeScale();
    const fitting = Math.floor(this.#container.clientWidth / BAR_WIDTH_PX);
    const shown = Math.min(MOST_BARS, fitting);
    // A few bars are not blown up to the whole width.
    const from = Math.max(count - shown, Math.min(0, count - shown / 3));
    scale.setVisibleLogicalRange({ from, to: count + ROOM_AT_THE_END });
    this.#candles.priceScale().applyOptions({ autoScale: true });
  }

  /** @param {Bar} bar */
  #candle([start, open, high, low, close]) {
    const figures = /** @type {Figures} */ (this.#figures);
    return {
      time: start / 1_000,
      open: figures.number(open), high: figures.number(high),
      low: figures.number(low), close: figures.number(close),
    };
  }

  /** @param {Bar} bar */
  #volume([start, open, , , close, volume]) {
    const color = close < open ? this.#colors.down : this.#colors.up;
    return { time: start / 1_000, value: volume, color };
  }

  #readColors() {
    this.#colors = {
      up: tokenColor("--up", 0.28, this.#container),
      down: tokenColor("--down", 0.28, this.#container),
    };
  }

  #repaint() {
    this.#readColors();
    this.#chart.applyOptions(chartOptions(this.#library));
    this.#candles.applyOptions(candleOptions());
    const candles = this.#candles.data();
    this.#volumes.setData(this.#volumes.data().map((/** @type {any} */ bar, /** @type {number} */ at) => {
      const { open, close } = candles[at];
      return { ...bar, color: close < open ? this.#colors.down : this.#colors.up };
    }));
  }
}
