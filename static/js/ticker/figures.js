// @ts-check
/** How prices, changes and volumes are written. Prices come as whole numbers of ticks. */

const MINUS = "\u2212";
const FIGURE_SPACE = "\u2007";
const NARROW_SPACE = "\u202f";

/** @typedef {"up" | "down" | "flat"} Direction */

/** @param {number} change @returns {Direction} */
export function directionOf(change) {
  if (change > 0) return "up";
  return change < 0 ? "down" : "flat";
}

/**
 * With its sign, as a share of what it was.
 * @param {number} change @param {number} from
 */
export function percent(change, from) {
  const share = from ? (change / from) * 100 : 0;
  const text = Math.abs(share).toFixed(2);
  return `${signOf(Number(text) === 0 ? 0 : change)}${text}${NARROW_SPACE}%`;
}

const volumes = new Intl.NumberFormat("en", {
  notation: "compact", minimumFractionDigits: 0, maximumFractionDigits: 2,
});

/** Shares, shortened: 5.12M. @param {number} shares */
export function volume(shares) {
  return volumes.format(shares);
}

/** How the prices of one symbol are written: as exactly as its tick. */
export class Figures {
  #tick;
  #decimals;
  #format;

  /** @param {string} tick  a decimal, as in "0.05" */
  constructor(tick) {
    this.#tick = Number(tick);
    this.#decimals = tick.split(".")[1]?.length ?? 0;
    this.#format = new Intl.NumberFormat("en", {
      minimumFractionDigits: this.#decimals, maximumFractionDigits: this.#decimals,
    });
  }

  get decimals() {
    return this.#decimals;
  }

  /** The smallest step of the price. */
  get tick() {
    return this.#tick;
  }

  /** As a number, for a plot. @param {number} ticks */
  number(ticks) {
    return Number((ticks * this.#tick).toFixed(this.#decimals));
  }

  /** @param {number} ticks */
  price(ticks) {
    return this.#format.format(ticks * this.#tick);
  }

  /**
   * As wide behind the point as prices with `decimals`, so that points stand in line.
   * @param {number} ticks @param {number} decimals
   */
  aligned(ticks, decimals) {
    return this.price(ticks) + FIGURE_SPACE.repeat(Math.max(0, decimals - this.#decimals));
  }

  /** With its sign. @param {number} ticks */
  change(ticks) {
    return signOf(ticks) + this.price(Math.abs(ticks));
  }
}

// Internal

/** @param {number} change */
function signOf(change) {
  if (change > 0) return "+";
  return change < 0 ? MINUS : "";
}
