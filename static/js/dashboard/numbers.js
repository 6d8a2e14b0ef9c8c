// @ts-check

import { byId } from "../dom.js";
import { sessionsOf } from "./figures.js";
import { bytes, count, rate } from "./format.js";
import { Spark } from "./spark.js";

/** @typedef {import("./figures.js").Figures} Figures */

const SPARK_S = 60;

/** The first row: what the hub does now, and did in the last minute. */
export class Numbers {
  #sessions = new Number_("sessions", sessionsOf, count);
  #publications = new Number_("publications", (one) => one.publications_per_s, rate);
  #deliveries = new Number_("deliveries", (one) => one.deliveries_per_s, rate);
  #outbox = new Number_("outbox", (one) => one.outbox_bytes, bytes);

  /** @param {Figures[]} all oldest first, at least one */
  show(all) {
    const last = all.slice(-SPARK_S);
    for (const one of [this.#sessions, this.#publications, this.#deliveries, this.#outbox]) {
      one.show(last);
    }
  }
}

class Number_ {
  #read;
  #write;
  #value;
  #unit;
  #spark;

  /**
   * @param {string} id of the macro `stat`
   * @param {(figures: Figures) => number} read
   * @param {(value: number) => string | [string, string]} write
   */
  constructor(id, read, write) {
    this.#read = read;
    this.#write = write;
    this.#value = byId(`${id}-value`);
    this.#unit = document.getElementById(`${id}-unit`);
    this.#spark = new Spark(byId(`${id}-plot`));
  }

  /** @param {Figures[]} all */
  show(all) {
    const values = all.map(this.#read);
    const written = this.#write(values[values.length - 1]);
    const [text, unit] = Array.isArray(written) ? written : [written, null];
    this.#value.textContent = text;
    if (this.#unit && unit !== null) this.#unit.textContent = unit;
    this.#spark.draw(values);
  }
}
