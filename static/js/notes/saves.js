// @ts-check

/**
 * Counts one's own edits until the server has said that they are durable.
 *
 * A request carries the number of edits made so far, and goes out behind them on the
 * same connection; its answer comes when all of them are committed. One request is
 * under way at a time, so that a fast typist asks as often as the server commits.
 */
export class Saves {
  #send;
  #onChange;
  #made = 0;
  #saved = 0;
  #asked = false;
  #open = false;
  #confirmed = false;

  /** @param {{send: (made: number) => void, onChange: () => void}} options */
  constructor({ send, onChange }) {
    this.#send = send;
    this.#onChange = onChange;
  }

  /** How many edits were made since the page opened. */
  get made() {
    return this.#made;
  }

  /** How many of them are not known to be durable. */
  get waiting() {
    return this.#made - this.#saved;
  }

  /** Whether this connection's server has confirmed all that this device had. */
  get confirmed() {
    return this.#confirmed;
  }

  /** An edit was made here. */
  edited() {
    this.#made += 1;
    this.ask();
    this.#onChange();
  }

  /** All that this device has was sent on a new connection. */
  opened() {
    this.#open = true;
    this.#asked = false;
    this.ask();
  }

  /** The connection is gone, and with it what was asked. */
  lost() {
    this.#open = false;
    this.#confirmed = false;
    this.#onChange();
  }

  /** Ask whether all made so far is durable, unless it is being asked. */
  ask() {
    if (!this.#open || this.#asked) return;
    this.#asked = true;
    this.#send(this.#made);
  }

  /** @param {number} made the number of an answered request */
  answered(made) {
    this.#asked = false;
    this.#saved = Math.max(this.#saved, Math.min(made, this.#made));
    this.#confirmed = true;
    if (this.waiting > 0) this.ask();
    this.#onChange();
  }
}
