// @ts-check
import { h } from "../dom.js";
import { person } from "../person.js";

/** @typedef {import("../person.js").Person} Person */

/** Who is in the room: oneself first, then by name. */
export class People {
  #list;
  #counts;
  #me;
  /** @type {Map<string, Person>} */
  #people = new Map();

  /** @param {HTMLElement} list @param {Element[]} counts where their number stands
   *  @param {() => Person} me */
  constructor(list, counts, me) {
    this.#list = list;
    this.#counts = counts;
    this.#me = me;
  }

  /** @param {Person[]} people */
  set(people) {
    this.#people = new Map(people.map(({ id, name }) => [id, { id, name }]));
    this.#show(this.#people.size);
  }

  /** @param {import("../wire.js").PresenceFrame} frame */
  join({ user, count }) {
    this.#people.set(user.id, user);
    this.#show(count);
  }

  /** @param {import("../wire.js").PresenceFrame} frame */
  leave({ user, count }) {
    this.#people.delete(user.id);
    this.#show(count);
  }

  /** @param {number} count */
  #show(count) {
    const me = this.#me();
    const others = [...this.#people.values()].filter(({ id }) => id !== me.id);
    others.sort((a, b) => a.name.localeCompare(b.name) || a.id.localeCompare(b.id));
    const shown = this.#people.has(me.id) ? [me, ...others] : others;
    this.#list.replaceChildren(...shown.map((one) => h("li", { class: "list__row" },
      person(one), one.id === me.id && h("span", { class: "list__note" }, "you"))));
    const more = count - shown.length;
    if (more > 0) this.#list.append(h("li", { class: "list__row list__note" }, `and ${more} more`));
    for (const element of this.#counts) element.textContent = String(count);
  }
}
