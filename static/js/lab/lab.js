// @ts-check

import { byId, slot } from "../dom.js";
import { announce, session, socketUrl, url } from "../shell.js";
import { Drawer } from "./drawer.js";
import { Tally } from "./tally.js";
import { verdictOf, verdictOfEpoch } from "./verdict.js";

/**
 * @typedef {import("./tally.js").Counts} Counts
 * @typedef {"stall" | "drop" | "flood" | "epoch"} Name
 * @typedef {{frames: import("./frames.js").Frame[], hidden: number, counts: Counts,
 *   state: string, joined: boolean,
 *   ended: {flood: string, sent: number, mode: string} | null}} Batch
 */

const STALL_S = wished("stall", 10);
const DROP_AFTER_MS = 1000;
/** A flood's last keyed signals, and the last gap, leave behind its end. */
const SIGNALS_SETTLED_MS = 1500;
/** Longer than a return takes: then the end is said to be missing. */
const PATIENCE_MS = 15_000;
/** @type {Record<string, string>} */
const STATES = { reconnecting: "Coming back", offline: "Offline", closed: "Closed" };
const BUSY = "Not so fast: an experiment is under way, here or in another tab.";
const CHANNEL = /^open:[a-z0-9._-]{1,64}$/;

const FLOODS = {
  flood: { per_s: 2000, seconds: wished("flood", 5), pad_bytes: 0 },
  drop: { per_s: 1000, seconds: 3, pad_bytes: 0 },
  // Long and many enough to fill the outbox of who does not read for ten seconds, few
  // enough for one catch-up (5,000 publications, 2 MiB).
  stall: { per_s: 500, seconds: STALL_S, pad_bytes: 150 },
};

/** *Break it*: four buttons, a socket in a worker, and what its numbers prove. */
export class Lab {
  #root;
  #drawer = new Drawer();
  #status = byId("lab-status");
  #word = byId("lab-status-word");
  #verdict = byId("lab-verdict");
  #channel = `open:lab-${session().user?.id ?? ""}.${tabId()}`;
  /** @type {Worker | null} */
  #worker = null;
  /** @type {Map<Name, HTMLButtonElement>} */
  #buttons = new Map();
  /** @type {string | null} the flood that is under way */
  #flood = null;
  #state = "connecting";
  #joined = false;
  #asking = false;
  #stalledUntil = 0;
  /** Whether a new epoch was asked for and is still to be told. */
  #anew = false;
  /** @type {Counts} */
  #counts = new Tally().counts;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #patience;

  /** @param {HTMLElement} root */
  constructor(root) {
    this.#root = root;
    for (const button of root.querySelectorAll("button[data-breaks]")) {
      const name = /** @type {Name} */ (/** @type {HTMLElement} */ (button).dataset.breaks);
      this.#buttons.set(name, /** @type {HTMLButtonElement} */ (button));
      button.addEventListener("click", () => this.#break(name));
    }
    slot(root, "stall-s").textContent = String(STALL_S);
    slot(root, "flood-s").textContent = String(FLOODS.flood.seconds);
  }

  /** Open the lab's own socket. */
  start() {
    if (!CHANNEL.test(this.#channel)) {
      this.#say("Your user id cannot be part of a channel's name: no lab for you here.", "warn");
      return;
    }
    const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
    worker.addEventListener("message", (event) => this.#show(event.data));
    worker.postMessage({ type: "start", url: socketUrl("/ws"), channel: this.#channel });
    this.#worker = worker;
  }

  // What is done

  /** @param {Name} name */
  async #break(name) {
    this.#asking = true;
    if (this.#flood === null) this.#say("Asking the server …");
    this.#enable();
    try {
      if (name === "epoch") await this.#newEpoch();
      else await this.#withFlood(name);
    } catch (error) {
      this.#say(error instanceof Error ? error.message : String(error), "warn");
    } finally {
      this.#asking = false;
      this.#enable();
    }
  }

  /** @param {"stall" | "drop" | "flood"} name */
  async #withFlood(name) {
    const own = this.#flood === null;
    if (own) await this.#begin(FLOODS[name]);
    if (name === "stall") this.#stall();
    else if (name === "drop") setTimeout(() => this.#drop(), own ? DROP_AFTER_MS : 0);
  }

  /** @param {{per_s: number, seconds: number, pad_bytes: number}} flood */
  async #begin({ per_s, seconds, pad_bytes }) {
    this.#worker?.postMessage({ type: "clear" });
    const { flood, total, mode } = await post("/api/lab/flood", {
      channel: this.#channel, per_s, seconds, pad_bytes, mode: this.#mode(),
    });
    this.#flood = flood;
    const [all, rate] = [total, per_s].map((value) => value.toLocaleString("en"));
    this.#say(`${all} numbered ${mode} are on their way, ${rate} a second …`);
    clearTimeout(this.#patience);
    this.#patience = setTimeout(() => this.#giveUp(), seconds * 1000 + PATIENCE_MS);
  }

  #drop() {
    this.#worker?.postMessage({ type: "drop" });
  }

  #stall() {
    this.#stalledUntil = performance.now() + STALL_S * 1000;
    this.#worker?.postMessage({ type: "stall", ms: STALL_S * 1000 });
    this.#countDown();
  }

  #countDown() {
    this.#showStatus();
    this.#enable();
    if (this.#stalledUntil > performance.now()) setTimeout(() => this.#countDown(), 200);
  }

  async #newEpoch() {
    const own = this.#flood === null;
    if (own) this.#worker?.postMessage({ type: "clear" });
    this.#anew = own;
    await post("/api/lab/epoch", { channel: this.#channel });
  }

  #giveUp() {
    this.#flood = null;
    this.#say("The flood's end did not arrive. Is the server gone?", "warn");
    this.#enable();
  }

  // What is shown

  /** @param {Batch} batch */
  #show({ frames, hidden, counts, state, joined, ended }) {
    this.#state = state;
    this.#joined = joined;
    this.#counts = counts;
    this.#drawer.add(frames, hidden);
    for (const cell of this.#root.querySelectorAll("[data-count]")) showCount(cell, counts);
    if (ended && ended.flood === this.#flood) this.#finish(ended);
    if (this.#anew && counts.resets > 0) {
      this.#anew = false;
      this.#conclude(verdictOfEpoch(counts));
    }
    this.#showStatus();
    this.#enable();
  }

  /** @param {NonNullable<Batch["ended"]>} ended */
  #finish(ended) {
    const flood = this.#flood;
    clearTimeout(this.#patience);
    const settled = ended.mode === "signals" ? SIGNALS_SETTLED_MS : 0;
    this.#patience = setTimeout(() => {
      if (this.#flood !== flood) return;
      this.#flood = null;
      this.#conclude(verdictOf(ended, this.#counts));
      this.#enable();
    }, settled);
  }

  /** @param {{text: string, kept: boolean}} verdict */
  #conclude({ text, kept }) {
    this.#say(text, kept ? "ok" : "danger");
    announce(text);
  }

  /** @param {string} text @param {"" | "ok" | "warn" | "danger"} [tone] */
  #say(text, tone = "") {
    this.#verdict.textContent = text;
    this.#verdict.dataset.tone = tone;
  }

  #showStatus() {
    const left = Math.ceil((this.#stalledUntil - performance.now()) / 1000);
    const stalled = left > 0;
    const ready = this.#joined && this.#state === "live";
    this.#status.dataset.tone = stalled ? "warn" : ready ? "ok" : "";
    this.#word.textContent = stalled
      ? `Does not read, ${left} s left`
      : ready ? "Reading" : STATES[this.#state] ?? "Connecting";
  }

  #enable() {
    const stalled = this.#stalledUntil > performance.now();
    const idle = this.#worker !== null && this.#joined && !this.#asking && !stalled;
    for (const [name, button] of this.#buttons) {
      button.disabled = !idle || (name === "flood" && this.#flood !== null);
    }
    for (const input of this.#root.querySelectorAll("input[name=lab-mode]")) {
      /** @type {HTMLInputElement} */ (input).disabled = this.#flood !== null;
    }
  }

  #mode() {
    const checked = this.#root.querySelector("input[name=lab-mode]:checked");
    return checked instanceof HTMLInputElement ? checked.value : "publications";
  }
}

/** @param {Element} cell @param {Counts} counts */
function showCount(cell, counts) {
  const { count } = /** @type {HTMLElement} */ (cell).dataset;
  const value = counts[/** @type {keyof Counts} */ (count)];
  const text = value.toLocaleString("en");
  if (cell.textContent !== text) cell.textContent = text;
  /** @type {HTMLElement} */ (cell).dataset.zero = String(value === 0);
}

/**
 * @param {string} path
 * @param {object} words
 * @returns {Promise<any>}
 */
async function post(path, words) {
  const response = await fetch(url(path), {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(words),
  });
  const answer = await response.json();
  if (response.status === 429) throw new Error(BUSY);
  if (!response.ok) throw new Error(`Refused: ${answer.message}.`);
  return answer;
}

/**
 * Seconds; for those in a hurry the address says fewer: `?stall=2&flood=1`.
 *
 * @param {"stall" | "flood"} name
 * @param {number} most
 */
function wished(name, most) {
  const seconds = Number(new URLSearchParams(location.search).get(name));
  return seconds > 0 && seconds < most ? seconds : most;
}

/** Two tabs must not share a channel: each would count the other's flood. */
function tabId() {
  const bytes = crypto.getRandomValues(new Uint8Array(4));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
