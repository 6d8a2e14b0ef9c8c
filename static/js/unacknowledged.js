// @ts-check
import { Backoff } from "./backoff.js";
import { HubbubError } from "./hubbub-error.js";
import { Timer } from "./timer.js";

const MAX_WAITING = 1000;
const MAX_TRIES = 5;
const MESSAGE_TOO_BIG = 1009;

/** @typedef {{position: string, durable: boolean}} Acknowledgement */

/**
 * @typedef {object} Entry
 * @property {import("./wire.js").Command} command
 * @property {boolean} asked  sent on this connection, not answered yet
 * @property {Backoff} backoff
 * @property {Timer} retry
 * @property {(acknowledgement: Acknowledgement) => void} resolve
 * @property {(error: HubbubError) => void} reject
 */

/**
 * Publications until the server has acknowledged or refused them, in their order.
 *
 * One at a time is under way in a channel: were the next sent before the first is
 * answered, a temporary refusal of the first would turn their order around. They are
 * sent again with their key after a lost connection, so the server stores them once.
 */
export class Unacknowledged {
  #options;
  /** @type {Set<Entry>} */
  #entries = new Set();

  /**
   * @param {object} options
   * @param {import("./commands.js").Commands["ask"]} options.ask
   * @param {() => boolean} options.isLive
   * @param {() => boolean} options.isPaused  then a temporary refusal is no last word
   * @param {() => void} options.onDead  the server did not answer in time
   * @param {() => Backoff} options.newBackoff
   * @param {import("./timer.js").Clock} options.clock
   */
  constructor(options) {
    this.#options = options;
  }

  /**
   * @param {import("./wire.js").Command & {key: string}} command
   * @returns {Promise<Acknowledgement>}
   * @throws {TypeError} when the command is not JSON
   */
  add(command) {
    const snapshot = JSON.parse(JSON.stringify(command));
    return new Promise((resolve, reject) => {
      if (this.#entries.size >= MAX_WAITING) {
        const message = `${MAX_WAITING} publications wait for their acknowledgement`;
        return reject(new HubbubError(HubbubError.FULL, message, true));
      }
      const { clock, newBackoff } = this.#options;
      this.#entries.add({ command: snapshot, asked: false, backoff: newBackoff(),
        retry: new Timer(clock), resolve, reject });
      this.#sendFirst(snapshot.channel);
    });
  }

  /** What waits may be taken now: sends each channel's first, with all its tries. */
  resume() {
    for (const { retry, backoff } of this.#entries) {
      retry.stop();
      backoff.reset();
    }
    const channels = new Set([...this.#entries].map(({ command }) => command.channel));
    for (const channel of channels) this.#sendFirst(channel);
  }

  /**
   * The connection is gone. A frame that it broke under would break the next one too.
   * @param {number | null} code  its close code
   */
  pause(code) {
    const sizeOf = (/** @type {Entry} */ entry) => JSON.stringify(entry.command).length;
    const asked = [...this.#entries].filter((entry) => entry.asked);
    for (const entry of this.#entries) {
      entry.asked = false;
      entry.retry.stop();
    }
    if (code !== MESSAGE_TOO_BIG || !asked.length) return;
    const largest = asked.reduce((a, b) => (sizeOf(b) > sizeOf(a) ? b : a));
    this.#entries.delete(largest);
    const message = "limit exceeded: the frame is too large";
    largest.reject(new HubbubError(HubbubError.LIMIT_EXCEEDED, message));
  }

  /** @param {HubbubError} error */
  rejectAll(error) {
    const rejected = [...this.#entries];
    this.#entries.clear();
    for (const { reject } of rejected) reject(error);
  }

  /** @param {string | undefined} channel */
  #sendFirst(channel) {
    if (!this.#options.isLive()) return;
    for (const entry of this.#entries) {
      if (entry.command.channel !== channel) continue;
      if (!entry.asked && entry.retry.leftMs === null) this.#send(entry);
      return;
    }
  }

  /** @param {Entry} entry */
  #send(entry) {
    entry.asked = true;
    this.#options.ask(entry.command, ({ position, durable }) => {
      this.#settle(entry, () => entry.resolve({ position, durable }));
    }, (error) => this.#failed(entry, error));
  }

  /** @param {Entry} entry @param {HubbubError} error */
  #failed(entry, error) {
    if (error.code === HubbubError.DISCONNECTED) return;
    if (error.code === HubbubError.TIMEOUT) return this.#options.onDead();
    entry.asked = false;
    const again = this.#options.isPaused() || entry.backoff.tries < MAX_TRIES - 1;
    if (error.temporary && again) {
      entry.retry.start(entry.backoff.next(), () => this.#send(entry));
    } else {
      this.#settle(entry, () => entry.reject(error));
    }
  }

  /** @param {Entry} entry @param {() => void} tell */
  #settle(entry, tell) {
    this.#entries.delete(entry);
    tell();
    this.#sendFirst(entry.command.channel);
  }
}
