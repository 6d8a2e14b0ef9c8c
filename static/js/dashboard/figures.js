// @ts-check

/**
 * What `hub:stats` tells each second.
 *
 * @typedef {object} Figures
 * @property {number} time ms since 1970
 * @property {Record<string, number>} sessions by gateway
 * @property {number} publications_per_s
 * @property {number} deliveries_per_s
 * @property {number} signals_per_s
 * @property {number} merged_per_s
 * @property {number} skipped_per_s
 * @property {number} outbox_bytes
 * @property {number} channels
 * @property {number} lag_ms
 * @property {Record<string, number>} total
 * @property {NodeFigures[]} [nodes] the one that started first in front
 *
 * @typedef {object} NodeFigures
 * @property {string} id
 * @property {string} host
 * @property {number} pid
 * @property {"live" | "silent" | "gone"} state only live ones are in the sums
 * @property {number} started ms since 1970
 * @property {number} sessions
 * @property {number} publications_per_s
 * @property {number} deliveries_per_s
 * @property {number} outbox_bytes
 * @property {number} lag_ms
 */

export const KEPT = 180;

/** The newest three minutes of figures, oldest first. */
export class FigureLine {
  /** @type {Figures[]} */
  all = [];

  get newest() {
    return this.all.at(-1) ?? null;
  }

  /** @param {import("../wire.js").Publication[]} publications */
  replace(publications) {
    this.all = [];
    for (const publication of publications) this.add(publication);
  }

  /** @param {import("../wire.js").Publication} publication */
  add({ data, time }) {
    this.all.push({ time, ...data });
    if (this.all.length > KEPT) this.all.shift();
  }
}

/** @param {Figures} figures */
export function sessionsOf(figures) {
  return Object.values(figures.sessions).reduce((sum, count) => sum + count, 0);
}
