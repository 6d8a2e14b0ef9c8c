// @ts-check
import { byId } from "../dom.js";
import { url } from "../session.js";
import { nameFor } from "./note-names.js";

const TITLES = "hubbub-new-note:";

/** Four letters or digits that tell one untitled note from another. */
const random = () => Math.floor(36 ** 3 + Math.random() * (36 ** 4 - 36 ** 3)).toString(36);

/** The dialog that asks for a title and opens a note under the name made from it. */
export class NewNote {
  #dialog = byId("new-note", HTMLDialogElement);
  #input = byId("new-note-title", HTMLInputElement);
  #address = byId("new-note-address");
  #list;
  #suffix = random();

  /** @param {{names: Set<string>}} list the notes there are */
  constructor(list) {
    this.#list = list;
    byId("new-note-open").addEventListener("click", () => this.open());
    byId("new-note-cancel").addEventListener("click", () => this.#dialog.close());
    this.#input.addEventListener("input", () => this.#show());
    this.#dialog.addEventListener("close", () => {
      if (this.#dialog.returnValue === "make") this.#make();
    });
  }

  open() {
    this.#dialog.returnValue = "";
    this.#input.value = "";
    this.#show();
    this.#dialog.showModal();
    this.#input.focus();
  }

  get #name() {
    return nameFor(this.#input.value, this.#list.names, () => this.#suffix);
  }

  #show() {
    this.#address.textContent = url(`/notes/${this.#name}`);
  }

  #make() {
    const title = this.#input.value.trim();
    if (title) sessionStorage.setItem(TITLES + this.#name, title);
    location.assign(url(`/notes/${this.#name}`));
  }
}

/**
 * The title that was asked for when this note was made here; once.
 *
 * @param {string} name
 * @returns {string | null}
 */
export function takeTitle(name) {
  const title = sessionStorage.getItem(TITLES + name);
  sessionStorage.removeItem(TITLES + name);
  return title;
}
