// @ts-check

const NAMESPACE = "http://www.w3.org/2000/svg";
const WIDTH = 72;
const HEIGHT = 24;
const INSET = 2;

/** A small line of the last hour's prices; it says nothing that the row does not say. */
export class Sparkline {
  element = document.createElementNS(NAMESPACE, "svg");
  #path = document.createElementNS(NAMESPACE, "path");

  constructor() {
    this.element.setAttribute("class", "spark");
    this.element.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    this.element.setAttribute("preserveAspectRatio", "none");
    this.element.setAttribute("aria-hidden", "true");
    this.#path.setAttribute("vector-effect", "non-scaling-stroke");
    this.element.append(this.#path);
  }

  /** @param {number[]} values  oldest first; fewer than two draw nothing */
  draw(values) {
    this.#path.setAttribute("d", values.length > 1 ? pathOf(values) : "");
  }
}

// Internal

/** @param {number[]} values */
function pathOf(values) {
  const low = Math.min(...values);
  const range = Math.max(...values) - low || 1;
  const step = WIDTH / (values.length - 1);
  const rise = HEIGHT - 2 * INSET;
  const points = values.map((value, at) => {
    const y = HEIGHT - INSET - ((value - low) / range) * rise;
    return `${(at * step).toFixed(1)} ${y.toFixed(1)}`;
  });
  return `M${points.join("L")}`;
}
