// @ts-check
import { h } from "../dom.js";
import { url } from "../session.js";

const REFRESH_MS = 15_000;
const SETTLES_MS = 1500;
const MINUTE_MS = 60_000;

/**
 * @typedef {object} Row
 * @property {string} name
 * @property {string} title
 * @property {number} updated_ms
 * @property {string} updated_by
 */

/** How long ago, in few words. @param {number} ms @param {number} nowMs @returns {string} */
export function ago(ms, nowMs) {
  const minutes = Math.floor((nowMs - ms) / MINUTE_MS);
  if (minutes < 1) return "now";
  if (minutes < 60) return `${minutes} min`;
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)} h`;
  return new Date(ms).toLocaleDateString(undefined, { day: "numeric", month: "short" });
}

/** The notes there are, the one edited last first. */
export class NoteList {
  #root;
  #open;
  /** @type {Row[]} */
  #rows = [];
  #title = "";
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #settling;

  /** @param {HTMLElement} root a `ul.list` @param {string} open the note of this page */
  constructor(root, open) {
    this.#root = root;
    this.#open = open;
  }

  /** @returns {Set<string>} */
  get names() {
    return new Set([this.#open, ...this.#rows.map((row) => row.name)]);
  }

  /** Load it, and keep it fresh while somebody looks. */
  start() {
    this.refresh();
    setInterval(() => document.hidden || this.refresh(), REFRESH_MS);
    document.addEventListener("visibilitychange", () => document.hidden || this.refresh());
  }

  async refresh() {
    try {
      const answer = await fetch(url("/api/notes"), { signal: AbortSignal.timeout(10_000) });
      if (!answer.ok) return;
      this.#rows = (await answer.json()).notes;
      this.#show();
    } catch {
      // Offline: the list stays as it was; the pill says what is wrong.
    }
  }

  /** The open note's title, as it is being typed. @param {string} title */
  retitle(title) {
    if (title === this.#title) return;
    this.#title = title;
    this.#show();
  }

  /** The open note was edited, by whomever: its row is out of date when that settles. */
  touched() {
    clearTimeout(this.#settling);
    this.#settling = setTimeout(() => this.refresh(), SETTLES_MS);
  }

  // Internal

  #show() {
    const now = Date.now();
    const rows = this.#rows.some((row) => row.name === this.#open)
      ? this.#rows
      : [{ name: this.#open, title: "", updated_ms: now, updated_by: "" }, ...this.#rows];
    this.#root.replaceChildren(...rows.map((row) => this.#item(row, now)));
  }

  /** @param {Row} row @param {number} now */
  #item(row, now) {
    const isOpen = row.name === this.#open;
    const title = (isOpen && this.#title) || row.title || row.name;
    const who = row.updated_by && h("bdi", null, row.updated_by);
    const note = who ? [`${ago(row.updated_ms, now)} · `, who] : ["not written yet"];
    const current = isOpen ? "page" : null;
    const link = { class: "list__row note-row", href: url(`/notes/${row.name}`) };
    return h(
      "li",
      null,
      h(
        "a",
        { ...link, "aria-current": current },
        h(
          "span",
          { class: "list__text" },
          h("span", { class: "note-row__title truncate", dir: "auto" }, title),
          h("span", { class: "note-row__when list__note truncate" }, note),
        ),
      ),
    );
  }
}
