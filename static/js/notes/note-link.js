// @ts-check
import { Backoff } from "../backoff.js";
import { Timer } from "../timer.js";
import { WebsocketProvider, decoding, encoding } from "../../vendor/notes.js";
import { Saves } from "./saves.js";

const SYNC = 0;
const SYNC_STEP_1 = 0;
const AUTH = 2;
/** Hubbub's own: SaveRequest(n), answered by saved(n) after the commit. */
const SAVE = 102;
/** Hubbub's own, to those who ask: 1 or 0, whether the server can pass anything on. */
const STANDING = 103;

const ANSWER_TIMEOUT_MS = 10_000;
const PING_INTERVAL_MS = 10_000;
const FIRST_PING_MS = 500;

/**
 * @typedef {import("../pill.js").Connection["state"]} State
 * @typedef {object} Options
 * @property {string} url  without the note's name
 * @property {string} name
 * @property {any} doc  a Y.Doc
 */

/**
 * A stock y-websocket provider with what it lacks: truth about what is durable, a
 * measured and jittered way back, others' presence at once after it, and an end.
 *
 * Events: `state` with {state, paused, latencyMs, retryInS}; `change` when the count of unsaved
 * edits changed; `synced` at the first sync of each connection; `refused` with {code,
 * reason} when the server sends us away for good.
 */
export class NoteLink extends EventTarget {
  #provider;
  #saves;
  #backoff = new Backoff({ minDelayMs: 400, maxDelayMs: 8000, random: Math.random });
  /** @type {State} */
  #state = "connecting";
  #paused = false;
  /** @type {number | null} */
  #latencyMs = null;
  #askedAt = 0;
  #reason = "";
  #retry;
  #deadline;
  #ping;

  /** @param {Options} options */
  constructor({ url, name, doc }) {
    super();
    const clock = {
      now: () => performance.now(),
      random: Math.random,
      setTimeout: (/** @type {() => void} */ act, /** @type {number} */ delayMs) =>
        globalThis.setTimeout(act, delayMs),
      clearTimeout: (/** @type {any} */ handle) => globalThis.clearTimeout(handle),
    };
    this.#retry = new Timer(clock);
    this.#deadline = new Timer(clock);
    this.#ping = new Timer(clock);
    this.#saves = new Saves({
      send: (made) => this.#ask(made),
      onChange: () => this.dispatchEvent(new Event("change")),
    });
    // Tabs of one browser meet on the server: it says who they are, and what is saved.
    const options = { connect: false, disableBc: true };
    this.#provider = new WebsocketProvider(url, name, doc, options);
    this.#listen(doc);
    window.addEventListener("online", () => this.retryNow());
    window.addEventListener("offline", () => this.#tell());
  }

  get awareness() {
    return this.#provider.awareness;
  }

  /** @returns {State} "live" means: connected, and all of before is durable */
  get state() {
    if (this.#state === "reconnecting" && !navigator.onLine) return "offline";
    return this.#state;
  }

  /** Whether the server is cut off: it asks for what is made meanwhile when it is not. */
  get paused() {
    return this.#paused;
  }

  /** How many of one's own edits are not known to be durable. */
  get unsaved() {
    return this.#saves.waiting;
  }

  /** How many edits were made here since the page opened. */
  get made() {
    return this.#saves.made;
  }

  connect() {
    if (this.#state === "closed") return;
    this.#retry.stop();
    this.#deadline.start(ANSWER_TIMEOUT_MS, () => this.#drop());
    this.#provider.connect();
    this.#tell();
  }

  retryNow() {
    if (this.#state === "reconnecting" && !this.#paused) this.connect();
  }

  /** Come back as somebody else: a connection keeps the name it was opened with. */
  reconnect() {
    if (this.#state === "closed") return;
    this.#drop();
    this.connect();
  }

  // Internal

  /** @param {any} doc */
  #listen(doc) {
    const provider = this.#provider;
    provider.messageHandlers = this.#handlers(provider.messageHandlers);
    provider.on("status", ({ status }) => {
      if (status === "connected") this.#renewPresence();
      if (status === "disconnected") this.#forgetOthers();
    });
    provider.on("sync", (/** @type {boolean} */ synced) => {
      if (synced) this.dispatchEvent(new Event("synced"));
    });
    provider.on("connection-close", (/** @type {CloseEvent | null} */ event) =>
      this.#lost(event),
    );
    doc.on("update", (_update, _origin, _doc, transaction) => {
      if (transaction.local) this.#saves.edited();
    });
  }

  /** @param {Function[]} stock @returns {Function[]} */
  #handlers(stock) {
    const handlers = stock.slice();
    handlers[SYNC] = (encoder, decoder, ...rest) => {
      const asksForAll = decoder.arr[decoder.pos] === SYNC_STEP_1;
      stock[SYNC](encoder, decoder, ...rest);
      // The answer to a step 1 leaves when this frame's handler returns; a request
      // behind it covers what was edited offline, one before it would lie.
      if (asksForAll) queueMicrotask(() => this.#saves.opened());
    };
    handlers[AUTH] = (_encoder, decoder) => {
      decoding.readVarUint(decoder);
      this.#reason = decoding.readVarString(decoder);
    };
    handlers[SAVE] = (_encoder, decoder) => this.#answered(decoding.readVarUint(decoder));
    handlers[STANDING] = (_encoder, decoder) => this.#stand(decoding.readVarUint(decoder) === 1);
    return handlers;
  }

  /** @param {number} made */
  #ask(made) {
    const { ws } = this.#provider;
    if (ws?.readyState !== WebSocket.OPEN) return;
    const encoder = encoding.createEncoder();
    encoding.writeVarUint(encoder, SAVE);
    encoding.writeVarUint(encoder, made);
    ws.send(encoding.toUint8Array(encoder));
    this.#askedAt = performance.now();
    this.#ping.stop();
    if (!this.#paused) this.#deadline.start(ANSWER_TIMEOUT_MS, () => this.#drop());
  }

  /** No answer is overdue while it is paused; then one is to come. @param {boolean} live */
  #stand(live) {
    this.#paused = !live;
    this.#deadline.stop();
    if (live) this.#saves.opened();
    this.#tell();
  }

  /** @param {number} made */
  #answered(made) {
    this.#deadline.stop();
    this.#latencyMs = performance.now() - this.#askedAt;
    const returned = this.#state !== "live";
    // The first answer has waited for the note to be opened: measure again soon.
    const pingInMs = returned ? FIRST_PING_MS : PING_INTERVAL_MS;
    this.#ping.start(pingInMs, () => this.#saves.ask());
    this.#state = "live";
    this.#saves.answered(made);
    if (returned || this.unsaved === 0) this.#tell();
    this.#backoff.reset();
  }

  /** The socket may be dead without having been closed: an answer is overdue. */
  #drop() {
    this.#provider.disconnect();
  }

  /** @param {CloseEvent | null} event null when we closed it ourselves */
  #lost(event) {
    this.#provider.shouldConnect = false; // when to come back is decided here
    this.#ping.stop();
    this.#deadline.stop();
    this.#latencyMs = null;
    this.#paused = false;
    const code = event?.code ?? 0;
    const isOver = code >= 4400 && code < 4500;
    this.#state = isOver ? "closed" : "reconnecting";
    this.#saves.lost();
    if (isOver) {
      const detail = { code, reason: this.#reason || event?.reason };
      this.dispatchEvent(new CustomEvent("refused", { detail }));
    } else {
      this.#retry.start(this.#backoff.next(event?.reason), () => this.connect());
    }
    this.#tell();
  }

  /**
   * Peers take a state only with a clock newer than the one they last saw, and they saw
   * ours fall. Bumped in place: what set it would also send it, before the sync.
   */
  #renewPresence() {
    const { meta, clientID } = this.awareness;
    const known = meta.get(clientID);
    if (known) meta.set(clientID, { ...known, clock: known.clock + 1 });
  }

  /** Else those who did not move meanwhile would stay unseen for up to 15 s. */
  #forgetOthers() {
    const { meta, clientID } = this.awareness;
    for (const client of [...meta.keys()]) if (client !== clientID) meta.delete(client);
  }

  #tell() {
    const { leftMs } = this.#retry;
    const retryInS = leftMs === null ? null : Math.ceil(leftMs / 1000);
    // Paused, it is connected, though perhaps not all of before is durable.
    const state = this.#paused ? "live" : this.state;
    const detail = { state, paused: this.#paused, latencyMs: this.#latencyMs, retryInS };
    this.dispatchEvent(new CustomEvent("state", { detail }));
  }
}
