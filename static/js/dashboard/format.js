// @ts-check
/** How numbers and times are written on the dashboard. */

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const exact = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat("en", {
  hour: "2-digit", minute: "2-digit", hourCycle: "h23",
});
const day = new Intl.DateTimeFormat("en", { day: "numeric", month: "short" });

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/** A count. @param {number} value */
export function count(value) {
  return whole.format(value);
}

/** A rate: small ones with a tenth. @param {number} value */
export function rate(value) {
  return value < 10 ? exact.format(value) : whole.format(value);
}

/** @param {number} value @returns {[string, string]} the number and its unit */
export function bytes(value) {
  if (value < 1024) return [whole.format(value), "B"];
  if (value < 1024 * 1024) return [exact.format(value / 1024), "KiB"];
  return [exact.format(value / 1024 / 1024), "MiB"];
}

/** @param {number} timeMs @param {number} [nowMs] */
export function ago(timeMs, nowMs = Date.now()) {
  const passedMs = nowMs - timeMs;
  if (passedMs < MINUTE_MS) return "just now";
  if (passedMs < 60 * MINUTE_MS) return `${Math.floor(passedMs / MINUTE_MS)} min ago`;
  return moment(timeMs, nowMs);
}

/** @param {number} timeMs @param {number} [nowMs] */
export function moment(timeMs, nowMs = Date.now()) {
  return (nowMs - timeMs < DAY_MS ? clock : day).format(timeMs);
}
