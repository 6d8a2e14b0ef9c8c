// @ts-check

import { byId, h } from "../dom.js";
import { repaint } from "../dashboard/repaint.js";
import { MAX_CHARS } from "./frames.js";

/** @typedef {import("./frames.js").Frame} Frame */

const MAX_EVENTS = 120;
const MAX_OTHERS = 80;
const MAX_WAITING = 100;
const ARROWS = { in: "\u2190", out: "\u2192", "": "\u00b7" };

/** The raw frames as they come, newest on top; it can be held still. */
export class Drawer {
  #list = byId("frames");
  #empty = byId("frames-empty");
  #pause = byId("frames-pause", HTMLButtonElement);
  #word = byId("frames-pause-word");
  #meta = byId("frames-meta");
  /** @type {{frames: Frame[], hidden: number}[]} */
  #waiting = [];
  #seen = 0;
  /** The rows that stand, oldest first: a flood must not wash away what is rare. */
  #events = new Rows(MAX_EVENTS);
  #others = new Rows(MAX_OTHERS);
  #paint = repaint(() => this.#show());

  constructor() {
    this.#pause.addEventListener("click", () => this.#toggle());
  }

  get paused() {
    return this.#pause.getAttribute("aria-pressed") === "true";
  }

  /** @param {Frame[]} frames in order @param {number} hidden how many more there were */
  add(frames, hidden) {
    if (frames.length === 0) return;
    this.#seen += frames.filter((frame) => frame.dir !== "").length + hidden;
    this.#meta.textContent = this.#seen.toLocaleString("en");
    this.#waiting.push({ frames, hidden });
    // What would not stand in the drawer any more need not wait for it.
    if (this.#waiting.length > MAX_WAITING) this.#waiting.shift();
    if (!this.paused) this.#paint();
  }

  #toggle() {
    const paused = !this.paused;
    this.#pause.setAttribute("aria-pressed", String(paused));
    this.#word.textContent = paused ? "Resume" : "Pause";
    if (!paused) this.#paint();
  }

  #show() {
    if (this.paused) return;
    this.#empty.hidden = true;
    for (const { frames, hidden } of this.#waiting) {
      if (hidden > 0) this.#put(skipped(hidden), this.#events);
      for (const frame of frames) {
        this.#put(row(frame), isEvent(frame) ? this.#events : this.#others);
      }
    }
    this.#waiting = [];
  }

  /** @param {HTMLElement} element @param {Rows} rows */
  #put(element, rows) {
    rows.add(element);
    this.#list.prepend(element);
  }
}

/** Rows of one sort, as many as there may be. */
class Rows {
  #most;
  /** @type {HTMLElement[]} */
  #rows = [];

  /** @param {number} most */
  constructor(most) {
    this.#most = most;
  }

  /** @param {HTMLElement} row */
  add(row) {
    this.#rows.push(row);
    if (this.#rows.length > this.#most) this.#rows.shift()?.remove();
  }
}

/** @param {Frame} frame */
function isEvent({ kind }) {
  return kind === "publication" || kind === "signal";
}

/** @param {Frame} frame */
function row({ kind, dir, text, size, at }) {
  const isCut = text.length === MAX_CHARS && size > MAX_CHARS;
  const whole = ` … ${size.toLocaleString("en")} B`;
  const more = isCut ? h("span", { class: "frame__more" }, whole) : null;
  return h("li", { class: "frame", dataset: { kind } },
    h("span", { class: "frame__kind" }, `${ARROWS[dir]} ${kind}`),
    h("time", { class: "frame__time" }, timeOf(at)),
    h("code", { class: "frame__text" }, text, more));
}

/** @param {number} count */
function skipped(count) {
  const text = `${count.toLocaleString("en")} more events, not shown`;
  return h("li", { class: "frame frame--skipped" }, text);
}

/** @param {number} at */
function timeOf(at) {
  const time = new Date(at);
  const ms = String(time.getMilliseconds()).padStart(3, "0");
  return `${time.toLocaleTimeString("en", { hourCycle: "h23" })}.${ms}`;
}
