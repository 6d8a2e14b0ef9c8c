// @ts-check
/** Times as they are read: the visitor's own zone and language; from ms since 1970. */

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
const WHOLE = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "short" });
const WEEKDAY = new Intl.DateTimeFormat(undefined, {
  weekday: "long", day: "numeric", month: "long",
});
const DAY_OF_YEAR = new Intl.DateTimeFormat(undefined, {
  weekday: "long", day: "numeric", month: "long", year: "numeric",
});
const SHORT_DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const RELATIVE = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });

/** @param {number} timeMs */
export const clock = (timeMs) => CLOCK.format(timeMs);

/** @param {number} timeMs @returns {string} day and time, for a title */
export const whole = (timeMs) => WHOLE.format(timeMs);

/** @param {number} timeMs @returns {string} equal for two times of one day */
export const dayKey = (timeMs) => new Date(timeMs).toDateString();

/** @param {number} timeMs @param {number} nowMs @returns {string} for a day line */
export function day(timeMs, nowMs) {
  const daysAgo = calendarDay(nowMs) - calendarDay(timeMs);
  if (daysAgo === 0 || daysAgo === 1) return capitalised(RELATIVE.format(-daysAgo, "day"));
  const sameYear = new Date(timeMs).getFullYear() === new Date(nowMs).getFullYear();
  return (sameYear ? WEEKDAY : DAY_OF_YEAR).format(timeMs);
}

/** @param {number} timeMs @param {number} nowMs @returns {string} the time, or the day */
export function brief(timeMs, nowMs) {
  return dayKey(timeMs) === dayKey(nowMs) ? clock(timeMs) : SHORT_DAY.format(timeMs);
}

/** A day's number, without the hours that summer time adds. @param {number} timeMs */
function calendarDay(timeMs) {
  const date = new Date(timeMs);
  return Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()) / 86_400_000;
}

/** @param {string} text */
const capitalised = (text) => text.charAt(0).toLocaleUpperCase() + text.slice(1);
