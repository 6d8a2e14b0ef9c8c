// @ts-check

import { onSchemeChange, tokenColor } from "../colors.js";

/** @typedef {import("./figures.js").Figures} Figures */

const SHOWN_S = 180;

/** Deliveries per second, moving; drawn by the bundled chart library. */
export class Plot {
  #charts;
  #chart;
  #series;
  #newestS = 0;

  /** @param {HTMLElement} root @param {any} charts the module `vendor/charts.js` */
  constructor(root, charts) {
    this.#charts = charts;
    this.#chart = charts.createChart(root, {
      autoSize: true,
      handleScroll: false,
      handleScale: false,
      layout: { attributionLogo: false },
      rightPriceScale: { borderVisible: false, scaleMargins: { top: 0.12, bottom: 0 } },
      timeScale: {
        borderVisible: false, timeVisible: true, secondsVisible: true,
        tickMarkFormatter: timeOfDay,
      },
      localization: { timeFormatter: timeOfDay, priceFormatter: whole },
      crosshair: { mode: charts.CrosshairMode.Magnet, horzLine: { visible: false, labelVisible: false } },
    });
    this.#series = this.#chart.addSeries(charts.AreaSeries, {
      lineWidth: 2, priceLineVisible: false, lastValueVisible: true,
      autoscaleInfoProvider: fromNought,
    });
    this.#paint();
    onSchemeChange(() => this.#paint());
  }

  /** @param {Figures[]} all oldest first, at least one */
  show(all) {
    const points = all.map((one) => ({
      time: Math.floor(one.time / 1000), value: one.deliveries_per_s,
    }));
    const rising = points.filter((point, at) => at === 0 || point.time > points[at - 1].time);
    const newest = rising[rising.length - 1];
    if (newest.time <= this.#newestS) return;
    this.#newestS = newest.time;
    // What is missing before the server's start is empty, so that the plot moves at one pace.
    const first = newest.time - SHOWN_S;
    const gaps = [];
    for (let time = first; time < rising[0].time; time += 1) gaps.push({ time });
    this.#series.setData([...gaps, ...rising.filter((point) => point.time >= first)]);
    this.#chart.timeScale().fitContent();
  }

  #paint() {
    const line = tokenColor("--series-1");
    this.#chart.applyOptions({
      layout: {
        background: { type: this.#charts.ColorType.Solid, color: "transparent" },
        textColor: tokenColor("--muted"), fontSize: 11,
        fontFamily: getComputedStyle(document.body).fontFamily,
      },
      grid: { vertLines: { visible: false }, horzLines: { color: tokenColor("--line") } },
      crosshair: {
        vertLine: {
          color: tokenColor("--line-strong"), labelBackgroundColor: tokenColor("--accent-solid"),
        },
      },
    });
    this.#series.applyOptions({
      lineColor: line, topColor: tokenColor("--series-1", 0.22),
      bottomColor: tokenColor("--series-1", 0),
    });
  }
}

/** A quiet hub is a line at the foot, not one in the middle. @param {() => any} original */
function fromNought(original) {
  const found = original();
  if (found) found.priceRange = { minValue: 0, maxValue: Math.max(10, found.priceRange.maxValue) };
  return found;
}

/** @param {number} timeS */
function timeOfDay(timeS) {
  return new Date(timeS * 1000).toLocaleTimeString("en", { hourCycle: "h23" });
}

/** @param {number} value */
function whole(value) {
  return Math.round(value).toLocaleString("en");
}
