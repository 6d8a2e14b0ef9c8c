// @ts-check
import { HubbubError } from "./hubbub-error.js";
import { Timer } from "./timer.js";

/** Pings while the connection lives: measures its latency, finds out when it died. */
export class Heartbeat {
  #ask;
  #clock;
  #intervalMs;
  #onLatency;
  #onDead;
  #next;
  #waiting = false;
  /** @type {number | null} */
  #latencyMs = null;

  /**
   * @param {object} options
   * @param {import("./commands.js").Commands["ask"]} options.ask
   * @param {import("./timer.js").Clock} options.clock
   * @param {number} options.intervalMs  from an answer to the next ping
   * @param {() => void} options.onLatency
   * @param {() => void} options.onDead  a ping was not answered in time
   */
  constructor({ ask, clock, intervalMs, onLatency, onDead }) {
    this.#ask = ask;
    this.#clock = clock;
    this.#intervalMs = intervalMs;
    this.#onLatency = onLatency;
    this.#onDead = onDead;
    this.#next = new Timer(clock);
  }

  /** How long the last ping took; null before the first answer of a connection. */
  get latencyMs() {
    return this.#latencyMs;
  }

  /** Pings at once, unless a ping waits for its answer; the next ones follow. */
  ping() {
    if (this.#waiting) return;
    this.#waiting = true;
    const sentMs = this.#clock.now();
    this.#ask({ type: "ping" }, () => this.#answered(sentMs), (error) => {
      this.#waiting = false;
      if (error.code === HubbubError.TIMEOUT) this.#onDead();
    });
  }

  stop() {
    this.#next.stop();
    this.#latencyMs = null;
  }

  /** @param {number} sentMs */
  #answered(sentMs) {
    this.#waiting = false;
    this.#latencyMs = this.#clock.now() - sentMs;
    this.#next.start(this.#intervalMs, () => this.ping());
    this.#onLatency();
  }
}
