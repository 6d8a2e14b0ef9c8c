// @ts-check
import { h, icon } from "../dom.js";
import { avatar } from "../person.js";
import { messageNodes } from "./message-html.js";
import { clock, day, dayKey, whole } from "./moments.js";

/** Messages of one author so close together are one group. */
const GROUP_MS = 5 * 60_000;

/**
 * @typedef {import("../person.js").Person} Person
 * @typedef {import("../wire.js").Publication} Publication
 * @typedef {import("./outbox.js").Entry} Entry
 * @typedef {{retry: (key: string) => void, discard: (key: string) => void}} Actions
 */

/** Who speaks where the server does. @type {Person} */
export const SERVER = { id: "s_server", name: "Server" };

/** One message: its element stays the same from the moment of sending. */
export class MessageRow {
  /** @type {number | null} its place in the room; null until it is acknowledged */
  offset = null;
  /** @type {string | null} of one's own, until its publication has come */
  key = null;
  #author;
  #body;
  #time;
  #note;
  /** @type {HTMLElement | null} stands before the first message of a day */
  #day = null;

  /** @param {Person} author @param {number} timeMs @param {boolean} own */
  constructor(author, timeMs, own) {
    this.#author = author;
    this.timeMs = timeMs;
    this.#body = h("div", { class: "message__body markdown" });
    this.#time = h("time", { class: "message__time" });
    this.#note = h("div", { class: "message__note", hidden: true });
    const name = h("bdi", { class: "message__author" }, author.name);
    const you = own && h("span", { class: "message__you" }, "you");
    this.element = h("li", { class: "message" }, avatar(author),
      h("div", { class: "message__head" }, name, you,
        h("span", { class: "visually-hidden" }, ", ")),
      this.#body, this.#note, this.#time);
    this.#showTime();
  }

  /** @param {Publication} publication @param {boolean} own */
  static said(publication, own) {
    const row = new MessageRow(publication.from ?? SERVER, publication.time, own);
    row.become(publication);
    return row;
  }

  /** @param {Entry} entry @param {Person} me @param {Actions} actions */
  static pending(entry, me, actions) {
    const row = new MessageRow(me, entry.timeMs, true);
    row.key = entry.key;
    row.#showText(entry.text);
    row.follow(entry, actions);
    return row;
  }

  /** What the page puts in front of the next row: a day's line, or the message. */
  get first() {
    return this.#day ?? this.element;
  }

  /** The message as it was kept. @param {Publication} publication */
  become(publication) {
    this.key = null;
    this.timeMs = publication.time;
    this.#showTime();
    this.#settle();
    if (typeof publication.data?.html === "string") {
      this.#body.classList.remove("message__body--typed");
      this.#body.replaceChildren(messageNodes(publication.data.html));
    } else {
      this.#showText(String(publication.data?.text ?? ""));
    }
  }

  /** It is kept; how it looks comes with its publication. @param {number} offset */
  acknowledge(offset) {
    this.offset = offset;
    this.#settle();
  }

  /** On its way, or failed with the reason. @param {Entry} entry @param {Actions} actions */
  follow(entry, actions) {
    const failed = entry.failure !== null;
    this.element.dataset.state = failed ? "failed" : "pending";
    this.#note.hidden = false;
    this.#note.classList.toggle("visually-hidden", !failed);
    if (!failed) return this.#note.replaceChildren("Sending");
    const act = (/** @type {string} */ word, /** @type {(key: string) => void} */ what) =>
      h("button", { type: "button", class: "link-button", onclick: () => what(entry.key) }, word);
    this.#note.replaceChildren(icon("warning", { small: true }),
      h("span", { role: "alert" }, `Not sent: ${entry.failure}`),
      act("Retry", actions.retry), act("Discard", actions.discard));
  }

  /** Stand behind another, or at the beginning. @param {MessageRow | null} before */
  standAfter(before) {
    const sameDay = before !== null && dayKey(before.timeMs) === dayKey(this.timeMs);
    this.#setDay(sameDay ? null : day(this.timeMs, Date.now()));
    const sameGroup = sameDay && before.#author.id === this.#author.id
      && before.#author.name === this.#author.name && before.timeMs + GROUP_MS > this.timeMs
      && !before.isFollowedByLine;
    this.element.classList.toggle("message--continued", sameGroup);
  }

  /** A line stands behind it ("12 messages while you were away"). */
  get isFollowedByLine() {
    return this.element.nextElementSibling?.classList.contains("line--away") ?? false;
  }

  /** @param {Node} parent @param {Node | null} next */
  place(parent, next) {
    if (this.element.parentNode === parent && this.element.nextSibling === next) return;
    parent.insertBefore(this.element, next);
    if (this.#day) parent.insertBefore(this.#day, this.element);
  }

  remove() {
    this.#day?.remove();
    this.element.remove();
  }

  // Internal

  /** @param {string} text */
  #showText(text) {
    this.#body.classList.add("message__body--typed");
    this.#body.replaceChildren(h("p", { dir: "auto" }, text));
  }

  #showTime() {
    this.#time.dateTime = new Date(this.timeMs).toISOString();
    this.#time.title = whole(this.timeMs);
    this.#time.textContent = clock(this.timeMs);
  }

  #settle() {
    delete this.element.dataset.state;
    this.#note.hidden = true;
    this.#note.replaceChildren();
  }

  /** @param {string | null} text */
  #setDay(text) {
    if (text === null) {
      this.#day?.remove();
      this.#day = null;
    } else if (!this.#day) {
      this.#day = h("li", { class: "line line--day" }, h("span", null, text));
      this.element.before(this.#day);
    } else {
      this.#day.replaceChildren(h("span", null, text));
    }
  }
}
