// @ts-check
/**
 * How a person looks: initials of the name on a colour that follows from the id. The
 * server renders the same by the same two rules, so a face never changes as it wakes.
 *
 * Initials: the first letter or digit of the first word; if it has case, and so has that
 * of a last, other word, both (Arabic and Chinese letters joined would mean something
 * else). Hue: FNV-1a, 32 bit, of the id's UTF-8 bytes, modulo 12.
 */

import { h } from "./dom.js";

/** @typedef {{id: string, name: string}} Person */

const HUES = 12;
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/**
 * @param {string} id
 * @returns {number} 0 to 11, for the class `hue-N`
 */
export function hueOf(id) {
  let hash = FNV_OFFSET;
  for (const byte of new TextEncoder().encode(id)) {
    hash = Math.imul(hash ^ byte, FNV_PRIME) >>> 0;
  }
  return hash % HUES;
}

/**
 * @param {string} name
 * @returns {string} one or two characters; "?" where the name has no letter or digit
 */
export function initialsOf(name) {
  const letters = name.split(/\s+/u).map(firstLetter).filter(Boolean);
  const first = letters[0];
  const last = letters.at(-1);
  if (!first || !last) return "?";
  if (letters.length === 1 || !hasCase(first) || !hasCase(last)) return upper(first);
  return upper(first) + upper(last);
}

/**
 * @param {Person} person
 * @param {{size?: "s" | "l", named?: boolean}} [options] `named` where the name does not
 *   stand beside it
 * @returns {HTMLElement}
 */
export function avatar(person, { size, named = false } = {}) {
  const words = named
    ? { role: "img", "aria-label": person.name, title: person.name }
    : { "aria-hidden": "true" };
  const classes = ["avatar", size && `avatar--${size}`, `hue-${hueOf(person.id)}`];
  return h("span", { class: classes.filter(Boolean).join(" "), ...words }, initialsOf(person.name));
}

/**
 * Faces side by side.
 *
 * @param {Person[]} people
 * @param {{limit?: number, size?: "s" | "l"}} [options]
 * @returns {HTMLElement}
 */
export function avatars(people, { limit = 4, size } = {}) {
  const more = people.length - limit;
  const faces = people.slice(0, limit).map((one) => avatar(one, { size, named: true }));
  const classes = `avatar avatars__more${size ? ` avatar--${size}` : ""}`;
  if (more > 0) {
    const label = `and ${more} more`;
    faces.push(h("span", { class: classes, role: "img", "aria-label": label }, `+${more}`));
  }
  const items = faces.map((face) => h("li", null, face));
  return h("ul", { class: "avatars", role: "list" }, items);
}

/**
 * A face with its name beside it.
 *
 * @param {Person} who
 * @param {{size?: "s" | "l"}} [options]
 * @returns {HTMLElement}
 */
export function person(who, { size = "s" } = {}) {
  const name = h("bdi", { class: "person__name" }, who.name);
  return h("span", { class: "person" }, avatar(who, { size }), name);
}

// Internal

/** @param {string} word */
function firstLetter(word) {
  return word.match(/[\p{L}\p{N}]/u)?.[0] ?? "";
}

/** @param {string} letter */
function hasCase(letter) {
  return letter.toUpperCase() !== letter.toLowerCase();
}

/** The first code point of the upper case: that of "ß" has two. @param {string} letter */
function upper(letter) {
  return [...letter.toUpperCase()][0];
}
