// @ts-check
import { announce } from "../announce.js";
import { icon } from "../dom.js";

/**
 * @typedef {object} Facts
 * @property {import("../pill.js").Connection["state"]} state
 * @property {boolean} paused  connected, but the server takes nothing at present
 * @property {number} unsaved  own edits that are not known to be durable
 * @property {boolean} kept  whether all of them are in this device's copy
 * @property {boolean} durable  whether the server keeps anything on disk
 */

/** What a server without a data directory can promise. */
const IN_MEMORY = "Shared, in memory only";

const LOOKS = {
  ok: { tone: "ok", mark: "check" },
  busy: { tone: "", mark: "clock" },
  offline: { tone: "", mark: "offline" },
  danger: { tone: "danger", mark: "warning" },
};

/**
 * What the note's state is, in words.
 *
 * @param {Facts} facts
 * @returns {{words: string, look: keyof typeof LOOKS}}
 */
export function saveWords({ state, paused, unsaved, kept, durable }) {
  if (state === "closed") return { words: "Not saved", look: "danger" };
  if (state === "live" && unsaved === 0) {
    return { words: durable ? "Saved" : IN_MEMORY, look: "ok" };
  }
  if (!paused && (state === "live" || state === "connecting")) {
    return { words: unsaved ? `Saving ${unsaved}` : "Opening", look: "busy" };
  }
  const why = paused ? "Paused" : "Offline";
  if (kept) return { words: `${why}, kept on this device`, look: "offline" };
  if (unsaved === 0) return { words: why, look: "offline" };
  return { words: `${why}, ${unsaved} not saved`, look: "danger" };
}

/** The mark beside the title that says whether the note is saved. It does not lie. */
export class SaveStatus {
  #root;
  #words = "";

  /** @param {HTMLElement} root a `.status` */
  constructor(root) {
    this.#root = root;
  }

  /** @param {Facts} facts */
  show(facts) {
    const { words, look } = saveWords(facts);
    if (words === this.#words) return;
    const wasCounting = /\d/.test(this.#words);
    this.#words = words;
    const { tone, mark } = LOOKS[look];
    this.#root.dataset.tone = tone;
    this.#root.replaceChildren(icon(mark, { small: true }), words);
    if (!/\d/.test(words) && !(wasCounting && look === "ok")) announce(words);
  }
}
