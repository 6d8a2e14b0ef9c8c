// @ts-check

/**
 * @typedef {object} Frame one row of the drawer
 * @property {string} kind
 * @property {"in" | "out" | ""} dir
 * @property {string} text cut to `MAX_CHARS`
 * @property {number} size bytes of the whole
 * @property {number} at ms since 1970
 */

export const MAX_CHARS = 300;
const MAX_EVENTS = 8;
const MAX_OTHERS = 60;
const TYPE = /^\{"type":"([a-z]+)"/;

/**
 * Frames between two batches. Of a flood's events only the newest go on, and it is said
 * how many do not; what is rare (replies, gaps, resets) is kept.
 */
export class Frames {
  /** @type {(Frame & {seq: number})[]} */
  #events = [];
  /** @type {(Frame & {seq: number})[]} */
  #others = [];
  #seq = 0;
  #hidden = 0;

  get waiting() {
    return this.#seq > 0;
  }

  /** @param {{dir: "in" | "out" | "", text: string, size: number, at: number}} frame */
  add({ dir, text, size, at }) {
    const kind = kindOf(dir, text);
    const isEvent = kind === "publication" || kind === "signal";
    const line = isEvent ? this.#events : this.#others;
    line.push({ kind, dir, text: text.slice(0, MAX_CHARS), size, at, seq: this.#seq });
    this.#seq += 1;
    if (line.length <= (isEvent ? MAX_EVENTS : MAX_OTHERS)) return;
    line.shift();
    this.#hidden += 1;
  }

  /** @returns {{frames: Frame[], hidden: number}} in order; begins anew */
  take() {
    const frames = [...this.#events, ...this.#others].sort((a, b) => a.seq - b.seq);
    const taken = { frames: frames.map(({ seq, ...frame }) => frame), hidden: this.#hidden };
    this.#events = [];
    this.#others = [];
    this.#seq = 0;
    this.#hidden = 0;
    return taken;
  }
}

/** @param {string} dir @param {string} text */
function kindOf(dir, text) {
  if (dir === "") return "socket";
  if (dir === "out") return "command";
  const type = TYPE.exec(text)?.[1] ?? "other";
  if (type !== "event") return type;
  return text.includes('"position":"') ? "publication" : "signal";
}
