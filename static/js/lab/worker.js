// @ts-check
/**
 * The socket of *Break it*, in a thread of its own: when it stalls, it really does not
 * read, and the page stays alive to say so.
 */

import { Hubbub } from "../hubbub.js";
import { Frames } from "./frames.js";
import { Tally } from "./tally.js";

const BATCH_MS = 100;

/** @typedef {{type: "start", url: string, channel: string} | {type: "clear"}
 *   | {type: "stall", ms: number} | {type: "drop"}} Order */

class LabSocket {
  #channel = "";
  #frames = new Frames();
  #tally = new Tally();
  /** @type {WebSocket | null} */
  #socket = null;
  /** @type {Hubbub | null} */
  #hub = null;
  /** Publications of the newest reply that were not handed on yet. */
  #recovering = 0;
  /** @type {{flood: string, sent: number, mode: string} | null} */
  #ended = null;
  #state = "connecting";
  #joined = false;
  #toldByReset = false;
  #planned = false;

  /** @param {Order} order */
  obey(order) {
    if (order.type === "start") this.#start(order);
    else if (order.type === "clear") this.#clear();
    else if (order.type === "stall") this.#stall(order.ms);
    else if (order.type === "drop") this.#socket?.close();
    this.#plan();
  }

  /** @param {{url: string, channel: string}} where */
  #start({ url, channel }) {
    this.#channel = channel;
    const lab = this;
    const hub = new Hubbub({
      url,
      // The client module does not give its socket away; it must be had to be cut.
      WebSocket: class extends WebSocket {
        /** @param {string} address */
        constructor(address) {
          super(address);
          lab.#socket = this;
        }
      },
    });
    this.#hub = hub;
    hub.addEventListener("frame", (event) => {
      this.#frames.add(/** @type {CustomEvent} */ (event).detail);
      this.#plan();
    });
    hub.addEventListener("state", (event) => {
      this.#changed(/** @type {CustomEvent} */ (event).detail);
    });
    hub.subscribe(channel, {
      onReply: (reply, how) => this.#replied(reply, how),
      onEvent: (event) => this.#took(event),
      onGap: (gap) => this.#tally.gap(gap),
      onReset: () => {
        this.#toldByReset = true;
        this.#tally.cut();
      },
    });
    hub.connect();
  }

  #clear() {
    this.#tally.clear();
    this.#ended = null;
  }

  /** Blocks this thread, as a page that computes would. @param {number} ms */
  #stall(ms) {
    this.#say(`stops reading for ${ms / 1000} s`);
    this.#flush();
    const untilMs = performance.now() + ms;
    while (performance.now() < untilMs);
    this.#say("reads again");
  }

  /** @param {{state: string, code: number | null, reason: string}} detail */
  #changed({ state, code, reason }) {
    if (state !== "live") this.#joined = false;
    if (state === "live" && this.#state !== "live") this.#say("connected");
    if (state === "reconnecting" && this.#state === "live") {
      this.#say(`lost: ${code ?? "no code"} ${reason}`.trim());
    }
    this.#state = state;
    this.#plan();
  }

  /** @param {import("../wire.js").Reply} reply @param {{recovered: boolean, first: boolean}} how */
  #replied(reply, { recovered, first }) {
    this.#joined = true;
    this.#recovering = recovered ? reply.publications.length : 0;
    const told = this.#toldByReset;
    this.#toldByReset = false;
    if (recovered || first) return;
    if (!told) this.#tally.cut();
    this.#lookForEnd();
  }

  /** The flood may have ended in what cannot be resumed; its end is then the newest. */
  #lookForEnd() {
    this.#hub?.history(this.#channel, { limit: 1 }).then((reply) => {
      const newest = reply.publications[0];
      if (newest?.event === "end") this.#finish(newest.data);
    }, () => {});
  }

  /** @param {import("../wire.js").EventFrame} event */
  #took({ event, data, position }) {
    const recovered = position !== undefined && this.#recovering > 0;
    if (recovered) this.#recovering -= 1;
    if (event === "end") this.#finish(data);
    else if (event === "flood" && position === undefined) this.#tally.hear();
    else if (event === "flood") this.#tally.see(data.flood, data.n, recovered);
    this.#plan();
  }

  /** @param {{flood: string, sent: number, mode: string}} data */
  #finish(data) {
    if (data.mode === "publications") this.#tally.end(data.flood, data.sent);
    this.#ended = data;
  }

  /** A row of the drawer that is no frame. @param {string} text */
  #say(text) {
    const at = performance.timeOrigin + performance.now();
    this.#frames.add({ dir: "", text, size: 0, at });
    this.#plan();
  }

  #plan() {
    if (this.#planned) return;
    this.#planned = true;
    setTimeout(() => this.#flush(), BATCH_MS);
  }

  #flush() {
    this.#planned = false;
    postMessage({
      ...this.#frames.take(), counts: this.#tally.counts, state: this.#state,
      joined: this.#joined, ended: this.#ended, at: performance.timeOrigin + performance.now(),
    });
  }
}

const socket = new LabSocket();
addEventListener("message", (event) => socket.obey(event.data));
