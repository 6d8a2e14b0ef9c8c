// @ts-check

const MAX_LENGTH = 64;

/**
 * The name a note gets from its title: what stands in its address.
 *
 * @param {string} title
 * @param {Set<string>} taken
 * @param {() => string} random  some letters and digits
 * @returns {string} of [a-z0-9._-]{1,64}, not taken
 */
export function nameFor(title, taken, random) {
  const spelled = title.replace(/ß/g, "ss").normalize("NFKD");
  const plain = spelled.replace(/\p{Mark}/gu, "").toLowerCase();
  const words = plain.replace(/[^a-z0-9._-]+/g, "-").slice(0, MAX_LENGTH - 4);
  // Not "." or "..", which an address would swallow.
  const base = words.replace(/^[._-]+|[._-]+$/g, "") || `note-${random()}`;
  let name = base;
  for (let number = 2; taken.has(name); number += 1) name = `${base}-${number}`;
  return name;
}

/**
 * What a note is called: its first line without the mark of a heading.
 *
 * @param {string} text
 * @returns {string} "" if it has none
 */
export function titleOf(text) {
  const line = text.slice(0, 400).split("\n", 1)[0].trim();
  return line.replace(/^#+/, "").trim().slice(0, 120).trimEnd();
}
