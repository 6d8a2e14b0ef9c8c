// @ts-check
/** A Hubbub in a world of its own: its time, chance, keys and server are the test's. */
import { Hubbub } from "/static/js/hubbub.js";

/** @typedef {Record<string, any>} Frame */

class FakeClock {
  nowMs = 1_000_000;
  /** @type {Map<number, {dueMs: number, act: () => void}>} */
  timers = new Map();
  #lastHandle = 0;

  /** @type {(act: () => void, delayMs: number) => number} */
  setTimeout = (act, delayMs) => {
    this.timers.set(++this.#lastHandle, { dueMs: this.nowMs + delayMs, act });
    return this.#lastHandle;
  };

  /** @type {(handle: number) => void} */
  clearTimeout = (handle) => void this.timers.delete(handle);

  /** @param {number} ms  what falls due meanwhile is done in its order */
  advance(ms) {
    const endMs = this.nowMs + ms;
    for (;;) {
      const due = [...this.timers].filter(([, timer]) => timer.dueMs <= endMs);
      if (!due.length) break;
      const [handle, timer] = due.reduce((a, b) => (b[1].dueMs < a[1].dueMs ? b : a));
      this.timers.delete(handle);
      this.nowMs = timer.dueMs;
      timer.act();
    }
    this.nowMs = endMs;
  }
}

class FakeSocket extends EventTarget {
  /** @type {Frame[]} */
  sent = [];
  isOpen = false;
  isClosedByUs = false;
  /** @type {(frame: Frame) => void} */
  onsent = () => {};

  /** @param {string} url */
  constructor(url) {
    super();
    this.url = url;
  }

  /** @param {string} text */
  send(text) {
    if (!this.isOpen) throw new DOMException("not open", "InvalidStateError");
    const frame = JSON.parse(text);
    this.sent.push(frame);
    this.onsent(frame);
  }

  close() {
    this.isClosedByUs = true;
  }

  accept() {
    this.isOpen = true;
    this.dispatchEvent(new Event("open"));
  }

  /** @param {Frame | string} frame */
  deliver(frame) {
    const data = typeof frame === "string" ? frame : JSON.stringify(frame);
    this.dispatchEvent(new MessageEvent("message", { data }));
  }

  drop(code = 1006, reason = "") {
    this.isOpen = false;
    this.dispatchEvent(new CloseEvent("close", { code, reason }));
  }
}

export class World {
  clock = new FakeClock();
  /** @type {FakeSocket[]} */
  sockets = [];
  /** What `random()` says. */
  chance = 0.5;
  answersPings = true;
  /** @type {any[]} */
  states = [];
  #keys = 0;

  /** @param {Frame} options */
  constructor(options = {}) {
    const world = this;
    const WebSocket = /** @type {any} */ (class extends FakeSocket {
      /** @param {string} url */
      constructor(url) {
        super(url);
        world.sockets.push(this);
        /** @param {Frame} frame */
        this.onsent = (frame) => {
          if (frame.type === "ping" && world.answersPings) world.reply(frame);
        };
      }
    });
    const { setTimeout, clearTimeout } = this.clock;
    this.hub = new Hubbub({
      url: "ws://test/ws", WebSocket, now: () => this.clock.nowMs,
      random: () => this.chance, setTimeout, clearTimeout,
      newKey: () => `key-${++this.#keys}`, ...options,
    });
    this.hub.addEventListener("state", (event) => {
      this.states.push(/** @type {CustomEvent} */ (event).detail);
    });
  }

  get socket() {
    return this.sockets[this.sockets.length - 1];
  }

  connect() {
    this.hub.connect();
    this.socket.accept();
  }

  /** The socket is lost, the planned retry comes and succeeds. */
  reconnect(code = 1006) {
    this.socket.drop(code);
    this.clock.advance(/** @type {number} */ (this.hub.retryInMs));
    this.socket.accept();
  }

  /**
   * What the client has sent on this connection, pings left out where no type is named.
   * @param {string} [type]
   */
  sent(type) {
    return this.socket.sent.filter((frame) =>
      type ? frame.type === type : frame.type !== "ping");
  }

  /** @param {string} [type] */
  last(type) {
    return this.sent(type)[this.sent(type).length - 1];
  }

  /**
   * @param {Frame} command
   * @param {Frame} fields
   */
  reply(command, fields = {}) {
    this.socket.deliver({ type: "reply", id: command.id, ...fields });
  }

  /**
   * @param {Frame} command
   * @param {number} code
   * @param {boolean} temporary
   */
  refuse(command, code, temporary = false) {
    const message = `refused ${code}`;
    this.socket.deliver({ type: "error", id: command.id, code, message, temporary });
  }

  /** Says that the server is whole, or is not. @param {boolean} live */
  stand(live) {
    this.socket.deliver({ type: "status", live });
  }

  /**
   * Answers the newest subscribe command.
   * @param {string} position
   * @param {Frame} fields
   */
  joined(position, fields = {}) {
    const command = this.last("subscribe");
    this.reply(command, { channel: command.channel, position, recovered: false,
      publications: [], signals: [], durable: true, ...fields });
  }

  /**
   * @param {string} channel
   * @param {string} [position]  none: a signal
   */
  event(channel, position) {
    const said = { event: "message", data: position ?? "s", position, time: 1 };
    this.socket.deliver({ type: "event", channel, ...said });
  }

  /**
   * Subscribes; `log` gets a line for each call of a handler.
   * @param {string} channel
   * @param {Frame} options
   */
  subscribe(channel, options = {}) {
    /** @type {string[]} */
    const log = [];
    const subscription = this.hub.subscribe(channel, {
      onReply: (reply, { recovered, first }) =>
        log.push(`reply ${reply.position} recovered=${recovered} first=${first}`),
      onEvent: (event) => log.push(`event ${event.data}`),
      onJoin: (frame) => log.push(`join ${frame.user.name} ${frame.count}`),
      onLeave: (frame) => log.push(`leave ${frame.user.name} ${frame.count}`),
      onGap: (frame) => log.push(`gap ${frame.skipped} ${frame.merged}`),
      onReset: (frame) => log.push(`reset ${frame.position}`),
      onError: (error) => log.push(`error ${error.code} ${error.temporary}`),
      ...options,
    });
    return { subscription, log };
  }

  /** @param {string} channel */
  acknowledge(channel, position = "ep.1") {
    const asked = this.sent("publish").filter((frame) => frame.channel === channel);
    this.reply(asked[asked.length - 1], { channel, position, durable: true });
  }
}

/** @param {string} position */
export const publication = (position) =>
  ({ event: "message", data: position, position, time: 1 });

/**
 * How a promise ends, told when it has.
 * @param {Promise<any>} promise
 */
export const outcome = async (promise) => {
  try {
    return { value: await promise };
  } catch (error) {
    const { name, code, message, temporary } = /** @type {any} */ (error);
    return { error: { name, code, message, temporary } };
  }
};

/**
 * What a promise has come to by now: its outcome, or "waits".
 * @param {Promise<any>} promise
 */
export const soFar = async (promise) => {
  const turn = new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => resolve("waits");
    port2.postMessage(null);
  });
  return Promise.race([outcome(promise), turn]);
};

/**
 * Makes the browser say something else of itself.
 * @param {object} target
 * @param {string} name
 * @param {any} value
 */
export const pretend = (target, name, value) =>
  Object.defineProperty(target, name, { configurable: true, get: () => value });
