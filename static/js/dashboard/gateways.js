// @ts-check

import { byId, h } from "../dom.js";
import { sessionsOf } from "./figures.js";
import { count, rate } from "./format.js";

/** @typedef {import("./figures.js").Figures} Figures */

/** @type {Record<string, string>} */
const NAMES = {
  native: "JSON over WebSocket",
  text: "Text over WebSocket",
  yjs: "Yjs",
  socketio: "Socket.IO",
  sse: "Server-Sent Events",
  centrifuge: "Centrifuge",
};

/** Sessions by gateway, and what the hub had to hold back. */
export class Gateways {
  #list = byId("gateways");
  #facts = byId("facts");

  /** @param {Figures} figures */
  show(figures) {
    const all = Math.max(1, sessionsOf(figures));
    const open = Object.entries(figures.sessions).sort((a, b) => b[1] - a[1]);
    this.#list.replaceChildren(...open.map(([name, sessions]) => row(name, sessions, all)));
    if (open.length === 0) {
      this.#list.append(h("li", { class: "muted small" }, "Nobody is connected."));
    }
    for (const [name, text] of Object.entries(facts(figures))) {
      const value = this.#facts.querySelector(`[data-fact="${name}"]`);
      if (value) value.textContent = text;
    }
  }
}

/** @param {string} name @param {number} sessions @param {number} all */
function row(name, sessions, all) {
  const bar = h("span", { class: "gateway__bar" });
  bar.style.inlineSize = `${(sessions / all) * 100}%`;
  return h("li", { class: "gateway" },
    h("span", { class: "gateway__name truncate" }, NAMES[name] ?? name),
    h("span", { class: "gateway__count" }, count(sessions)),
    h("span", { class: "gateway__track", "aria-hidden": "true" }, bar));
}

/** @param {Figures} figures @returns {Record<string, string>} */
function facts({ signals_per_s, merged_per_s, skipped_per_s, channels, lag_ms, total }) {
  return {
    signals: `${rate(signals_per_s)}/s`,
    merged: `${rate(merged_per_s)}/s`,
    skipped: `${rate(skipped_per_s)}/s`,
    slow: count(total.closed_slow),
    channels: count(channels),
    lag: `${rate(lag_ms)} ms`,
  };
}
