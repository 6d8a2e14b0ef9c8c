// @ts-check
import { avatars } from "../person.js";

const SHOWN = 4;

/** Who else has the note open, as faces. */
export class People {
  #root;
  #own;
  #shown = "";

  /** @param {HTMLElement} root @param {string} own the id of the one who looks */
  constructor(root, own) {
    this.#root = root;
    this.#own = own;
  }

  /** @param {any} awareness */
  follow(awareness) {
    awareness.on("change", () => this.#show(awareness.getStates()));
  }

  /** @param {Map<number, any>} states */
  #show(states) {
    /** @type {Map<string, import("../person.js").Person>} */
    const people = new Map();
    for (const { user } of states.values()) {
      if (typeof user?.id === "string" && user.id !== this.#own) {
        people.set(user.id, { id: user.id, name: String(user.name) });
      }
    }
    const list = [...people.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
    const shown = JSON.stringify(list);
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#root.replaceChildren(list.length ? avatars(list, { limit: SHOWN }) : "");
  }
}
