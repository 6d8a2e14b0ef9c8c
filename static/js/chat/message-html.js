// @ts-check
/**
 * The only way in which a message's HTML gets into the page. The server has made it from
 * Markdown and sanitised it; here it is parsed into a document of its own, where nothing
 * runs or loads, and built anew from what stands on this list.
 */

const TAGS = new Set([
  "p", "br", "em", "strong", "s", "code", "pre", "blockquote", "ul", "ol", "li", "a",
  "hr", "h1", "h2", "h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td",
]);
/** @type {Record<string, (value: string) => boolean>} */
const ATTRIBUTES = {
  dir: (value) => value === "auto",
  tabindex: (value) => value === "0",
  start: (value) => /^\d{1,9}$/.test(value),
  title: () => true,
  href: isSafeAddress,
};
const SAFE_PROTOCOLS = new Set(["http:", "https:", "mailto:"]);
const MAX_DEPTH = 48;

/**
 * @param {string} html
 * @returns {DocumentFragment} without what the list does not have, contents and all
 */
export function messageNodes(html) {
  const parsed = new DOMParser().parseFromString(html, "text/html");
  const fragment = document.createDocumentFragment();
  copyChildren(parsed.body, fragment, 0);
  return fragment;
}

// Internal

/** @param {Node} from @param {Node} into @param {number} depth */
function copyChildren(from, into, depth) {
  for (const child of from.childNodes) {
    if (child.nodeType === Node.TEXT_NODE) {
      into.appendChild(document.createTextNode(child.nodeValue ?? ""));
    } else if (child instanceof HTMLElement && TAGS.has(child.localName) && depth < MAX_DEPTH) {
      const copy = into.appendChild(copyOf(child));
      copyChildren(child, copy, depth + 1);
    }
  }
}

/** @param {HTMLElement} element @returns {HTMLElement} */
function copyOf(element) {
  const copy = document.createElement(element.localName);
  for (const { name, value } of element.attributes) {
    if (Object.hasOwn(ATTRIBUTES, name) && ATTRIBUTES[name](value)) copy.setAttribute(name, value);
  }
  if (copy instanceof HTMLAnchorElement) {
    copy.target = "_blank";
    copy.rel = "noopener noreferrer nofollow";
  }
  return copy;
}

/** @param {string} value @returns {boolean} */
function isSafeAddress(value) {
  return URL.canParse(value) && SAFE_PROTOCOLS.has(new URL(value).protocol);
}
