// @ts-check
import { h, icon } from "../dom.js";
import { brief } from "./moments.js";
import { roomName } from "./room-name.js";

const REFRESH_MS = 20_000;

/**
 * @typedef {object} RoomRow  of `/api/rooms`
 * @property {string} name
 * @property {string} last_text
 * @property {string} last_author
 * @property {number} last_ms
 *
 * @typedef {{since: number, rooms: Record<string, number>}} Seen  times in ms
 */

/** The list of rooms: what was said last, and where something is new. */
export class Rooms {
  /** Called with the room to go to. @type {(room: string) => void} */
  onOpen = () => {};

  #list;
  #address;
  #storage;
  #key;
  #room = "";
  /** @type {Map<string, RoomRow>} */
  #rows = new Map();
  #willShow = false;

  /**
   * @param {HTMLElement} list
   * @param {(path: string) => string} address
   * @param {Storage} storage
   * @param {string} key where it is kept what was seen on this device
   */
  constructor(list, address, storage, key) {
    this.#list = list;
    this.#address = address;
    this.#storage = storage;
    this.#key = key;
    list.addEventListener("click", (event) => this.#follow(event));
    addEventListener("storage", (event) => event.key === key && this.#show());
    document.addEventListener("visibilitychange", () => this.#refreshIfSeen());
    setInterval(() => this.#refreshIfSeen(), REFRESH_MS);
  }

  /** @param {string} room */
  open(room) {
    this.#room = room;
    this.#show();
  }

  /** Ask the server; what cannot be had now is asked for again later. */
  async refresh() {
    try {
      const response = await fetch(this.#address("/api/rooms"));
      if (!response.ok) return;
      /** @type {{rooms: RoomRow[]}} */
      const { rooms } = await response.json();
      this.#rows = new Map(rooms.map((row) => [row.name, row]));
      this.#show();
    } catch {
      // The connection is gone; the pill says so.
    }
  }

  /** Something was said. @param {RoomRow} row */
  touch(row) {
    const known = this.#rows.get(row.name);
    if (known && known.last_ms > row.last_ms) return;
    this.#rows.set(row.name, row);
    this.#showSoon();
  }

  /** Everything in this room up to a time was seen. @param {number} timeMs */
  see(timeMs) {
    const seen = this.#seen();
    if ((seen.rooms[this.#room] ?? 0) >= timeMs) return;
    seen.rooms[this.#room] = timeMs;
    this.#keep(seen);
    this.#showSoon();
  }

  // Internal

  #refreshIfSeen() {
    if (document.visibilityState === "visible") this.refresh();
  }

  /** Once for all that is told in one go. */
  #showSoon() {
    if (this.#willShow) return;
    this.#willShow = true;
    queueMicrotask(() => this.#show());
  }

  #show() {
    this.#willShow = false;
    const rows = [...this.#rows.values()].sort((a, b) => b.last_ms - a.last_ms);
    if (!this.#rows.has(this.#room)) {
      rows.unshift({ name: this.#room, last_text: "", last_author: "", last_ms: 0 });
    }
    const seen = this.#seen();
    const focused = this.#list.querySelector("a:focus")?.getAttribute("data-room");
    this.#list.replaceChildren(...rows.map((row) => h("li", null, this.#row(row, seen))));
    const link = focused && this.#list.querySelector(`[data-room="${focused}"]`);
    if (link instanceof HTMLElement) link.focus();
  }

  /** @param {RoomRow} row @param {Seen} seen */
  #row(row, seen) {
    const isHere = row.name === this.#room;
    const isUnread = !isHere && row.last_ms > (seen.rooms[row.name] ?? seen.since);
    const time = row.last_ms > 0 && brief(row.last_ms, Date.now());
    const line = row.last_ms > 0
      ? [h("bdi", null, row.last_author), ": ", h("bdi", null, row.last_text)]
      : ["No messages yet"];
    return h("a", { class: "list__row room", href: this.#address(`/chat/${row.name}`),
      "aria-current": isHere && "page", dataset: { room: row.name } },
    icon("hash", { small: true }),
    h("span", { class: "list__text" },
      h("span", { class: "room__head" },
        h("span", { class: "room__name truncate" }, row.name),
        time && h("span", { class: "list__note tabular" }, time)),
      h("span", { class: "room__line list__note truncate" }, ...line)),
    isUnread && h("span", { class: "room__dot", role: "img", "aria-label": "new messages" }));
  }

  /** @param {MouseEvent} event */
  #follow(event) {
    const link = /** @type {Element} */ (event.target).closest("a[data-room]");
    const inNewTab = event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0;
    if (!(link instanceof HTMLElement) || inNewTab) return;
    event.preventDefault();
    this.onOpen(link.dataset.room ?? "");
  }

  /** @returns {Seen} a first visit has seen everything so far */
  #seen() {
    try {
      const seen = JSON.parse(this.#storage.getItem(this.#key) ?? "");
      if (typeof seen.since === "number" && typeof seen.rooms === "object") return seen;
    } catch {
      // Nothing is kept here yet.
    }
    const newest = Math.max(0, ...[...this.#rows.values()].map((row) => row.last_ms));
    const seen = { since: newest, rooms: {} };
    if (newest > 0) this.#keep(seen);
    return seen;
  }

  /** @param {Seen} seen */
  #keep(seen) {
    try {
      this.#storage.setItem(this.#key, JSON.stringify(seen));
    } catch {
      // A full storage forgets what was seen, no more.
    }
  }
}

/** The field that opens a room, and says under which name. */
export class GoToRoom {
  #input;
  #hint;

  /** @param {HTMLFormElement} form @param {(room: string) => void} open */
  constructor(form, open) {
    this.#input = /** @type {HTMLInputElement} */ (form.querySelector("input"));
    this.#hint = /** @type {HTMLElement} */ (form.querySelector(".field__hint"));
    this.#input.addEventListener("input", () => this.#show());
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const room = roomName(this.#input.value);
      if (!room) return this.#show();
      this.#input.value = "";
      this.#show();
      open(room);
    });
  }

  #show() {
    const typed = this.#input.value.trim();
    const room = roomName(typed);
    this.#input.setAttribute("aria-invalid", String(typed !== "" && room === ""));
    if (typed === "" || room === typed) this.#hint.textContent = "";
    else if (room) this.#hint.textContent = `Opens ${room}`;
    else this.#hint.textContent = "A name has letters a to z, digits, dots and dashes.";
  }
}
