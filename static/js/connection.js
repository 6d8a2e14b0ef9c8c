// @ts-check
import { Timer } from "./timer.js";

/** A connection that lived this long has proved itself: the next retry is quick. */
const PROVEN_AFTER_MS = 5000;

/** @typedef {"connecting" | "live" | "reconnecting" | "offline" | "closed"} State */

/** @param {number | null} code  of a close; null: we dropped it */
const isFinal = (code) =>
  code !== null && ((code >= 3500 && code < 4000) || (code >= 4500 && code < 5000));

/** Keeps one WebSocket open until it is closed for good, by us or by its close code. */
export class Connection {
  #options;
  #retry;
  #deadline;
  #openedMs = 0;
  /** @type {WebSocket | null} */
  #socket = null;
  /** @type {AbortController | null} */
  #listening = null;
  /** @type {State} */
  state = "closed";
  /** @type {number | null} the last close code; null while live or without one */
  code = null;
  reason = "";

  /**
   * @param {object} options
   * @param {URL} options.url
   * @param {new (url: string) => WebSocket} options.WebSocket
   * @param {import("./timer.js").Clock} options.clock
   * @param {import("./backoff.js").Backoff} options.backoff
   * @param {number} options.openTimeoutMs
   * @param {() => void} options.onOpen  before the change to "live" is told
   * @param {(text: string) => void} options.onText
   * @param {() => void} options.onLost  before the change is told
   * @param {() => void} options.onDoubt  something may have cut a live one
   * @param {() => void} options.onChange  of state or of the next retry
   */
  constructor(options) {
    this.#options = options;
    this.#retry = new Timer(options.clock);
    this.#deadline = new Timer(options.clock);
  }

  /** Milliseconds to the next try; null when none is planned. */
  get retryInMs() {
    return this.#retry.leftMs;
  }

  open() {
    if (this.state !== "closed") return;
    this.#dial();
    this.#listen();
    this.#become("connecting");
    this.#options.onChange();
  }

  close() {
    if (this.state === "closed") return;
    this.#discard();
    this.#ended(null, "");
  }

  /** Gives up this socket, without waiting for a peer that may be gone, and returns. */
  drop() {
    if (!this.#socket) return;
    this.#discard();
    this.#lost(null, "");
  }

  /** Does not wait for the planned retry. */
  retryNow() {
    if (this.#retry.leftMs !== null) this.#redial();
  }

  /** @param {string} text */
  send(text) {
    this.#socket?.send(text);
  }

  #redial() {
    this.#dial();
    this.#options.onChange();
  }

  #dial() {
    const socket = new this.#options.WebSocket(this.#options.url.href);
    this.#retry.stop();
    this.#socket = socket;
    this.#deadline.start(this.#options.openTimeoutMs, () => this.drop());
    /** @type {(type: string, act: (event: any) => void) => void} */
    const on = (type, act) =>
      socket.addEventListener(type, (event) => {
        if (socket === this.#socket) act(event);
      });
    on("open", () => this.#opened());
    on("message", ({ data }) => {
      if (typeof data === "string") this.#options.onText(data);
    });
    on("close", ({ code, reason }) => {
      this.#socket = null;
      this.#lost(code, reason);
    });
  }

  #opened() {
    this.#deadline.stop();
    this.#openedMs = this.#options.clock.now();
    this.#become("live");
    this.#options.onOpen();
    this.#options.onChange();
  }

  /** @param {State} state @param {number | null} [code] @param {string} [reason] */
  #become(state, code = null, reason = "") {
    this.state = state;
    this.code = code;
    this.reason = reason;
  }

  #discard() {
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  /** @param {number | null} code @param {string} reason */
  #lost(code, reason) {
    if (isFinal(code)) return this.#ended(code, reason);
    const { backoff, clock, onLost } = this.#options;
    const lived = this.state === "live" ? clock.now() - this.#openedMs : 0;
    if (lived >= PROVEN_AFTER_MS) backoff.reset();
    this.#deadline.stop();
    this.#become("reconnecting", code, reason);
    this.#plan(reason);
    onLost();
    this.#options.onChange();
  }

  /** @param {number | null} code @param {string} reason */
  #ended(code, reason) {
    this.#retry.stop();
    this.#deadline.stop();
    this.#listening?.abort();
    this.#options.backoff.reset();
    this.#become("closed", code, reason);
    this.#options.onLost();
    this.#options.onChange();
  }

  /**
   * "offline" is a guess of the browser's (loopback may answer): try, but seldom.
   *
   * @param {string} [reason]  of the close
   */
  #plan(reason) {
    const { backoff } = this.#options;
    const offline = globalThis.navigator?.onLine === false;
    this.state = offline ? "offline" : "reconnecting";
    const delayMs = offline ? backoff.longest() : backoff.next(reason);
    this.#retry.start(delayMs, () => this.#redial());
  }

  #listen() {
    this.#listening = new AbortController();
    const { signal } = this.#listening;
    const { onDoubt, backoff, onChange } = this.#options;
    const wake = () => (this.state === "live" ? onDoubt() : this.retryNow());
    globalThis.addEventListener?.("online", () => {
      backoff.reset();
      wake();
    }, { signal });
    globalThis.addEventListener?.("offline", () => {
      if (this.state === "live") onDoubt();
      if (this.#retry.leftMs === null) return;
      this.#plan();
      onChange();
    }, { signal });
    globalThis.document?.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") wake();
    }, { signal });
  }
}
