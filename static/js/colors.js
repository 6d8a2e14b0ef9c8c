// @ts-check
/** Colours of the stylesheets for those who paint on a canvas. */

/**
 * What a token is in the scheme that is on now.
 *
 * @param {string} token as in "--up"
 * @param {number} [alpha] 0 to 1, multiplied with the token's own
 * @param {Element} [within] where it is looked up, for tokens set by a class
 * @returns {string} "rgb(r g b)" written with commas, as chart libraries read it
 */
export function tokenColor(token, alpha = 1, within = document.documentElement) {
  const probe = document.createElement("span");
  probe.style.color = `var(${token})`;
  probe.hidden = true;
  within.append(probe);
  const color = getComputedStyle(probe).color;
  probe.remove();
  return toRgb(color, alpha);
}

/**
 * Call when the scheme changes; paint anew then.
 *
 * @param {() => void} listener
 * @returns {() => void} ends it
 */
export function onSchemeChange(listener) {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  dark.addEventListener("change", listener);
  return () => dark.removeEventListener("change", listener);
}

/** One painted pixel says what any notation means. @param {string} color @param {number} alpha */
function toRgb(color, alpha) {
  const context = new OffscreenCanvas(1, 1).getContext("2d");
  if (!context) throw new Error("no canvas to read a colour from");
  context.fillStyle = color;
  context.fillRect(0, 0, 1, 1);
  const [red, green, blue, opacity] = context.getImageData(0, 0, 1, 1).data;
  const visible = Math.round((opacity / 255) * alpha * 1000) / 1000;
  return visible === 1
    ? `rgb(${red}, ${green}, ${blue})`
    : `rgba(${red}, ${green}, ${blue}, ${visible})`;
}
