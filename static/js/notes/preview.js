// @ts-check
/**
 * Markdown as elements, from the tree that the editor's parser makes: text nodes and a
 * fixed set of tags, never a string of HTML. HTML in a note is shown as what it is: text.
 */

import { h } from "../dom.js";
import { markdown } from "../../vendor/notes.js";

/** @typedef {any} Node  of the parser's tree */
/** @typedef {globalThis.Node | string} Shown */

const SAFE_PROTOCOLS = new Set(["http:", "https:", "mailto:"]);
const MARKS = new Set([
  "HeaderMark", "QuoteMark", "ListMark", "LinkMark", "EmphasisMark", "CodeMark",
  "CodeInfo", "StrikethroughMark", "TaskMarker", "TableDelimiter", "LinkTitle",
  "LinkLabel", "Comment", "ProcessingInstruction",
]);
const NAMED = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: "\u00a0",
  copy: "©", hellip: "…", mdash: "—", ndash: "–", euro: "€" };
const HEADING = /^(?:ATX|Setext)Heading([1-6])$/;

const { parser } = markdown().language;

/**
 * @param {string} text
 * @returns {HTMLElement} an `article`
 */
export function preview(text) {
  const tree = parser.parse(text).topNode;
  return h("article", { class: "markdown markdown--page" }, new Renderer(text, tree).all());
}

class Renderer {
  #text;
  #top;
  /** Where `[label]: address` says that a label leads. @type {Map<string, string>} */
  #references = new Map();

  /** @param {string} text @param {Node} top */
  constructor(text, top) {
    this.#text = text;
    this.#top = top;
    top.cursor().iterate((/** @type {Node} */ { name, node }) => {
      if (name !== "LinkReference") return;
      const url = node.getChild("URL");
      if (url) this.#references.set(label(this.#of(node.getChild("LinkLabel"))), this.#of(url));
    });
  }

  all() {
    return this.#blocks(this.#top);
  }

  /** @param {Node} node @returns {string} */
  #of(node) {
    return this.#text.slice(node.from, node.to);
  }

  // Blocks

  /** @param {Node} parent @returns {Shown[]} */
  #blocks(parent) {
    return [...children(parent)].flatMap((node) => this.#block(node) ?? []);
  }

  /** @param {Node} node @returns {Shown | null} */
  #block(node) {
    const heading = HEADING.exec(node.name);
    if (heading) return this.#heading(node, Number(heading[1]));
    switch (node.name) {
      case "Paragraph": return h("p", { dir: "auto" }, this.#inline(node));
      case "Blockquote": return h("blockquote", null, this.#blocks(node));
      case "BulletList": return h("ul", null, this.#items(node));
      case "OrderedList": return this.#ordered(node);
      case "FencedCode":
      case "CodeBlock": return this.#code(node);
      case "HorizontalRule": return h("hr", null);
      case "Table": return this.#table(node);
      case "HTMLBlock": return h("pre", { tabindex: 0 }, h("code", null, this.#of(node)));
      default: return null;
    }
  }

  /** @param {Node} node @param {number} level */
  #heading(node, level) {
    // The page's own heading is above: a note's begin one level below it.
    const tag = /** @type {"h2"} */ (`h${Math.min(6, level + 1)}`);
    return h(tag, { class: `heading-${level}`, dir: "auto" }, this.#inline(node));
  }

  /** @param {Node} node */
  #ordered(node) {
    const first = node.getChild("ListItem")?.getChild("ListMark");
    const start = first ? Number.parseInt(this.#of(first), 10) : 1;
    return h("ol", start === 1 ? null : { start }, this.#items(node));
  }

  /** @param {Node} list */
  #items(list) {
    const items = list.getChildren("ListItem");
    const isLoose = items.some((/** @type {Node} */ item, /** @type {number} */ at) => {
      const next = items[at + 1];
      return next && /\n[ \t]*\n\s*$/.test(this.#text.slice(item.from, next.from));
    });
    return items.map((/** @type {Node} */ item) => this.#item(item, isLoose));
  }

  /** @param {Node} item @param {boolean} isLoose */
  #item(item, isLoose) {
    const task = item.getChild("Task");
    const parts = [...children(item)].flatMap((node) => {
      if (node.name === "Task") return this.#task(node);
      if (node.name === "Paragraph" && !isLoose) return this.#inline(node);
      return this.#block(node) ?? [];
    });
    return h("li", { class: task ? "task" : null, dir: "auto" }, parts);
  }

  /** @param {Node} task @returns {Shown[]} */
  #task(task) {
    const marker = task.getChild("TaskMarker");
    const checked = /x/i.test(this.#of(marker));
    const label = checked ? "done" : "to do";
    const box = { type: "checkbox", disabled: true, checked, "aria-label": label };
    return [h("input", box), ...this.#inline(task, marker.to)];
  }

  /** @param {Node} node */
  #code(node) {
    const lines = node.getChildren("CodeText").map((/** @type {Node} */ part) => this.#of(part));
    return h("pre", { tabindex: 0, dir: "ltr" }, h("code", null, lines.join("")));
  }

  /** @param {Node} table */
  #table(table) {
    const header = table.getChild("TableHeader");
    const rule = table.getChild("TableDelimiter");
    const aligns = rule ? alignments(this.#of(rule)) : [];
    const rows = table.getChildren("TableRow");
    const count = aligns.length;
    return h(
      "table",
      null,
      h("thead", null, this.#row(header, "th", aligns, count)),
      h("tbody", null, rows.map((/** @type {Node} */ row) => this.#row(row, "td", aligns, count))),
    );
  }

  /**
   * Empty cells are no nodes: which column a cell is in, the bars before it say.
   *
   * @param {Node} row @param {"th" | "td"} tag @param {string[]} aligns
   * @param {number} count
   */
  #row(row, tag, aligns, count) {
    /** @type {Shown[][]} */
    const cells = Array.from({ length: count }, () => []);
    let column = 0;
    for (const node of children(row)) {
      if (node.name === "TableDelimiter" && node.from > row.from) column += 1;
      else if (node.name === "TableCell" && column < count) cells[column] = this.#inline(node);
    }
    const shown = cells.map((cell, at) => {
      return h(tag, { dir: "auto", "data-align": aligns[at] || null }, cell);
    });
    return h("tr", null, shown);
  }

  // Inside a line

  /**
   * @param {Node} parent
   * @param {number} [from]
   * @param {number} [to]
   * @returns {Shown[]}
   */
  #inline(parent, from = parent.from, to = parent.to) {
    /** @type {Shown[]} */
    const shown = [];
    let at = from;
    for (const node of children(parent)) {
      if (node.from < from || node.to > to) continue;
      shown.push(this.#text.slice(at, node.from));
      shown.push(...this.#mark(node));
      at = node.to;
    }
    shown.push(this.#text.slice(at, to));
    return trimmed(shown);
  }

  /** @param {Node} node @returns {Shown[]} */
  #mark(node) {
    switch (node.name) {
      case "Emphasis": return [h("em", null, this.#inline(node))];
      case "StrongEmphasis": return [h("strong", null, this.#inline(node))];
      case "Strikethrough": return [h("del", null, this.#inline(node))];
      case "InlineCode": return [this.#inlineCode(node)];
      case "HardBreak": return [h("br", null)];
      case "Escape": return [this.#text.slice(node.from + 1, node.to)];
      case "Entity": return [entity(this.#of(node))];
      case "URL": return this.#link(this.#of(node), [this.#of(node)]);
      case "Autolink": return this.#autolink(node);
      case "Link":
      case "Image": return this.#labelled(node);
      default: return MARKS.has(node.name) ? [] : [this.#of(node)];
    }
  }

  /** @param {Node} node */
  #inlineCode(node) {
    const [open, close] = node.getChildren("CodeMark");
    const inner = this.#text.slice(open.to, close.from).replace(/\n/g, " ");
    const isPadded = inner.startsWith(" ") && inner.endsWith(" ") && inner.trim() !== "";
    return h("code", null, isPadded ? inner.slice(1, -1) : inner);
  }

  /** @param {Node} node @returns {Shown[]} */
  #autolink(node) {
    const url = this.#of(node.getChild("URL"));
    return this.#link(url, [url]);
  }

  /**
   * A link, or an image: pages here load nothing from elsewhere, so it is a link too.
   * @param {Node} node @returns {Shown[]}
   */
  #labelled(node) {
    const [open, close] = node.getChildren("LinkMark");
    if (!close) return [this.#of(node)];
    const words = this.#inline(node, open.to, close.from);
    const url = node.getChild("URL");
    const named = node.getChild("LinkLabel");
    const wanted = label(named ? this.#of(named) : this.#text.slice(open.to - 1, close.to));
    const address = url ? this.#of(url) : this.#references.get(wanted);
    if (address === undefined) return [this.#of(node)];
    return this.#link(address, words.length ? words : [address]);
  }

  /** @param {string} address @param {Shown[]} words @returns {Shown[]} */
  #link(address, words) {
    const href = safe(address);
    if (!href) return words;
    const rel = "noopener noreferrer nofollow";
    return [h("a", { href, rel, target: "_blank" }, words)];
  }
}

// Internal

/** @param {Node} parent */
function* children(parent) {
  for (let child = parent.firstChild; child; child = child.nextSibling) yield child;
}

/** @param {string} text with its brackets */
const label = (text) => text.replace(/\s+/g, " ").trim().toLowerCase();

/** @param {string} rule as in "| :-- | --: |" */
function alignments(rule) {
  const columns = rule.trim().replace(/^\||\|$/g, "").split("|");
  return columns.map((column) => {
    const [, left, right] = /^\s*(:?)-+(:?)\s*$/.exec(column) ?? [];
    if (right) return left ? "center" : "end";
    return "";
  });
}

/** @param {string} text as in "&amp;" or "&#x41;" */
function entity(text) {
  const number = /^&#(?:x([0-9a-f]{1,6})|([0-9]{1,7}));$/i.exec(text);
  if (!number) return NAMED[/** @type {"amp"} */ (text.slice(1, -1))] ?? text;
  const code = number[1] ? Number.parseInt(number[1], 16) : Number(number[2]);
  const isCharacter = code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
  return isCharacter ? String.fromCodePoint(code) : "\ufffd";
}

/** @param {string} address @returns {string | null} null where it may not be followed */
function safe(address) {
  const bare = address.replace(/^<|>$/g, "");
  const isMail = /^[^\s/:@]+@[^\s/:@]+$/.test(bare);
  const full = isMail ? `mailto:${bare}` : bare.replace(/^www\./i, "https://www.");
  try {
    const { protocol, href } = new URL(full, document.baseURI);
    return SAFE_PROTOCOLS.has(protocol) ? href : null;
  } catch {
    return null;
  }
}

/** White space at both ends belongs to the marks, not to the words. @param {Shown[]} all */
function trimmed(all) {
  const shown = all.filter((part) => part !== "");
  if (typeof shown[0] === "string") shown[0] = shown[0].trimStart();
  const last = shown.length - 1;
  const end = shown[last];
  if (typeof end === "string") shown[last] = end.trimEnd();
  return shown.filter((part) => part !== "");
}
