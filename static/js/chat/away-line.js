// @ts-check
import { h } from "../dom.js";

/** "12 messages while you were away": where one stopped reading. */
export class AwayLine {
  #list;
  #element = h("li", { class: "line line--away" });

  /** @param {HTMLElement} list */
  constructor(list) {
    this.#list = list;
  }

  /** @param {Node | null} next what it stands in front of; null: the end */
  draw(next) {
    this.#element.replaceChildren();
    this.#list.insertBefore(this.#element, next);
  }

  /** Nothing stands above it any more: it divides nothing. */
  removeFromStart() {
    if (this.#list.firstElementChild === this.#element) this.remove();
  }

  remove() {
    this.#element.remove();
  }

  /**
   * Say how many there are, and lead to who was at the end to them; but not where all of
   * them are seen at once.
   *
   * @param {number} count
   * @param {boolean} wasAtEnd
   * @param {import("./scroller.js").Scroller} scroller
   */
  finish(count, wasAtEnd, scroller) {
    const belowPx = this.#list.getBoundingClientRect().bottom
      - this.#element.getBoundingClientRect().top;
    if (!this.#element.isConnected || belowPx <= scroller.heightPx) return this.remove();
    const words = `${count} ${count === 1 ? "message" : "messages"} while you were away`;
    this.#element.replaceChildren(h("span", null, words));
    if (wasAtEnd) scroller.toLine(this.#element);
  }
}
