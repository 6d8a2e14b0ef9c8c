// @ts-check
import { HubbubError } from "../hubbub.js";

/**
 * @typedef {import("../hubbub.js").Hubbub} Hubbub
 * @typedef {object} Entry
 * @property {string} room
 * @property {string} key  makes it be stored once, however often it is sent
 * @property {string} text
 * @property {number} timeMs  when it was written
 * @property {number} order  among those written in the same millisecond
 * @property {string | null} failure  why it was refused, in words; null: on its way
 */

/**
 * What was written and is not acknowledged yet, in all rooms: sent in its order, kept on
 * this device until it is, so that it survives a reload.
 */
export class Outbox {
  /** Called with what is on its way or has failed. @type {(entry: Entry) => void} */
  onEntry = () => {};
  /** Called when it is kept. @type {(entry: Entry, position: string) => void} */
  onKept = () => {};

  #hubbub;
  #storage;
  #prefix;
  /** @type {Map<string, Entry>} */
  #entries = new Map();
  /** @type {Set<string>} handed to the hub, no answer yet */
  #under = new Set();
  #order = 0;

  /** @param {Hubbub} hubbub @param {Storage} storage @param {string} prefix the user's own */
  constructor(hubbub, storage, prefix) {
    this.#hubbub = hubbub;
    this.#storage = storage;
    this.#prefix = prefix;
    for (const entry of this.#stored()) this.#entries.set(entry.key, entry);
    hubbub.addEventListener("state", () => this.#resume());
  }

  /** What waits or has failed in a room, in its order. @param {string} room */
  of(room) {
    return [...this.#entries.values()].filter((entry) => entry.room === room);
  }

  /** @param {string} room @param {string} text */
  send(room, text) {
    const entry = { room, text, key: newKey(), timeMs: Date.now(), order: this.#order++,
      failure: null };
    this.#entries.set(entry.key, entry);
    this.#keep(entry);
    this.#publish(entry);
  }

  /** @param {string} key */
  retry(key) {
    const entry = this.#entries.get(key);
    if (!entry) return;
    entry.failure = null;
    this.#keep(entry);
    this.#publish(entry);
  }

  /** @param {string} key its message is kept, or is not wanted any more */
  forget(key) {
    this.#entries.delete(key);
    this.#storage.removeItem(this.#prefix + key);
  }

  // Internal

  #resume() {
    if (this.#hubbub.state === "closed") return;
    for (const entry of this.#entries.values()) {
      if (entry.failure === null && !this.#under.has(entry.key)) this.#publish(entry);
    }
  }

  /** @param {Entry} entry */
  async #publish(entry) {
    this.onEntry(entry);
    this.#under.add(entry.key);
    try {
      const { room, text, key } = entry;
      const { position } = await this.#hubbub.publish(`chat:${room}`, { text }, { key });
      this.forget(key);
      this.onKept(entry, position);
    } catch (error) {
      this.#failed(entry, error);
    } finally {
      this.#under.delete(entry.key);
    }
  }

  /** @param {Entry} entry @param {unknown} error */
  #failed(entry, error) {
    if (!this.#entries.has(entry.key)) return;
    if (error instanceof HubbubError && error.code === HubbubError.CLOSED) return;
    entry.failure = inWords(error);
    this.#keep(entry);
    this.onEntry(entry);
  }

  /** A device that keeps nothing (private mode, full) must not keep anybody from talking. */
  #keep(/** @type {Entry} */ entry) {
    try {
      this.#storage.setItem(this.#prefix + entry.key, JSON.stringify(entry));
    } catch {
      this.#storage.removeItem(this.#prefix + entry.key);
    }
  }

  /** @returns {Entry[]} */
  #stored() {
    const keys = Object.keys(this.#storage).filter((key) => key.startsWith(this.#prefix));
    return keys
      .flatMap((key) => {
        const entry = read(this.#storage.getItem(key));
        return entry ? [entry] : [];
      })
      .sort((a, b) => a.timeMs - b.timeMs || a.order - b.order);
  }
}

/** @returns {string} */
function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The server's words have the reason behind a colon. @param {unknown} error */
function inWords(error) {
  if (!(error instanceof HubbubError)) return "something went wrong on this page";
  const reason = error.message.split(": ").slice(1).join(": ") || error.message;
  return error.temporary ? `the server cannot take it now (${reason})` : reason;
}

/** @param {string | null} text @returns {Entry | null} */
function read(text) {
  try {
    const entry = JSON.parse(text ?? "");
    const isEntry = [entry.room, entry.key, entry.text].every((part) => typeof part === "string");
    return isEntry ? { timeMs: 0, order: 0, failure: null, ...entry } : null;
  } catch {
    return null;
  }
}
