// @ts-check

import { byId, h, icon } from "../dom.js";
import { avatars } from "../person.js";
import { url } from "../shell.js";
import { ago } from "./format.js";

/**
 * @typedef {object} Note
 * @property {string} name
 * @property {string} title
 * @property {number} time of the last edit
 * @property {string} by
 * @property {import("../person.js").Person[]} people who has it open
 */

/** Notes that somebody has open, then those edited last. */
export class NotesTile {
  #list = byId("work");
  #empty = byId("work-empty");
  #meta = byId("work-meta");

  /** @param {Note[]} notes */
  show(notes) {
    const open = notes.filter((note) => note.people.length > 0).length;
    this.#list.hidden = notes.length === 0;
    this.#empty.hidden = notes.length > 0;
    this.#meta.textContent = open > 0 ? `${open} open` : "";
    this.#list.replaceChildren(...notes.map(row));
  }
}

/** @param {Note} note */
function row(note) {
  const href = url(`/notes/${note.name}`);
  const link = { class: "work__title tile__above truncate", href, dir: "auto" };
  const title = h("a", link, note.title || note.name);
  const edited = note.by ? [`${ago(note.time)} by `, h("bdi", null, note.by)] : [ago(note.time)];
  return h("li", { class: "work" },
    h("span", { class: "work__mark" }, icon("notes", { small: true })),
    h("div", { class: "work__words" }, title, h("p", { class: "work__note truncate" }, edited)),
    note.people.length > 0 ? avatars(note.people, { limit: 4, size: "s" }) : null);
}
