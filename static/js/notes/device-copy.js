// @ts-check
import { IndexeddbPersistence } from "../../vendor/notes.js";

const LOAD_TIMEOUT_MS = 3000;
const MARK = "hubbub-edits";

/**
 * The note in this browser's own database, and how many edits are surely in it.
 *
 * y-indexeddb writes without saying when it has written. Transactions over one store
 * run in order, so one of ours behind its own tells.
 */
export class DeviceCopy {
  #persistence;
  #onChange;
  #kept = 0;
  #made = 0;
  #writing = false;
  #broken = false;

  /** @param {string} name @param {any} doc @param {() => void} onChange */
  constructor(name, doc, onChange) {
    this.#onChange = onChange;
    this.#persistence = new IndexeddbPersistence(name, doc);
    this.#persistence._db.then(
      (/** @type {IDBDatabase} */ db) => {
        db.addEventListener("error", () => this.#break());
        db.addEventListener("abort", () => this.#break());
      },
      () => this.#break(),
    );
  }

  /** Done when the kept copy is in the document, or cannot be had in good time. */
  get loaded() {
    const late = new Promise((resolve) => setTimeout(resolve, LOAD_TIMEOUT_MS));
    return Promise.race([this.#persistence.whenSynced, late]);
  }

  /** @param {number} made @returns {boolean} whether that many edits are in the copy */
  keeps(made) {
    return !this.#broken && this.#persistence.synced && this.#kept >= made;
  }

  /** @param {number} made so many edits were made until now */
  edited(made) {
    this.#made = made;
    if (!this.#writing) this.#mark();
  }

  /** Let the copy go: the server has refused what is in it. */
  async discard() {
    await this.#persistence.clearData();
  }

  // Internal

  #mark() {
    const { db } = this.#persistence;
    if (!db || this.#broken) return;
    this.#writing = true;
    const made = this.#made;
    const transaction = db.transaction(["updates", "custom"], "readwrite");
    transaction.objectStore("custom").put(made, MARK);
    transaction.addEventListener("complete", () => {
      this.#writing = false;
      this.#kept = made;
      if (this.#made > made) this.#mark();
      this.#onChange();
    });
  }

  #break() {
    this.#broken = true;
    this.#onChange();
  }
}
