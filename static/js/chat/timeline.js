// @ts-check
import { Position } from "../position.js";
import { AwayLine } from "./away-line.js";
import { MessageRow } from "./message-row.js";

/** More rows than this make a page slow; the far ones go, and are fetched again. */
const MAX_ROWS = 400;
/** So many go at once, that not each new one costs an old one. */
const TRIMMED_ROWS = 20;

/**
 * @typedef {import("../person.js").Person} Person
 * @typedef {import("../wire.js").Publication} Publication
 * @typedef {import("./outbox.js").Entry} Entry
 */

/**
 * The messages of one room that stand in the page: a piece of its stream without holes,
 * in its order, then one's own that are on their way.
 */
export class Timeline {
  /** Called when what it holds, or whether that is the room's end, has changed. */
  onChange = () => {};

  #list;
  #scroller;
  #actions;
  #me;
  /** @type {MessageRow[]} kept ones, by offset */
  #rows = [];
  /** @type {MessageRow[]} on their way, in the order of sending */
  #pending = [];
  /** @type {Map<string, MessageRow>} one's own whose publication has not come yet */
  #byKey = new Map();
  #epoch = "";
  /** The highest offset known of. */
  #top = 0;
  #awayLine;
  /** What was missed is coming in: the view follows when all of it is there. */
  #isAway = false;
  /** @type {"unknown" | "more" | "first" | "trimmed"} what is before the first row */
  start = "unknown";
  /** Whether the last row is the room's newest. */
  hasEnd = true;

  /**
   * @param {HTMLElement} list
   * @param {import("./scroller.js").Scroller} scroller
   * @param {() => Person} me
   * @param {import("./message-row.js").Actions} actions
   */
  constructor(list, scroller, me, actions) {
    this.#list = list;
    this.#awayLine = new AwayLine(list);
    this.#scroller = scroller;
    this.#me = me;
    this.#actions = actions;
  }

  get isEmpty() {
    return !this.#rows.length && !this.#pending.length;
  }

  /** Where to read on from, towards the beginning; null when there is nothing. */
  get firstPosition() {
    return this.#positionOf(this.#rows[0]);
  }

  get lastPosition() {
    return this.#positionOf(this.#rows.at(-1));
  }

  get lastTimeMs() {
    return this.#rows.at(-1)?.timeMs ?? 0;
  }

  // The room

  /** Forget the room. */
  clear() {
    this.#forgetKept();
    for (const row of this.#pending) row.remove();
    this.#pending = [];
    this.#byKey.clear();
    this.start = "unknown";
    this.onChange();
  }

  /**
   * Begin anew with the newest messages; those on their way stay.
   * @param {Publication[]} publications @param {string} top @param {boolean} isAll
   */
  begin(publications, top, isAll) {
    this.#quietly(() => {
      this.#forgetKept();
      ({ epoch: this.#epoch, offset: this.#top } = Position.parse(top));
      for (const publication of publications) this.#add(publication);
      this.#setStart(isAll);
      this.#scroller.toEnd();
    });
    this.onChange();
  }

  /** Put a page in front. @param {Publication[]} page @param {boolean} isAll */
  prepend(page, isAll) {
    this.#quietly(() => this.#scroller.hold(() => {
      for (const publication of page) this.#add(publication);
      this.#setStart(isAll);
      this.#trimEnd();
    }));
    this.onChange();
  }

  /** Put a page at the end. @param {Publication[]} page @param {string} top */
  append(page, top) {
    this.#top = Math.max(this.#top, Position.parse(top).offset);
    this.#quietly(() => this.#scroller.hold(() => {
      for (const publication of page) this.#add(publication);
      this.hasEnd = (this.#rows.at(-1)?.offset ?? 0) >= this.#top;
      if (this.hasEnd) this.#showPending();
      this.#trimStart();
    }));
    this.onChange();
  }

  /** A message that is said now. @param {Publication} publication */
  add(publication) {
    const { offset } = Position.parse(/** @type {string} */ (publication.position));
    this.#top = Math.max(this.#top, offset);
    if (this.#isAway) return this.#add(publication);
    if (!this.#scroller.sticks && this.#rows.length >= MAX_ROWS) this.hasEnd = false;
    if (this.hasEnd) {
      this.#scroller.hold(() => {
        this.#add(publication);
        if (this.#scroller.sticks) this.#trimStart();
      });
    } else {
      // It stands in the page again once the reader goes there.
      this.#take(publication.key, publication)?.remove();
    }
    this.onChange();
  }

  // One's own messages

  /** Show what is on its way, or what has become of it. @param {Entry} entry */
  follow(entry) {
    const known = this.#byKey.get(entry.key);
    if (known) return this.#scroller.hold(() => known.follow(entry, this.#actions));
    const row = MessageRow.pending(entry, this.#me(), this.#actions);
    this.#byKey.set(entry.key, row);
    this.#pending.push(row);
    if (this.hasEnd) this.#scroller.hold(() => this.#showPending());
    this.onChange();
  }

  /** It is kept. @param {string} key @param {string} position */
  acknowledge(key, position) {
    const row = this.#byKey.get(key);
    const { epoch, offset } = Position.parse(position);
    if (!row || row.offset !== null) return;
    const isAbove = offset < (this.#rows[0]?.offset ?? 0);
    const isThere = this.#rows[this.#indexOf(offset)]?.offset === offset;
    const isElsewhere = epoch !== this.#epoch || isAbove || !this.hasEnd;
    if (isThere || isElsewhere) return this.discard(key);
    this.#pending = this.#pending.filter((other) => other !== row);
    row.acknowledge(offset);
    this.#scroller.hold(() => this.#insert(row));
  }

  /** @param {string} key */
  discard(key) {
    const row = this.#take(key);
    this.#scroller.hold(() => {
      row?.remove();
      this.#regroup(this.#rows.length);
    });
    this.onChange();
  }

  // What came while one was away

  /** Draw a line; what is added next came while one was away. */
  beginAway() {
    this.#isAway = this.hasEnd;
    if (!this.hasEnd) return;
    this.#list.setAttribute("aria-live", "off");
    this.#awayLine.draw(this.#pending[0]?.first ?? null);
  }

  /**
   * All that was missed is there.
   * @param {number} count  how many of them are others'
   * @param {boolean} wasAtEnd
   */
  endAway(count, wasAtEnd) {
    if (!this.#isAway) return;
    this.#isAway = false;
    if (wasAtEnd) this.#trimStart();
    else this.#trimEnd();
    this.#awayLine.finish(count, wasAtEnd, this.#scroller);
    this.#quietly(() => this.#scroller.hold(() => this.#regroup(0, Infinity)));
    this.onChange();
  }

  /** What was today is yesterday after midnight. */
  refreshDays() {
    this.#regroup(0, Infinity);
  }

  // Internal

  /** @param {MessageRow | undefined} row */
  #positionOf(row) {
    return row ? `${this.#epoch}.${row.offset}` : null;
  }

  #forgetKept() {
    for (const row of this.#rows) row.remove();
    for (const [key, row] of this.#byKey) {
      if (row.offset !== null) this.#byKey.delete(key);
    }
    this.#rows = [];
    this.#awayLine.remove();
    this.hasEnd = true;
    this.#showPending();
  }

  /** @param {Publication} publication */
  #add(publication) {
    if (publication.event !== "message") return;
    const { offset } = Position.parse(/** @type {string} */ (publication.position));
    const own = publication.from?.id === this.#me().id;
    const mine = own ? this.#take(publication.key, publication) : undefined;
    const index = this.#indexOf(offset);
    if (this.#rows[index]?.offset === offset) return mine?.remove();
    const row = mine ?? MessageRow.said(publication, own);
    row.offset = offset;
    this.#insert(row);
  }

  /**
   * Take one's own message out of those that wait, and let it become what was kept.
   * @param {string | undefined} key @param {Publication} [publication]
   * @returns {MessageRow | undefined} where it has no place among the kept ones yet
   */
  #take(key, publication) {
    const row = key === undefined ? undefined : this.#byKey.get(key);
    if (!row || (publication && publication.from?.id !== this.#me().id)) return undefined;
    this.#byKey.delete(/** @type {string} */ (key));
    if (publication) row.become(publication);
    if (row.offset !== null) {
      this.#regroup(this.#rows.indexOf(row));
      return undefined;
    }
    this.#pending = this.#pending.filter((other) => other !== row);
    return row;
  }

  /** The place of the first row that is not before an offset. @param {number} offset */
  #indexOf(offset) {
    return this.#rows.findLastIndex((row) => Number(row.offset) < offset) + 1;
  }

  /** @param {MessageRow} row */
  #insert(row) {
    const index = this.#indexOf(/** @type {number} */ (row.offset));
    const next = this.#rows[index] ?? this.#pending[0];
    this.#rows.splice(index, 0, row);
    row.place(this.#list, next?.first ?? null);
    this.#regroup(index);
  }

  /**
   * Make days and groups right: of two rows, where one came or went, or of more.
   * @param {number} from @param {number} [count]
   */
  #regroup(from, count = 2) {
    const rowAt = (/** @type {number} */ at) =>
      this.#rows[at] ?? this.#pending[at - this.#rows.length] ?? null;
    const end = Math.min(this.#rows.length + this.#pending.length, from + count);
    for (let at = Math.max(0, from); at < end; at++) {
      if (rowAt(at).element.isConnected) rowAt(at).standAfter(rowAt(at - 1));
    }
  }

  #showPending() {
    for (const row of this.#pending) row.place(this.#list, null);
    this.#regroup(this.#rows.length, Infinity);
  }

  /** @param {boolean} isAll */
  #setStart(isAll) {
    const first = this.#rows[0]?.offset ?? 1;
    if (!isAll && first > 1) this.start = "more";
    else this.start = first > 1 ? "trimmed" : "first";
  }

  #trimEnd() {
    const tooMany = this.#rows.length - MAX_ROWS;
    if (tooMany <= 0) return;
    for (const row of this.#rows.splice(-tooMany)) row.remove();
    for (const row of this.#pending) row.remove();
    this.hasEnd = false;
  }

  #trimStart() {
    if (this.#rows.length <= MAX_ROWS) return;
    const tooMany = this.#rows.length - MAX_ROWS + TRIMMED_ROWS;
    for (const row of this.#rows.splice(0, tooMany)) row.remove();
    this.start = "more";
    this.#awayLine.removeFromStart();
    this.#regroup(0);
  }

  /**
   * A page of the past is not news: nobody reads it out.
   * @param {() => void} change
   */
  #quietly(change) {
    this.#list.setAttribute("aria-live", "off");
    change();
    setTimeout(() => this.#list.removeAttribute("aria-live"));
  }
}
