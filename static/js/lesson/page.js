// @ts-check
/**
 * What stands around the lesson's twenty lines: their source, read from the file that
 * runs, and the same room on the wire that keeps the promises.
 */

import { byId } from "../dom.js";
import { Hubbub } from "../hubbub.js";
import { mountPill, socketUrl } from "../shell.js";

const MAX_CHARS = 1200;
const source = byId("lesson-source");
const frame = byId("lesson-frame");

const hub = new Hubbub({ url: socketUrl("/ws") });
mountPill().follow(hub);
hub.subscribe("chat:lesson", { onEvent: show });
hub.connect();
showSource();

/** @param {import("../wire.js").EventFrame} event */
function show(event) {
  if (event.event !== "message") return;
  const text = JSON.stringify(event, null, 2);
  frame.textContent = text.length > MAX_CHARS ? `${text.slice(0, MAX_CHARS)} …` : text;
}

/** The script that this page runs, so that what is shown cannot differ from it. */
async function showSource() {
  const script = document.querySelector("script[data-lesson]");
  const answer = await fetch(/** @type {HTMLScriptElement} */ (script).src);
  source.textContent = answer.ok ? (await answer.text()).trim() : "The script cannot be shown.";
}
