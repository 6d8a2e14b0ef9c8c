// @ts-check
import { h } from "../dom.js";

/** Who has not typed for so long has stopped. */
const SHOWN_MS = 5000;
/** How many are named; more are "several people". */
const NAMED = 2;

/** @typedef {import("../person.js").Person} Person */

/** "Ada is typing…", for as long as she does. */
export class Typing {
  #element;
  /** @type {Map<string, {name: string, timer: ReturnType<typeof setTimeout>}>} */
  #people = new Map();

  /** @param {HTMLElement} element */
  constructor(element) {
    this.#element = element;
  }

  /** @param {Person} person */
  start({ id, name }) {
    clearTimeout(this.#people.get(id)?.timer);
    const timer = setTimeout(() => this.stop(id), SHOWN_MS);
    this.#people.set(id, { name, timer });
    this.#show();
  }

  /** @param {string | undefined} id */
  stop(id) {
    const person = this.#people.get(id ?? "");
    if (!person) return;
    clearTimeout(person.timer);
    this.#people.delete(id ?? "");
    this.#show();
  }

  clear() {
    for (const id of [...this.#people.keys()]) this.stop(id);
  }

  #show() {
    const names = [...this.#people.values()].map(({ name }) => h("bdi", null, name));
    if (names.length === 0) this.#element.replaceChildren();
    else if (names.length === 1) this.#element.replaceChildren(names[0], " is typing…");
    else if (names.length > NAMED) this.#element.replaceChildren("Several people are typing…");
    else this.#element.replaceChildren(names[0], " and ", names[1], " are typing…");
  }
}
