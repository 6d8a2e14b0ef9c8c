// @ts-check
/**
 * Elements are built from tags, attributes and text, never from strings of HTML.
 * Text becomes text nodes; `style` is refused (use a class, or CSSOM on the element),
 * and a link may only lead to http, https, mailto or blob.
 */

/** @typedef {Node | string | number | null | undefined | false} Child */

const SAFE_PROTOCOLS = new Set(["http:", "https:", "mailto:", "blob:"]);
const URL_ATTRIBUTES = new Set(["href", "src", "action", "formaction"]);
const REFUSED = new Set(["style", "srcdoc", "innerHTML", "outerHTML"]);

/**
 * Make an element.
 *
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, unknown> | null} [props] `class`, `dataset: {...}`, `onclick: fn`
 *   and its like, and attributes; `true` sets an empty attribute; `false`, `null` and
 *   `undefined` set none
 * @param {...(Child | Child[])} children `null`, `undefined` and `false` are skipped
 * @returns {HTMLElementTagNameMap[T]}
 */
export function h(tag, props, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) setProp(element, name, value);
  append(element, children.flat());
  return element;
}

/**
 * Make an icon of the sprite `icons.svg`.
 *
 * @param {string} name
 * @param {{label?: string, small?: boolean}} [options] without a label it is decoration
 * @returns {SVGSVGElement}
 */
export function icon(name, { label = "", small = false } = {}) {
  const namespace = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(namespace, "svg");
  svg.setAttribute("class", small ? "icon icon--s" : "icon");
  if (label) {
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", label);
  } else {
    svg.setAttribute("aria-hidden", "true");
  }
  const use = document.createElementNS(namespace, "use");
  use.setAttribute("href", `${spriteUrl()}#${name}`);
  svg.append(use);
  return svg;
}

/**
 * The first element of a `<template>`, cloned, so that markup exists once.
 *
 * @param {string} id
 * @returns {HTMLElement}
 */
export function clone(id) {
  const template = byId(id, HTMLTemplateElement);
  const first = template.content.firstElementChild;
  if (!(first instanceof HTMLElement)) throw new Error(`template #${id} is empty`);
  return /** @type {HTMLElement} */ (document.importNode(first, true));
}

/**
 * The part of a clone that is marked `data-slot="name"`.
 *
 * @param {ParentNode} root
 * @param {string} name
 * @returns {HTMLElement}
 */
export function slot(root, name) {
  const found = root.querySelector(`[data-slot="${name}"]`);
  if (!(found instanceof HTMLElement)) throw new Error(`no slot ${name}`);
  return found;
}

/**
 * The element with this id; throws where the page and its module disagree.
 *
 * @template {typeof HTMLElement} C
 * @param {string} id
 * @param {C} [kind] the class it must have
 * @returns {InstanceType<C>}
 */
export function byId(id, kind) {
  const element = document.getElementById(id);
  if (!(element instanceof (kind ?? HTMLElement))) throw new Error(`no #${id}`);
  return /** @type {InstanceType<C>} */ (element);
}

// Internal

/** @param {HTMLElement} element @param {string} name @param {unknown} value */
function setProp(element, name, value) {
  if (REFUSED.has(name)) throw new TypeError(`${name} is refused`);
  if (value === null || value === undefined || value === false) return;
  if (name === "dataset") {
    Object.assign(element.dataset, value);
  } else if (name.startsWith("on")) {
    if (typeof value !== "function") throw new TypeError(`${name} takes a function`);
    element.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
  } else {
    const text = value === true ? "" : String(value);
    if (URL_ATTRIBUTES.has(name)) checkUrl(text);
    element.setAttribute(name, text);
  }
}

/** @param {HTMLElement} element @param {Child[]} children */
function append(element, children) {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
}

/** @param {string} text */
function checkUrl(text) {
  const { protocol } = new URL(text, document.baseURI);
  if (!SAFE_PROTOCOLS.has(protocol)) throw new TypeError(`${protocol} is refused`);
}

/** @returns {string} */
function spriteUrl() {
  const meta = document.querySelector('meta[name="hubbub-icons"]');
  return meta?.getAttribute("content") ?? new URL("../icons.svg", import.meta.url).href;
}
