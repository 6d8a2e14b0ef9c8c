// @ts-check
import { h } from "../dom.js";
import { WidgetType } from "../../vendor/notes.js";

/** Where somebody else is, with their name on it until they rest. */
export class CaretWidget extends WidgetType {
  #name;
  #hue;
  #rests;

  /** @param {{name: string, hue: number, rests: boolean}} look */
  constructor({ name, hue, rests }) {
    super();
    this.#name = name;
    this.#hue = hue;
    this.#rests = rests;
  }

  /** @param {CaretWidget} other */
  eq(other) {
    return (
      this.#name === other.#name && this.#hue === other.#hue && this.#rests === other.#rests
    );
  }

  toDOM() {
    const name = h("bdi", { class: "caret__name" }, this.#name);
    // Word joiners keep the caret from being a place where a line may break.
    const classes = `caret hue-${this.#hue}${this.#rests ? " caret--rests" : ""}`;
    return h("span", { class: classes, "aria-hidden": "true" }, "\u2060", name, "\u2060");
  }

  /** @param {HTMLElement} dom @param {any} _view @param {CaretWidget} before */
  updateDOM(dom, _view, before) {
    if (this.#name !== before.#name || this.#hue !== before.#hue) return false;
    dom.classList.toggle("caret--rests", this.#rests);
    return true;
  }

  ignoreEvent() {
    return true;
  }
}
