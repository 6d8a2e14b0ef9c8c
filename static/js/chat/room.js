// @ts-check
import { takePast } from "../past.js";

const PAGE = 50;

/**
 * @typedef {import("../hubbub.js").Hubbub} Hubbub
 * @typedef {import("../wire.js").EventFrame} EventFrame
 * @typedef {import("../wire.js").Reply} Reply
 *
 * @typedef {object} Parts  what of the page a room fills
 * @property {import("./timeline.js").Timeline} timeline
 * @property {import("./scroller.js").Scroller} scroller
 * @property {import("./people.js").People} people
 * @property {import("./typing.js").Typing} typing
 * @property {import("./outbox.js").Outbox} outbox
 * @property {() => import("../person.js").Person} me
 * @property {(event: EventFrame, own: boolean) => void} onMessage  one that is said now
 * @property {(count: number) => void} onMissed  so many came while one was away
 * @property {() => void} onOpen  its newest messages are there
 * @property {(error: Error) => void} onRefused  the room cannot be entered
 */

/** One room while it is open: what the server tells goes to its place in the page. */
export class Room {
  #hubbub;
  #parts;
  #channel;
  #subscription;
  #isLoading = false;
  #left = false;

  /** @param {Hubbub} hubbub @param {string} name @param {Parts} parts */
  constructor(hubbub, name, parts) {
    this.#hubbub = hubbub;
    this.#parts = parts;
    this.#channel = `chat:${name}`;
    for (const entry of parts.outbox.of(name)) parts.timeline.follow(entry);
    parts.scroller.onNearStart = () => this.#loadOlder();
    parts.scroller.onNearEnd = () => this.#loadNewer();
    this.#subscription = hubbub.subscribe(this.#channel, {
      presence: true,
      past: takePast(this.#channel),
      onReply: (reply, how) => this.#entered(reply, how),
      onEvent: (event) => this.#heard(event),
      onJoin: (frame) => parts.people.join(frame),
      onLeave: (frame) => parts.people.leave(frame),
      onError: (error) => {
        if (!error.temporary) parts.onRefused(error);
      },
    });
  }

  leave() {
    this.#left = true;
    this.#subscription.unsubscribe();
    this.#parts.typing.clear();
    this.#parts.timeline.clear();
    this.#parts.people.set([]);
  }

  /** Show the newest messages, which the page may have let go. */
  async showNewest() {
    const { timeline, scroller } = this.#parts;
    if (timeline.hasEnd) return scroller.toEnd();
    const page = await this.#read({});
    if (page) timeline.begin(page.publications, page.position, page.publications.length < PAGE);
  }

  tellTyping() {
    this.#hubbub.signal(this.#channel, "typing", { typing: true });
  }

  // Internal

  /** @param {Reply} reply @param {{recovered: boolean, first: boolean}} how */
  #entered(reply, { recovered }) {
    const { people, timeline, scroller, typing, onOpen } = this.#parts;
    if (reply.presence) people.set(reply.presence);
    typing.clear();
    if (recovered) {
      this.#catchUp(reply);
      // What the view needed before it was connected could not be asked for.
      return scroller.check();
    }
    for (const { key } of reply.publications.filter((said) => this.#isOwn(said))) {
      if (key) this.#parts.outbox.forget(key);
    }
    timeline.begin(reply.publications, reply.position, reply.publications.length < PAGE);
    onOpen();
    scroller.check();
  }

  /** What was missed comes now, event by event, before anything else. @param {Reply} reply */
  #catchUp({ publications }) {
    const { timeline, scroller, onMissed } = this.#parts;
    const others = publications.filter((said) => !this.#isOwn(said)).length;
    if (!others) return;
    const wasAtEnd = scroller.sticks;
    timeline.beginAway();
    queueMicrotask(() => {
      if (this.#left) return;
      timeline.endAway(others, wasAtEnd);
      onMissed(others);
    });
  }

  /** @param {EventFrame} event */
  #heard(event) {
    const { timeline, typing, outbox, me, onMessage } = this.#parts;
    if (event.event === "typing" && event.from && event.from.id !== me().id) {
      typing.start(event.from);
    }
    if (event.position === undefined || event.event !== "message") return;
    const own = this.#isOwn(event);
    typing.stop(event.from?.id);
    timeline.add(event);
    if (own && event.key) outbox.forget(event.key);
    onMessage(event, own);
  }

  /** @param {{from?: {id: string}}} said */
  #isOwn(said) {
    return said.from?.id === this.#parts.me().id;
  }

  async #loadOlder() {
    const { timeline, scroller } = this.#parts;
    const before = timeline.ends.first;
    if (timeline.start !== "more" || before === null) return;
    const page = await this.#read({ before });
    if (!page || timeline.ends.first !== before) return;
    timeline.prepend(page.publications, page.publications.length < PAGE);
    scroller.check();
  }

  async #loadNewer() {
    const { timeline, scroller } = this.#parts;
    const after = timeline.ends.last;
    if (timeline.hasEnd || after === null) return;
    const page = await this.#read({ after });
    if (!page || timeline.ends.last !== after) return;
    timeline.append(page.publications, page.position);
    scroller.check();
  }

  /**
   * One page at a time; what fails now is asked for again when the reader scrolls on.
   * @param {{before?: string, after?: string}} range
   */
  async #read(range) {
    if (this.#isLoading) return null;
    this.#isLoading = true;
    try {
      const page = await this.#hubbub.history(this.#channel, { ...range, limit: PAGE });
      return this.#left ? null : page;
    } catch {
      return null;
    } finally {
      this.#isLoading = false;
    }
  }
}
