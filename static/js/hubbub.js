// @ts-check
import { Backoff } from "./backoff.js";
import { Commands } from "./commands.js";
import { Connection } from "./connection.js";
import { Heartbeat } from "./heartbeat.js";
import { HubbubError } from "./hubbub-error.js";
import { Subscription } from "./subscription.js";
import { Unacknowledged } from "./unacknowledged.js";

export { HubbubError, Subscription };

/**
 * @typedef {import("./wire.js").Command} Command
 * @typedef {import("./wire.js").Reply} Reply
 *
 * @typedef {object} Settings
 * @property {string | URL} url  default: `/ws` under the page's `<meta
 *   name="hubbub-base">`, without that of the page's origin
 * @property {number} minDelayMs  window of the first retry, default 500
 * @property {number} maxDelayMs  window of the later ones, default 20,000
 * @property {number} ackTimeoutMs  for an answer and for opening, default 10,000
 * @property {number} pingIntervalMs  default 10,000
 * @property {new (url: string) => WebSocket} WebSocket  this and the rest: for tests
 * @property {() => string} newKey  an idempotency key
 */

/** @returns {string} */
function defaultUrl() {
  const meta = document.querySelector('meta[name="hubbub-base"]');
  const base = meta?.getAttribute("content") ?? location.origin;
  return `${base.replace(/\/+$/, "")}/ws`;
}

/** @param {string | URL} address  a page's or a socket's, may be relative */
function socketUrl(address) {
  const url = new URL(address, globalThis.location?.href);
  if (url.protocol === "http:") url.protocol = "ws:";
  if (url.protocol === "https:") url.protocol = "wss:";
  return url;
}

/** `randomUUID` would need a secure context, which a page in a home network is not. */
function randomKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @returns {import("./timer.js").Clock} */
const browserClock = () => ({
  now: () => performance.timeOrigin + performance.now(),
  random: Math.random,
  setTimeout: (act, delayMs) => globalThis.setTimeout(act, delayMs),
  clearTimeout: (handle) => globalThis.clearTimeout(handle),
});

/**
 * One socket to a Hubbub server, that comes back by itself, and its subscriptions.
 *
 * Events: `state` with {state, paused, latencyMs, retryInS, code, reason}, on each change
 * and each new latency; `frame` with {dir, text, size, at}, each frame as it came or went.
 * No promise of a Hubbub that rejects unheard troubles the page.
 */
export class Hubbub extends EventTarget {
  #clock;
  #newKey;
  #connection;
  #commands;
  #unacknowledged;
  #heartbeat;
  #newBackoff;
  /** @type {Map<string, Subscription>} */
  #subscriptions = new Map();
  #framesAreWatched = false;
  #paused = false;

  /** @param {Partial<Settings & import("./timer.js").Clock>} options */
  constructor({ url = defaultUrl(), minDelayMs = 500, maxDelayMs = 20000,
    ackTimeoutMs = 10000, pingIntervalMs = 10000, WebSocket = globalThis.WebSocket,
    newKey = randomKey, ...clock } = {}) {
    super();
    this.#clock = { ...browserClock(), ...clock };
    this.#newKey = newKey;
    const { random } = this.#clock;
    this.#newBackoff = () => new Backoff({ minDelayMs, maxDelayMs, random });
    this.#connection = new Connection({
      url: socketUrl(url), WebSocket, clock: this.#clock, backoff: this.#newBackoff(),
      openTimeoutMs: ackTimeoutMs, onOpen: () => this.#opened(),
      onText: (text) => this.#receive(text), onLost: () => this.#lost(),
      onDoubt: () => this.#heartbeat.ping(), onChange: () => this.#tell(),
    });
    const send = (/** @type {string} */ text) => this.#send(text);
    this.#commands = new Commands(send, this.#clock, ackTimeoutMs);
    const shared = { ask: this.#commands.ask.bind(this.#commands), clock: this.#clock,
      onDead: () => this.#connection.drop() };
    this.#heartbeat = new Heartbeat({ ...shared, intervalMs: pingIntervalMs,
      onLatency: () => this.#tell() });
    this.#unacknowledged = new Unacknowledged({ ...shared,
      isLive: () => this.state === "live", isPaused: () => this.#paused,
      newBackoff: this.#newBackoff });
  }

  get state() {
    return this.#connection.state;
  }

  /** Connected, but the server can neither pass anything on nor keep it at present. */
  get paused() {
    return this.#paused;
  }

  /** How long the last ping took; null while it is not known. */
  get latencyMs() {
    return this.#heartbeat.latencyMs;
  }

  /** Until the next try to connect; null when none is planned. */
  get retryInMs() {
    return this.#connection.retryInMs;
  }

  /** @throws {DOMException} when the browser refuses the address */
  connect() {
    this.#connection.open();
  }

  /** Rejects what waits, and keeps the subscriptions for another `connect()`. */
  close() {
    this.#connection.close();
  }

  retryNow() {
    this.#connection.retryNow();
  }

  /**
   * @param {string} channel
   * @param {import("./subscription.js").Options} [options]
   * @throws {Error} when this Hubbub has the channel already, or `since` is no position
   */
  subscribe(channel, options = {}) {
    if (this.#subscriptions.has(channel)) {
      throw new Error(`already subscribed to ${channel}`);
    }
    const subscription = new Subscription(channel, options, {
      ask: this.#commands.ask.bind(this.#commands), clock: this.#clock,
      backoff: this.#newBackoff(), leave: () => this.#leave(channel),
    });
    this.#subscriptions.set(channel, subscription);
    if (this.state === "live") subscription.join();
    return subscription;
  }

  /**
   * Says something that gets a position; while disconnected it waits for the return.
   *
   * @param {string} channel
   * @param {any} data  JSON
   * @param {{event?: string, key?: string}} [options]
   * @returns {Promise<import("./unacknowledged.js").Acknowledgement>}
   */
  publish(channel, data, { event, key = this.#newKey() } = {}) {
    return this.#promise((resolve, reject) => {
      if (this.state === "closed") throw this.#closedError();
      const command = { type: "publish", channel, event, data, key };
      this.#unacknowledged.add(command).then(resolve, reject);
    });
  }

  /**
   * Says something that is not kept.
   *
   * @param {string} channel
   * @param {string} event
   * @param {any} data  JSON
   * @param {{key?: string}} [options]
   * @returns {Promise<boolean>}  false: not sent, there is no connection
   */
  signal(channel, event, data, { key } = {}) {
    return this.#promise((resolve, reject) => {
      if (this.state !== "live") return resolve(false);
      const command = { type: "signal", channel, event, data, key };
      this.#commands.ask(command, () => resolve(true), reject);
    });
  }

  /**
   * @param {string} channel
   * @param {{before?: string, after?: string, limit?: number}} [range]
   */
  history(channel, { before, after, limit } = {}) {
    return this.#ask({ type: "history", channel, before, after, limit });
  }

  /** @param {string} channel */
  presence(channel) {
    return this.#ask({ type: "presence", channel });
  }

  /** @param {Parameters<EventTarget["addEventListener"]>} args */
  addEventListener(...args) {
    if (args[0] === "frame") this.#framesAreWatched = true;
    super.addEventListener(...args);
  }

  /** @param {Command} command @returns {Promise<Reply>} */
  #ask(command) {
    return this.#promise((resolve, reject) => {
      if (this.state !== "live") throw this.#disconnectedError();
      this.#commands.ask(command, resolve, reject);
    });
  }

  /**
   * @template T
   * @param {(resolve: (value: T) => void, reject: (error: Error) => void) => void} act
   * @returns {Promise<T>}
   */
  #promise(act) {
    const promise = new Promise(act);
    promise.catch(() => {});
    return promise;
  }

  #opened() {
    this.#heartbeat.ping();
    for (const subscription of this.#subscriptions.values()) subscription.join();
    this.#unacknowledged.resume();
  }

  /** @param {import("./wire.js").StatusFrame} frame */
  #stand({ live }) {
    this.#paused = !live;
    if (live) {
      for (const subscription of this.#subscriptions.values()) subscription.retryNow();
      this.#unacknowledged.resume();
    }
    this.#tell();
  }

  #lost() {
    this.#paused = false;
    this.#heartbeat.stop();
    for (const subscription of this.#subscriptions.values()) subscription.pause();
    this.#unacknowledged.pause(this.#connection.code);
    this.#commands.abandon(this.#disconnectedError());
    if (this.state === "closed") this.#unacknowledged.rejectAll(this.#closedError());
  }

  /** @param {string} channel */
  #leave(channel) {
    this.#subscriptions.delete(channel);
    this.#ask({ type: "unsubscribe", channel });
  }

  #disconnectedError() {
    return new HubbubError(HubbubError.DISCONNECTED, "not connected", true);
  }

  #closedError() {
    const { code, reason } = this.#connection;
    const why = code === null ? "" : `: ${code} ${reason}`;
    return new HubbubError(HubbubError.CLOSED, `closed${why}`);
  }

  /** @param {string} text */
  #send(text) {
    this.#connection.send(text);
    this.#show("out", text);
  }

  /** @param {string} text */
  #receive(text) {
    this.#show("in", text);
    try {
      const frame = JSON.parse(text);
      if (frame.type === "reply") this.#commands.answer(frame);
      else if (frame.type === "error" && frame.id) this.#commands.answer(frame);
      else if (frame.type === "status") this.#stand(frame);
      else this.#subscriptions.get(frame.channel)?.receive(frame);
    } catch (error) {
      reportError(error);
    }
  }

  /** @param {"in" | "out"} dir @param {string} text */
  #show(dir, text) {
    if (!this.#framesAreWatched) return;
    const size = new TextEncoder().encode(text).length;
    const detail = { dir, text, size, at: this.#clock.now() };
    this.dispatchEvent(new CustomEvent("frame", { detail }));
  }

  #tell() {
    const { state, code, reason } = this.#connection;
    const retryInS = this.retryInMs === null ? null : Math.ceil(this.retryInMs / 1000);
    const detail = { state, paused: this.#paused, latencyMs: this.latencyMs, retryInS,
      code, reason };
    this.dispatchEvent(new CustomEvent("state", { detail }));
  }
}
