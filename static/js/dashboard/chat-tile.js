// @ts-check

import { byId, h } from "../dom.js";
import { avatar } from "../person.js";
import { url } from "../shell.js";
import { ago } from "./format.js";

/**
 * @typedef {object} Line
 * @property {string} room
 * @property {import("../person.js").Person} from
 * @property {string} text
 * @property {number} time
 * @property {string} position
 */

/** The newest lines of all rooms. */
export class ChatTile {
  #list = byId("lines");
  #empty = byId("lines-empty");
  #meta = byId("lines-meta");

  /** @param {Line[]} lines newest first */
  show(lines) {
    this.#list.hidden = lines.length === 0;
    this.#empty.hidden = lines.length > 0;
    this.#meta.textContent = lines.length > 0 ? ago(lines[0].time) : "";
    this.#list.replaceChildren(...lines.map(row));
  }
}

/** @param {Line} line */
function row(line) {
  const href = url(`/chat/${line.room}`);
  const room = h("a", { class: "line__room tile__above", href }, line.room);
  return h("li", { class: "line" }, avatar(line.from),
    h("div", { class: "line__words" },
      h("p", { class: "line__who" }, h("bdi", { class: "strong truncate" }, line.from.name), room),
      h("p", { class: "line__text truncate", dir: "auto" }, plain(line.text))));
}

/**
 * Markdown without its commonest marks: this is a glimpse, not the message.
 * @param {string} text
 */
function plain(text) {
  return text
    .replace(/^(#{1,6}|>|[-*+]) /u, "")
    .replace(/(\*\*|__|`+|~~)(.+?)\1/gu, "$2")
    .replace(/\*(\S[^*]*)\*/gu, "$1");
}
