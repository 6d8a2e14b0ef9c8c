// @ts-check
import { EditorState, Transaction, ySyncAnnotation } from "../../vendor/notes.js";

/** @param {string} unit */
const isHigh = (unit) => unit >= "\ud800" && unit <= "\udbff";
/** @param {string} unit */
const isLow = (unit) => unit >= "\udc00" && unit <= "\udfff";

/** Whether a place lies between the halves of a character. @param {any} text @param {number} at */
function cuts(text, at) {
  if (at <= 0 || at >= text.length) return false;
  return isHigh(text.sliceString(at - 1, at)) && isLow(text.sliceString(at, at + 1));
}

/**
 * Widens a change to whole characters. An input method that turns one emoji into
 * another changes only its low half, and other clients would read that differently.
 * What is inserted between two halves goes behind them; half a character left alone
 * goes with the other half.
 *
 * @param {any} text the text before, as CodeMirror holds it
 * @param {{from: number, to: number, insert: string}} change
 * @returns {{from: number, to: number, insert: string}}
 */
export function whole(text, { from, to, insert }) {
  if (from === to && cuts(text, from)) {
    from += 1;
    to += 1;
  }
  if (cuts(text, from)) {
    from -= 1;
    insert = text.sliceString(from, from + 1) + insert;
  }
  if (cuts(text, to)) {
    insert += text.sliceString(to, to + 1);
    to += 1;
  }
  return { from, to, insert: insert.replace(/\p{Surrogate}/gu, "") };
}

/** The extension for it; what comes from others is left as it is. */
export const wholeCharacters = EditorState.transactionFilter.of((transaction) => {
  if (!transaction.docChanged || transaction.annotation(ySyncAnnotation)) return transaction;
  const before = transaction.startState.doc;
  /** @type {{from: number, to: number, insert: string}[]} */
  const changes = [];
  let isWhole = true;
  // Changes that touch come as one, so that wider ones do not overlap.
  transaction.changes.iterChanges((from, to, _fromB, _toB, inserted) => {
    const change = { from, to, insert: inserted.toString() };
    const wider = whole(before, change);
    isWhole &&= wider.from === from && wider.to === to && wider.insert === change.insert;
    changes.push(wider);
  });
  if (isWhole) return transaction;
  return {
    changes,
    effects: transaction.effects,
    scrollIntoView: transaction.scrollIntoView,
    userEvent: transaction.annotation(Transaction.userEvent),
  };
});
