// @ts-check
/** The page of a note where the editor's modules are missing: its text, to be read. */

import { byId } from "../dom.js";
import { Hubbub } from "../hubbub.js";
import { mountPill, socketUrl } from "../shell.js";
import { NewNote } from "./new-note.js";
import { NoteList } from "./note-list.js";
import { titleOf } from "./note-names.js";

const sheet = byId("sheet");
const name = sheet.dataset.note ?? "";
const list = new NoteList(byId("note-list"), name);
const hub = new Hubbub({ url: socketUrl("/ws") });
/** The text as code points, in which the wire counts. @type {string[]} */
let text = [];

mountPill().follow(hub);
list.start();
new NewNote(list);
hub.subscribe(`notes:${name}`, {
  onReply: ({ state }, { recovered }) => {
    if (!recovered) show([...state.text]);
  },
  onEvent: ({ event, data }) => {
    if (event === "change") show(changed(data.changes));
  },
});
hub.connect();

/**
 * From the last to the first: each counts in the text before.
 * @param {[number, number, string][]} changes
 */
function changed(changes) {
  for (const [at, deleted, inserted] of changes.toReversed()) {
    text.splice(at, deleted, ...inserted);
  }
  return text;
}

/** @param {string[]} characters */
function show(characters) {
  text = characters;
  const whole = text.join("");
  const title = titleOf(whole) || name;
  sheet.textContent = whole;
  sheet.removeAttribute("aria-busy");
  byId("page-title").textContent = title;
  document.title = `${title} · Hubbub`;
  list.retitle(title);
  list.touched();
}
