// @ts-check

import { byId, h } from "../dom.js";
import { repaint } from "../dashboard/repaint.js";

/** @typedef {import("./frames.js").Frame} Frame */

const MAX_ROWS = 200;
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
    if (this.#waiting.length > MAX_ROWS) this.#waiting.shift();
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
    const rows = this.#waiting.flatMap(({ frames, hidden }) => [
      ...(hidden > 0 ? [skipped(hidden)] : []), ...frames.map(row),
    ]);
    this.#waiting = [];
    this.#empty.hidden = true;
    this.#list.prepend(...rows.slice(-MAX_ROWS).reverse());
    while (this.#list.childElementCount > MAX_ROWS) this.#list.lastElementChild?.remove();
  }
}

/** @param {Frame} frame */
function row({ kind, dir, text, size, at }) {
  const more = size > text.length ? h("span", { class: "frame__more" }, ` … ${size.toLocaleString("en")} B`) : null;
  return h("li", { class: "frame", dataset: { kind } },
    h("span", { class: "frame__kind" }, `${ARROWS[dir]} ${kind}`),
    h("time", { class: "frame__time" }, timeOf(at)),
    h("code", { class: "frame__text" }, text, more));
}

/** @param {number} count */
function skipped(count) {
  return h("li", { class: "frame frame--skipped" }, `${count.toLocaleString("en")} more events, not shown`);
}

/** @param {number} at */
function timeOf(at) {
  const time = new Date(at);
  return `${time.toLocaleTimeString("en", { hourCycle: "h23" })}.${String(time.getMilliseconds()).padStart(3, "0")}`;
}
