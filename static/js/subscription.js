// @ts-check
import { HubbubError } from "./hubbub-error.js";
import { Position } from "./position.js";
import { Timer } from "./timer.js";

/**
 * @typedef {import("./wire.js").EventFrame} EventFrame
 * @typedef {import("./wire.js").Reply} Reply
 *
 * @typedef {{recovered: boolean, first: boolean}} How
 *
 * @typedef {object} Handlers  what is called, with the wire's own frames
 * @property {(reply: Reply, how: How) => void} [onReply]
 *   after each (re)subscribe; not recovered: begin anew from the reply
 * @property {(event: EventFrame) => void} [onEvent]  publications, in order; signals
 * @property {(frame: import("./wire.js").PresenceFrame) => void} [onJoin]
 * @property {(frame: import("./wire.js").PresenceFrame) => void} [onLeave]
 * @property {(frame: import("./wire.js").GapFrame) => void} [onGap]
 * @property {(frame: import("./wire.js").ResetFrame) => void} [onReset]
 * @property {(error: HubbubError) => void} [onError]
 *
 * @typedef {Handlers & {presence?: boolean, since?: string, past?: Reply}} Options
 *   `past`: a reply that one has already; it is told first, and resumed from
 *
 * @typedef {object} Hub  what a subscription needs of its hub
 * @property {import("./commands.js").Commands["ask"]} ask
 * @property {() => void} leave
 * @property {import("./backoff.js").Backoff} backoff
 * @property {import("./timer.js").Clock} clock
 */

/** A channel as this client sees it: keeps its position, and through it what is new. */
export class Subscription {
  #channel;
  #options;
  #hub;
  #retry;
  /** @type {Position | null} */
  #position;
  #first = true;
  #left = false;
  /** Counts the subscribe commands: only the newest one's reply says where we are. */
  #round = 0;
  /** Until then publications are dropped: the reply will have them. */
  #joining = true;

  /**
   * `received` were handed to onEvent, `recovered` of them came with a reply; `doubled`
   * publications were dropped, `missed` were not there in their turn; `merged` and
   * `skipped` signals the server has withheld.
   */
  counts = { received: 0, recovered: 0, doubled: 0, missed: 0, merged: 0, skipped: 0 };

  /** @param {string} channel @param {Options} options @param {Hub} hub */
  constructor(channel, options, hub) {
    this.#channel = channel;
    this.#options = options;
    this.#hub = hub;
    this.#retry = new Timer(hub.clock);
    const { past, since = past?.position, onReply } = options;
    this.#position = since === undefined ? null : Position.parse(since);
    if (!past) return;
    this.#first = false;
    queueMicrotask(() => this.#call(onReply, past, { recovered: false, first: true }));
  }

  get channel() {
    return this.#channel;
  }

  /** Where to resume, as a string; null when there is no such place. */
  get position() {
    return this.#position && String(this.#position);
  }

  /** Leaves the channel for good; nothing is called any more. */
  unsubscribe() {
    if (this.#left) return;
    this.#left = true;
    this.#retry.stop();
    this.#hub.leave();
  }

  /** For the hub: the connection is there, or what we have is no longer whole. */
  join() {
    this.#retry.stop();
    this.#joining = true;
    const round = ++this.#round;
    /** @type {import("./wire.js").Command} */
    const command = { type: "subscribe", channel: this.#channel };
    if (this.#position) command.since = String(this.#position);
    if (this.#options.presence) command.presence = true;
    this.#hub.ask(command, (reply) => {
      if (!this.#left && round === this.#round) this.#joined(reply);
    }, (error) => {
      if (!this.#left && round === this.#round) this.#refused(error);
    });
  }

  /** For the hub: what was refused may be granted now. */
  retryNow() {
    if (this.#retry.leftMs !== null) this.join();
  }

  /** For the hub: the connection is gone. */
  pause() {
    this.#retry.stop();
  }

  /**
   * For the hub: a frame of this channel.
   * @param {import("./wire.js").ChannelFrame} frame
   */
  receive(frame) {
    const { onJoin, onLeave, onError } = this.#options;
    if (frame.type === "event") this.#event(frame);
    else if (frame.type === "join") this.#call(onJoin, frame);
    else if (frame.type === "leave") this.#call(onLeave, frame);
    else if (frame.type === "error") this.#call(onError, HubbubError.from(frame));
    else if (frame.type === "gap") this.#gap(frame);
    else if (frame.type === "reset") this.#reset(frame);
  }

  /** @param {import("./wire.js").GapFrame} frame */
  #gap(frame) {
    this.counts.merged += frame.merged;
    this.counts.skipped += frame.skipped;
    this.#call(this.#options.onGap, frame);
  }

  /** @param {import("./wire.js").ResetFrame} frame */
  #reset(frame) {
    this.#position = null;
    this.#call(this.#options.onReset, frame);
    if (!this.#left) this.join();
  }

  /** @param {Reply} reply */
  #joined(reply) {
    const recovered = reply.recovered === true;
    const first = this.#first;
    this.#first = false;
    this.#joining = false;
    this.#hub.backoff.reset();
    if (!recovered) this.#position = Position.parse(reply.position);
    this.#call(this.#options.onReply, reply, { recovered, first });
    if (!recovered) return;
    for (const publication of reply.publications) {
      const at = Position.parse(/** @type {string} */ (publication.position));
      if (this.#isDouble(at)) continue;
      this.#countMissed(at);
      this.counts.recovered += 1;
      this.#deliver({ type: "event", channel: this.#channel, ...publication }, at);
    }
  }

  /** @param {EventFrame} event */
  #event(event) {
    if (event.position === undefined) return this.#deliver(event, this.#position);
    if (this.#joining) return;
    const at = Position.parse(event.position);
    if (this.#isDouble(at)) return;
    if (this.#position && at.epoch !== this.#position.epoch) this.join();
    else if (this.#countMissed(at)) this.join();
    else this.#deliver(event, at);
  }

  /** @param {Position} at */
  #isDouble(at) {
    const last = this.#position;
    if (!last || at.epoch !== last.epoch || at.offset > last.offset) return false;
    this.counts.doubled += 1;
    return true;
  }

  /**
   * How many publications are missing before this one.
   * @param {Position} at
   */
  #countMissed(at) {
    const last = this.#position;
    const missed = last && at.epoch === last.epoch ? at.offset - last.offset - 1 : 0;
    this.counts.missed += missed;
    return missed;
  }

  /** @param {EventFrame} event @param {Position | null} at */
  #deliver(event, at) {
    this.#position = at;
    this.counts.received += 1;
    this.#call(this.#options.onEvent, event);
  }

  /** @param {HubbubError} error */
  #refused(error) {
    if (error.code === HubbubError.DISCONNECTED) return;
    const { backoff } = this.#hub;
    if (error.code === HubbubError.UNRECOVERABLE && this.#position) {
      this.#position = null;
      this.join();
    } else if (error.temporary) {
      this.#retry.start(backoff.next(), () => this.join());
    }
    this.#call(this.#options.onError, error);
  }

  /**
   * A handler's fault is reported, and stays its own.
   * @template {unknown[]} Args
   * @param {((...args: Args) => unknown) | undefined} handler
   * @param {Args} args
   */
  #call(handler, ...args) {
    if (this.#left) return;
    try {
      const result = handler?.(...args);
      if (result instanceof Promise) result.catch(reportError);
    } catch (error) {
      reportError(error);
    }
  }
}
