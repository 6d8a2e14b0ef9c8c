// @ts-check
import { Position } from "../position.js";
import { AwayLine } from "./away-line.js";
import { MessageRow } from "./message-row.js";
import { OwnRows } from "./own-rows.js";

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
  #own = new OwnRows();
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
    return !this.#rows.length && !this.#own.waiting.length;
  }

  /** Where to read on from, towards the beginning or the end; null: there is nothing. */
  get ends() {
    const position = (/** @type {MessageRow | undefined} */ row) =>
      row ? `${this.#epoch}.${row.offset}` : null;
    return { first: position(this.#rows[0]), last: position(this.#rows.at(-1)) };
  }

  get lastTimeMs() {
    return this.#rows.at(-1)?.timeMs ?? 0;
  }

  // The room

  /** Forget the room. */
  clear() {
    this.#forgetKept();
    this.#own.clear();
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
      const mine = this.#takeOwn(publication);
      if (mine?.offset === null) mine.remove();
    }
    this.onChange();
  }

  // One's own messages

  /** Show what is on its way, or what has become of it. @param {Entry} entry */
  follow(entry) {
    const known = this.#own.get(entry.key);
    if (known) return this.#scroller.hold(() => known.follow(entry, this.#actions));
    const row = MessageRow.pending(entry, this.#me(), this.#actions);
    this.#own.add(entry.key, row);
    if (this.hasEnd) this.#scroller.hold(() => this.#showPending());
    this.onChange();
  }

  /** It is kept. @param {string} key @param {string} position */
  acknowledge(key, position) {
    const row = this.#own.get(key);
    const { epoch, offset } = Position.parse(position);
    if (!row || row.offset !== null) return;
    const isAbove = offset < (this.#rows[0]?.offset ?? 0);
    const isThere = this.#rows[this.#indexOf(offset)]?.offset === offset;
    const isElsewhere = epoch !== this.#epoch || isAbove || !this.hasEnd;
    if (isThere || isElsewhere) return this.discard(key);
    row.acknowledge(offset);
    this.#scroller.hold(() => this.#insert(row));
  }

  /** @param {string} key */
  discard(key) {
    const row = this.#own.take(key);
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
    this.#awayLine.draw(this.#own.waiting[0]?.first ?? null);
  }

  /** All is there. @param {number} count others' of it @param {boolean} wasAtEnd */
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

  #forgetKept() {
    for (const row of this.#rows) row.remove();
    this.#own.forgetKept();
    this.#rows = [];
    this.#awayLine.remove();
    this.hasEnd = true;
    this.#showPending();
  }

  /** @param {Publication} publication */
  #add(publication) {
    if (publication.event !== "message") return;
    const { offset } = Position.parse(/** @type {string} */ (publication.position));
    const own = this.#isOwn(publication);
    const mine = this.#takeOwn(publication);
    const index = this.#indexOf(offset);
    const there = this.#rows[index];
    if (there === mine && mine) return this.#regroup(index);
    if (there?.offset === offset) return mine?.remove();
    const row = mine ?? MessageRow.said(publication, own);
    row.offset = offset;
    this.#insert(row);
  }

  /** @param {Publication} publication */
  #isOwn(publication) {
    return publication.from?.id === this.#me().id;
  }

  /**
   * One's own message that waited for this publication, become what was kept.
   * @param {Publication} publication
   */
  #takeOwn(publication) {
    const row = this.#isOwn(publication) ? this.#own.take(publication.key) : undefined;
    row?.become(publication);
    return row;
  }

  /** The place of the first row that is not before an offset. @param {number} offset */
  #indexOf(offset) {
    return this.#rows.findLastIndex((row) => Number(row.offset) < offset) + 1;
  }

  /** @param {MessageRow} row */
  #insert(row) {
    const index = this.#indexOf(/** @type {number} */ (row.offset));
    const next = this.#rows[index] ?? this.#own.waiting.find((other) => other !== row);
    this.#rows.splice(index, 0, row);
    row.place(this.#list, next?.first ?? null);
    this.#regroup(index);
  }

  /**
   * Make days and groups right: of two rows, where one came or went, or of more.
   * @param {number} from @param {number} [count]
   */
  #regroup(from, count = 2) {
    const all = [...this.#rows, ...this.#own.waiting];
    for (const [step, row] of all.slice(Math.max(0, from), from + count).entries()) {
      if (row.element.isConnected) row.standAfter(all[from + step - 1] ?? null);
    }
  }

  #showPending() {
    for (const row of this.#own.waiting) row.place(this.#list, null);
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
    for (const row of this.#own.waiting) row.remove();
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

  /** A page of the past is not news: nobody reads it out. @param {() => void} change */
  #quietly(change) {
    this.#list.setAttribute("aria-live", "off");
    change();
    setTimeout(() => this.#list.removeAttribute("aria-live"));
  }
}
