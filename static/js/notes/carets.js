// @ts-check
import { hueOf } from "../person.js";
import { Decoration, StateEffect, ViewPlugin, Y } from "../../vendor/notes.js";
import { CaretWidget } from "./caret-widget.js";

/** How long a name stays on a caret that does not move. */
const RESTS_AFTER_MS = 4000;

const redraw = StateEffect.define();

/** @param {any} a @param {any} b */
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

/** Draws others' carets and selections, and tells them where one's own is. */
class Carets {
  #view;
  #text;
  #awareness;
  /** @type {Map<number, {cursor: string, movedAt: number}>} */
  #moves = new Map();
  #timer = 0;
  #onChange;
  decorations = Decoration.none;

  /** @param {any} view @param {any} text @param {any} awareness */
  constructor(view, text, awareness) {
    this.#view = view;
    this.#text = text;
    this.#awareness = awareness;
    this.#onChange = ({ added, updated, removed }) => {
      const own = awareness.clientID;
      const others = [...added, ...updated, ...removed].some((client) => client !== own);
      if (others) this.#redraw();
    };
    awareness.on("change", this.#onChange);
    this.#draw();
  }

  /** @param {any} update */
  update(update) {
    if (update.selectionSet || update.docChanged || update.focusChanged) this.#tell(update);
    const asked = update.transactions.some((transaction) =>
      transaction.effects.some((effect) => effect.is(redraw)),
    );
    if (update.docChanged || asked) this.#draw();
  }

  destroy() {
    clearTimeout(this.#timer);
    this.#awareness.off("change", this.#onChange);
  }

  /** One's own place stays where it was while one looks elsewhere. @param {any} update */
  #tell({ state, view }) {
    if (!view.hasFocus) return;
    const { anchor, head } = state.selection.main;
    const cursor = { anchor: this.#relative(anchor), head: this.#relative(head) };
    const known = this.#awareness.getLocalState()?.cursor;
    if (!same(known, cursor)) this.#awareness.setLocalStateField("cursor", cursor);
  }

  /** @param {number} at */
  #relative(at) {
    const position = Y.createRelativePositionFromTypeIndex(this.#text, at);
    return Y.relativePositionToJSON(position);
  }

  #redraw() {
    this.#view.dispatch({ effects: redraw.of(null) });
  }

  #draw() {
    const now = performance.now();
    const ranges = [];
    let soonest = Infinity;
    for (const [client, state] of this.#awareness.getStates()) {
      if (client === this.#awareness.clientID || !state.cursor) continue;
      const place = this.#place(state.cursor);
      if (!place) continue;
      const restsAt = this.#movedAt(client, state.cursor, now) + RESTS_AFTER_MS;
      if (restsAt > now) soonest = Math.min(soonest, restsAt);
      ranges.push(...this.#marks(place, state.user, restsAt <= now));
    }
    this.decorations = Decoration.set(ranges, true);
    clearTimeout(this.#timer);
    if (soonest < Infinity) {
      this.#timer = setTimeout(() => this.#redraw(), soonest - now + 1);
    }
  }

  /** @param {number} client @param {any} cursor @param {number} now */
  #movedAt(client, cursor, now) {
    const told = JSON.stringify(cursor);
    const known = this.#moves.get(client);
    if (known?.cursor === told) return known.movedAt;
    this.#moves.set(client, { cursor: told, movedAt: now });
    return now;
  }

  /** What another client tells may be anything. @param {any} cursor */
  #place({ anchor, head }) {
    try {
      return { anchor: this.#absolute(anchor), head: this.#absolute(head) };
    } catch {
      return null;
    }
  }

  /** @param {any} told @returns {number} */
  #absolute(told) {
    const position = Y.createRelativePositionFromJSON(told);
    const { doc } = this.#text;
    const found = Y.createAbsolutePositionFromRelativePosition(position, doc, false);
    if (found?.type !== this.#text) throw new RangeError("no place in this note");
    return Math.min(found.index, this.#view.state.doc.length);
  }

  /** @param {{anchor: number, head: number}} place @param {any} user @param {boolean} rests */
  #marks({ anchor, head }, user, rests) {
    const name = String(user?.name ?? "Somebody");
    const hue = hueOf(String(user?.id ?? name));
    const widget = new CaretWidget({ name, hue, rests });
    const caret = Decoration.widget({ widget, side: head > anchor ? -1 : 1 }).range(head);
    if (anchor === head) return [caret];
    const [from, to] = anchor < head ? [anchor, head] : [head, anchor];
    return [caret, Decoration.mark({ class: `selected hue-${hue}` }).range(from, to)];
  }
}

/**
 * The extension; it must stand behind the one that binds the text.
 *
 * @param {any} text a Y.Text
 * @param {any} awareness
 */
export const carets = (text, awareness) =>
  ViewPlugin.define((view) => new Carets(view, text, awareness), {
    decorations: (plugin) => plugin.decorations,
  });
