// @ts-check

import { h } from "./dom.js";

/** @typedef {"start" | "end"} Side */

/** Below these widths a side lies above the middle; the same numbers stand in pane.css. */
const OVERLAY = {
  start: matchMedia("(width < 640px)"),
  end: matchMedia("(width < 960px)"),
};
const SIDES = /** @type {Side[]} */ (["start", "end"]);

/** Opens and folds the sides of a `.panes`; Esc and a press beside it close an overlay. */
export class Panes {
  #root;
  #veil = h("div", { class: "panes__veil", onclick: () => this.#closeOverlays() });

  // Lifecycle

  /** @param {HTMLElement} root */
  constructor(root) {
    this.#root = root;
    for (const side of SIDES) {
      this.#toggle(side)?.addEventListener("click", () => this.set(side, !this.isOpen(side)));
      OVERLAY[side].addEventListener("change", () => this.#forget(side));
      this.#pane(side)?.addEventListener("click", (event) => this.#followed(side, event));
    }
    root.addEventListener("keydown", (event) => this.#closeOnEscape(event));
    this.#show();
  }

  // Actions

  /** @param {Side} side @returns {boolean} */
  isOpen(side) {
    const wish = this.#root.dataset[side];
    return wish === undefined ? !OVERLAY[side].matches : wish === "open";
  }

  /** @param {Side} side @param {boolean} open */
  set(side, open) {
    if (!this.#pane(side)) return;
    this.#root.dataset[side] = open ? "open" : "closed";
    this.#show();
    if (!OVERLAY[side].matches) return;
    if (open) this.#pane(side)?.focus();
    else this.#toggle(side)?.focus();
  }

  // Internal

  #show() {
    for (const side of SIDES) {
      this.#toggle(side)?.setAttribute("aria-expanded", String(this.isOpen(side)));
      this.#pane(side)?.setAttribute("tabindex", "-1");
    }
    if (SIDES.some((side) => this.#isOverlay(side))) this.#root.append(this.#veil);
    else this.#veil.remove();
  }

  /** @param {Side} side */
  #forget(side) {
    delete this.#root.dataset[side];
    this.#show();
  }

  #closeOverlays() {
    for (const side of SIDES) if (this.#isOverlay(side)) this.set(side, false);
  }

  /** @param {KeyboardEvent} event */
  #closeOnEscape(event) {
    if (event.key !== "Escape" || !SIDES.some((side) => this.#isOverlay(side))) return;
    event.preventDefault();
    this.#closeOverlays();
  }

  /** Who chose a row wants to see it. @param {Side} side @param {Event} event */
  #followed(side, event) {
    const target = event.target;
    if (!(target instanceof Element) || !target.closest("a[href], [data-closes-pane]")) return;
    if (this.#isOverlay(side)) this.set(side, false);
  }

  /** @param {Side} side */
  #isOverlay(side) {
    return OVERLAY[side].matches && this.#pane(side) !== null && this.isOpen(side);
  }

  /** @param {Side} side @returns {HTMLElement | null} */
  #pane(side) {
    return this.#root.querySelector(`:scope > .pane--${side}`);
  }

  /** @param {Side} side @returns {HTMLElement | null} */
  #toggle(side) {
    return document.querySelector(`[data-pane-toggle="${side}"]`);
  }
}
