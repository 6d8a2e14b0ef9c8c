// @ts-check

import { byId, h } from "../dom.js";
import { bytes, count, moment, rate } from "./format.js";

/** @typedef {import("./figures.js").NodeFigures} NodeFigures */

const NONE = "\u2013";
const BADGES = {
  live: null,
  silent: h("span", { class: "badge badge--warn" }, "no answer"),
  gone: h("span", { class: "badge badge--danger" }, "gone"),
};

/** The nodes, where there is more than one: what each does of the whole. */
export class NodesTile {
  #tile = byId("nodes-tile");
  #body = byId("nodes");
  #meta = byId("nodes-meta");

  /** @param {NodeFigures[]} nodes */
  show(nodes) {
    const live = nodes.filter(({ state }) => state === "live").length;
    this.#tile.hidden = nodes.length < 2;
    this.#meta.textContent = `${live} live`;
    this.#body.replaceChildren(...nodes.map(row));
  }
}

/** @param {NodeFigures} node */
function row(node) {
  const isLive = node.state === "live";
  const host = `${node.host}:${node.pid}`;
  const figures = [
    count(node.sessions), rate(node.publications_per_s), rate(node.deliveries_per_s),
    bytes(node.outbox_bytes).join(" "), `${rate(node.lag_ms)} ms`,
  ];
  return h("tr", { class: isLive ? null : "node--lost" },
    h("th", { scope: "row" }, h("div", { class: "node" },
      h("span", { class: "mono" }, node.id.slice(0, 8)),
      h("span", { class: "node__host truncate", title: host }, host),
      BADGES[node.state]?.cloneNode(true))),
    figures.map((text) => h("td", { class: "number" }, isLive ? text : NONE)),
    h("td", { class: "number muted" }, moment(node.started)));
}
