// @ts-check
import { HubbubError } from "./hubbub-error.js";
import { Timer } from "./timer.js";

/**
 * @typedef {import("./wire.js").Command} Command
 * @typedef {import("./wire.js").Reply} Reply
 * @typedef {(reply: Reply) => void} Done
 * @typedef {(error: HubbubError) => void} Failed
 */

/** Numbers commands, and finds for each reply who asked; no answer is one too. */
export class Commands {
  #send;
  #clock;
  #ackTimeoutMs;
  #lastId = 0;
  /** @type {Map<number, {done: Done, failed: Failed, timer: Timer}>} */
  #asked = new Map();

  /**
   * @param {(text: string) => void} send
   * @param {import("./timer.js").Clock} clock
   * @param {number} ackTimeoutMs
   */
  constructor(send, clock, ackTimeoutMs) {
    this.#send = send;
    this.#clock = clock;
    this.#ackTimeoutMs = ackTimeoutMs;
  }

  /**
   * Sends a command; `done` or `failed` is called from the socket's own event, so that
   * a subscription has its reply before the event that follows it.
   *
   * @param {Command} command
   * @param {Done} done
   * @param {Failed} failed
   * @throws {TypeError} when the command is not JSON
   */
  ask(command, done, failed) {
    const id = this.#lastId + 1;
    const text = JSON.stringify({ ...command, id });
    this.#lastId = id;
    const timer = new Timer(this.#clock);
    timer.start(this.#ackTimeoutMs, () => {
      this.#asked.delete(id);
      failed(new HubbubError(HubbubError.TIMEOUT, "no answer in time", true));
    });
    this.#asked.set(id, { done, failed, timer });
    this.#send(text);
  }

  /** @param {(Reply | import("./wire.js").ErrorFrame) & {id: number}} frame */
  answer(frame) {
    const asked = this.#asked.get(frame.id);
    if (!asked) return;
    this.#asked.delete(frame.id);
    asked.timer.stop();
    if (frame.type === "reply") asked.done(frame);
    else asked.failed(HubbubError.from(frame));
  }

  /**
   * Fails all that wait: their answers went with the connection.
   * @param {HubbubError} error
   */
  abandon(error) {
    const abandoned = [...this.#asked.values()];
    this.#asked.clear();
    for (const { timer } of abandoned) timer.stop();
    for (const { failed } of abandoned) failed(error);
  }
}
