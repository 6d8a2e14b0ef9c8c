// Everything third-party that the notes page needs, in one module, so that the
// browser holds exactly one copy of Yjs (two would refuse each other's types).

export * as Y from "yjs";
export { WebsocketProvider } from "y-websocket";
export { IndexeddbPersistence } from "y-indexeddb";
export * as awarenessProtocol from "y-protocols/awareness";
export * as syncProtocol from "y-protocols/sync";
export * as decoding from "lib0/decoding";
export * as encoding from "lib0/encoding";

export {
  YSyncConfig,
  yCollab,
  ySyncAnnotation,
  ySyncFacet,
  yUndoManagerKeymap,
} from "y-codemirror.next";

export {
  Annotation,
  ChangeSet,
  Compartment,
  EditorSelection,
  EditorState,
  Facet,
  Prec,
  RangeSetBuilder,
  StateEffect,
  StateField,
  Transaction,
} from "@codemirror/state";
export {
  Decoration,
  EditorView,
  ViewPlugin,
  WidgetType,
  drawSelection,
  dropCursor,
  highlightActiveLine,
  highlightSpecialChars,
  keymap,
  lineNumbers,
  placeholder,
} from "@codemirror/view";
export {
  defaultKeymap,
  indentLess,
  indentMore,
  indentWithTab,
} from "@codemirror/commands";
export {
  HighlightStyle,
  indentUnit,
  syntaxHighlighting,
  syntaxTree,
} from "@codemirror/language";
export {
  highlightSelectionMatches,
  openSearchPanel,
  search,
  searchKeymap,
} from "@codemirror/search";
export { classHighlighter, tags } from "@lezer/highlight";
export { markdown } from "./markdown.js";
