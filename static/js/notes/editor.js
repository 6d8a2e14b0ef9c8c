// @ts-check
import {
  EditorState,
  EditorView,
  HighlightStyle,
  Y,
  defaultKeymap,
  highlightSpecialChars,
  keymap,
  markdown,
  placeholder,
  search,
  searchKeymap,
  syntaxHighlighting,
  tags,
  yCollab,
  yUndoManagerKeymap,
} from "../../vendor/notes.js";
import { carets } from "./carets.js";
import { wholeCharacters } from "./whole-characters.js";

/** Classes only: the colours stand in notes.css. */
const LOOK = HighlightStyle.define([
  { tag: tags.heading1, class: "md-heading md-heading--1" },
  { tag: tags.heading2, class: "md-heading md-heading--2" },
  { tag: tags.heading, class: "md-heading" },
  { tag: tags.strong, class: "md-strong" },
  { tag: tags.emphasis, class: "md-emphasis" },
  { tag: tags.strikethrough, class: "md-struck" },
  { tag: tags.monospace, class: "md-code" },
  { tag: tags.quote, class: "md-quote" },
  { tag: [tags.link, tags.url], class: "md-link" },
  { tag: [tags.processingInstruction, tags.contentSeparator], class: "md-mark" },
  { tag: [tags.comment, tags.labelName], class: "md-aside" },
  { tag: tags.atom, class: "md-task" },
]);

/**
 * The editor of one note: Markdown, undo of one's own edits only, others' carets.
 *
 * @param {object} options
 * @param {HTMLElement} options.parent
 * @param {any} options.text  a Y.Text
 * @param {any} options.awareness
 * @param {string} options.nonce  lets it make its one style element
 * @returns {{view: any, setEditable: (editable: boolean) => void}}
 */
export function openEditor({ parent, text, awareness, nonce }) {
  let editable = true;
  const undoManager = new Y.UndoManager(text);
  const state = EditorState.create({
    doc: text.toString(),
    extensions: [
      EditorView.cspNonce.of(nonce),
      EditorState.changeFilter.of((transaction) => editable || !isTyped(transaction)),
      EditorView.contentAttributes.of(() => ({
        "aria-label": "Text of the note",
        "aria-readonly": String(!editable),
        autocapitalize: "sentences",
        spellcheck: "true",
      })),
      EditorView.lineWrapping,
      EditorView.perLineTextDirection.of(true),
      highlightSpecialChars(),
      placeholder("Write in Markdown. The first line is the title."),
      markdown(),
      syntaxHighlighting(LOOK),
      search({ top: true }),
      yCollab(text, null, { undoManager }),
      carets(text, awareness),
      wholeCharacters,
      // Tab is not bound: it leaves the editor, as it leaves every other field.
      keymap.of([...yUndoManagerKeymap, ...searchKeymap, ...defaultKeymap]),
    ],
  });
  const view = new EditorView({ parent, state });
  return {
    view,
    setEditable: (wanted) => {
      editable = wanted;
      view.dispatch({}); // says so to screen readers
    },
  };
}

/** @param {any} transaction */
const isTyped = (transaction) =>
  ["input", "delete", "move"].some((event) => transaction.isUserEvent(event));
