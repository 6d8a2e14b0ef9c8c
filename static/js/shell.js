// @ts-check
/**
 * What every page has: the pill, one's name, the panes. Page modules import from here;
 * base.html starts it through boot.js, whose address carries a version, so that this
 * module has one address and is evaluated once.
 */

import { announce } from "./announce.js";
import { byId } from "./dom.js";
import { NameDialog } from "./name-dialog.js";
import { Panes } from "./panes.js";
import { ConnectionPill } from "./pill.js";
import { becomeNamed, session, socketUrl, url } from "./session.js";

export { announce, session, socketUrl, url };

/** @type {WeakMap<HTMLElement, ConnectionPill>} */
const pills = new WeakMap();
/** @type {WeakMap<HTMLElement, Panes>} */
const panes = new WeakMap();

/**
 * The pill of an element, always the same one.
 *
 * @param {HTMLElement} [element] by default the page's own
 * @returns {ConnectionPill}
 */
export function mountPill(element = byId("connection")) {
  const pill = pills.get(element) ?? new ConnectionPill(element);
  pills.set(element, pill);
  return pill;
}

/**
 * The panes of an element, always the same ones.
 *
 * @param {HTMLElement} element a `.panes`
 * @returns {Panes}
 */
export function mountPanes(element) {
  const mounted = panes.get(element) ?? new Panes(element);
  panes.set(element, mounted);
  return mounted;
}

/**
 * Let the visitor change the name; the page hears `hubbub:renamed` on the document when
 * the server has accepted one.
 */
export function openNameDialog() {
  nameDialog?.open();
}

const nameDialog = wireName();
for (const element of document.querySelectorAll(".panes")) {
  mountPanes(/** @type {HTMLElement} */ (element));
}
if (document.body.hasAttribute("data-ask-name")) nameDialog?.ask();

// Internal

/** @returns {NameDialog | null} null where nobody is known yet */
function wireName() {
  const { base, user } = session();
  if (!user) return null;
  const dialog = new NameDialog(byId("name-dialog", HTMLDialogElement));
  const tabs = new BroadcastChannel(`hubbub-name:${base}`);
  dialog.onsaved = (named) => {
    rename(named);
    tabs.postMessage(named);
  };
  tabs.onmessage = (event) => rename(event.data);
  byId("who").addEventListener("click", () => dialog.open());
  return dialog;
}

/** @param {{id: string, name: string}} named */
function rename(named) {
  const user = becomeNamed(named);
  const who = byId("who");
  const name = who.querySelector(".who__name");
  if (name) name.textContent = user.name;
  const face = who.querySelector(".avatar");
  if (face) face.textContent = user.initials;
  document.dispatchEvent(new CustomEvent("hubbub:renamed", { detail: named }));
}
