// @ts-check
/** @typedef {import("./message-row.js").MessageRow} MessageRow */

/** One's own messages until their publication has come, in the order of sending. */
export class OwnRows {
  /** @type {Map<string, MessageRow>} */
  #byKey = new Map();

  /** Those that have no place in the room yet. */
  get waiting() {
    return [...this.#byKey.values()].filter((row) => row.offset === null);
  }

  /** @param {string} key */
  get(key) {
    return this.#byKey.get(key);
  }

  /** @param {string} key @param {MessageRow} row */
  add(key, row) {
    this.#byKey.set(key, row);
  }

  /** @param {string | undefined} key @returns {MessageRow | undefined} */
  take(key) {
    const row = this.#byKey.get(key ?? "");
    this.#byKey.delete(key ?? "");
    return row;
  }

  /** Those that have a place come again with the room. */
  forgetKept() {
    for (const [key, row] of this.#byKey) if (row.offset !== null) this.#byKey.delete(key);
  }

  clear() {
    for (const row of this.#byKey.values()) row.remove();
    this.#byKey.clear();
  }
}
