// What y-codemirror.next gets instead of lib0/dom (build.mjs swaps it in): the page's
// Content-Security-Policy refuses a `style` attribute, but not a style set as a
// property. Without this, others' carets would have no colour.

import * as dom from "lib0/dom";

export const { text } = dom;

/**
 * @param {string} name
 * @param {Array<{left: string, right: string | boolean}>} attributes
 * @param {Node[]} children
 */
export const element = (name, attributes = [], children = []) => {
  const plain = attributes.filter(({ left }) => left !== "style");
  const made = dom.element(name, /** @type {any} */ (plain), children);
  for (const { left, right } of attributes)
    if (left === "style") made.style.cssText = String(right);
  return made;
};
