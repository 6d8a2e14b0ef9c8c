// @ts-check

const STALE_AFTER_MS = 5_000;
const TICK_MS = 1_000;

/** Knows how old the prices on the page are, and tells when they are too old. */
export class Freshness {
  #show;
  #heardAt = performance.now();
  #isLive = true;
  #hasHeard = false;
  #wasStale = false;

  /**
   * @param {(ageMs: number | null) => void} show  with null: they are fresh. Called on
   *   each change, and each second while they are not
   */
  constructor(show) {
    this.#show = show;
    setInterval(() => this.#look(), TICK_MS);
  }

  /** Prices came. */
  heard() {
    this.#heardAt = performance.now();
    this.#hasHeard = true;
    if (this.#wasStale) this.#look();
  }

  /** Whether there is a connection. @param {boolean} isLive */
  connected(isLive) {
    this.#isLive = isLive;
    this.#look();
  }

  get #isStale() {
    if (!this.#hasHeard) return false;
    return !this.#isLive || performance.now() - this.#heardAt > STALE_AFTER_MS;
  }

  #look() {
    const isStale = this.#isStale;
    if (isStale || this.#wasStale) {
      this.#show(isStale ? performance.now() - this.#heardAt : null);
    }
    this.#wasStale = isStale;
  }
}

/** As short as it can be said: 12 s, 3 min, 2 h. @param {number} ageMs */
export function ageText(ageMs) {
  const seconds = Math.floor(ageMs / 1_000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h`;
}
