// @ts-check
/** Who looks at this page, and where Hubbub is mounted. */

import { hueOf, initialsOf } from "./person.js";

/** @typedef {{id: string, name: string, named: boolean, initials: string, hue: number}} User */
/** @typedef {{base: string, user: User | null}} Session */

const base = metaContent("hubbub-base");
/** @type {User | null} */
let user = readUser();

/**
 * @returns {Session} `base` is the prefix without a slash at its end; `user` is null only
 *   on an error page shown before anyone was known
 */
export function session() {
  return { base, user };
}

/**
 * @param {string} path with its slash, as in "/api/rooms"
 * @returns {string}
 */
export function url(path) {
  return base + path;
}

/**
 * @param {string} path with its slash, as in "/ws"
 * @returns {string} the address for a WebSocket, ws or wss as the page's own
 */
export function socketUrl(path) {
  const address = new URL(base + path, location.href);
  address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  return address.href;
}

/**
 * Take over a name the server has accepted; only the shell calls this.
 *
 * @param {{id: string, name: string}} accepted
 * @returns {User}
 */
export function becomeNamed({ id, name }) {
  user = { id, name, named: true, initials: initialsOf(name), hue: hueOf(id) };
  return user;
}

// Internal

/** @returns {User | null} */
function readUser() {
  const content = metaContent("hubbub-user");
  if (!content) return null;
  const { id, name, named } = JSON.parse(content);
  return { id, name, named, initials: initialsOf(name), hue: hueOf(id) };
}

/** @param {string} name */
function metaContent(name) {
  return document.querySelector(`meta[name="${name}"]`)?.getAttribute("content") ?? "";
}
