// @ts-check

const NAMESPACE = "http://www.w3.org/2000/svg";
const WIDTH = 96;
const HEIGHT = 32;

/** A line of a few values, as wide as its element, from nought to its greatest. */
export class Spark {
  #line = document.createElementNS(NAMESPACE, "path");
  #area = document.createElementNS(NAMESPACE, "path");

  /** @param {HTMLElement} root */
  constructor(root) {
    const svg = document.createElementNS(NAMESPACE, "svg");
    svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("class", "spark spark--stat");
    this.#area.setAttribute("class", "spark__area");
    svg.append(this.#area, this.#line);
    root.replaceChildren(svg);
  }

  /** @param {number[]} values oldest first */
  draw(values) {
    const top = Math.max(...values, 1);
    const step = WIDTH / Math.max(values.length - 1, 1);
    const points = values.map((value, at) => {
      const y = HEIGHT - 1 - (value / top) * (HEIGHT - 3);
      return `${(at * step).toFixed(1)} ${y.toFixed(1)}`;
    });
    const line = points.length > 1 ? `M${points.join("L")}` : "";
    this.#line.setAttribute("d", line);
    this.#area.setAttribute("d", line && `${line}L${WIDTH} ${HEIGHT}L0 ${HEIGHT}Z`);
  }
}
