// @ts-check
/** How the chart looks: the stylesheet's tokens as the options of lightweight-charts. */

import { tokenColor } from "../colors.js";
import { volume } from "./figures.js";

/** The plot's times are the visitor's own. */
const hours = /** @type {const} */ ({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const days = /** @type {const} */ ({ day: "numeric", month: "short" });
const clock = new Intl.DateTimeFormat(undefined, hours);
const seconds = new Intl.DateTimeFormat(undefined, { ...hours, second: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, days);
const moment = new Intl.DateTimeFormat(undefined, { ...days, ...hours, second: "2-digit" });

/** A time of today or yesterday. @param {number} timeMs */
export function clockText(timeMs) {
  return seconds.format(timeMs);
}

/** @param {any} library */
export function chartOptions(library) {
  const line = tokenColor("--line");
  const strong = tokenColor("--line-strong");
  const label = tokenColor("--sunken");
  return {
    autoSize: true,
    layout: {
      // Its logo would need a style element, which this site's policy forbids. The
      // page has the notice and the link that the licence asks for.
      attributionLogo: false,
      background: { type: library.ColorType.Solid, color: tokenColor("--surface") },
      textColor: tokenColor("--muted"),
      fontFamily: getComputedStyle(document.body).fontFamily,
      fontSize: 11,
    },
    grid: {
      vertLines: { visible: false },
      horzLines: { color: line },
    },
    crosshair: {
      mode: library.CrosshairMode.Normal,
      vertLine: { color: strong, labelBackgroundColor: label },
      horzLine: { color: strong, labelBackgroundColor: label },
    },
    rightPriceScale: { borderVisible: false },
    timeScale: {
      borderColor: line, timeVisible: true, minBarSpacing: 1.5,
      tickMarkFormatter: (/** @type {number} */ time, /** @type {number} */ type) =>
        markText(library.TickMarkType, time * 1_000, type),
    },
    localization: {
      timeFormatter: (/** @type {number} */ time) => moment.format(time * 1_000),
    },
    // A finger that moves up and down wants to scroll the page.
    handleScroll: { vertTouchDrag: false },
  };
}

/** Up is hollow and down is filled, so that the two differ without their colours. */
export function candleOptions() {
  const up = tokenColor("--up");
  const down = tokenColor("--down");
  return {
    upColor: tokenColor("--surface"), borderUpColor: up, wickUpColor: up,
    downColor: down, borderDownColor: down, wickDownColor: down,
    priceLineColor: tokenColor("--muted"),
  };
}

export function volumeOptions() {
  return {
    priceScaleId: "", lastValueVisible: false, priceLineVisible: false,
    priceFormat: { type: "custom", formatter: volume, minMove: 1 },
  };
}

// Internal

/** @param {any} types @param {number} time @param {number} type */
function markText(types, time, type) {
  if (type === types.TimeWithSeconds) return seconds.format(time);
  return type === types.Time ? clock.format(time) : day.format(time);
}
