// @ts-check

/**
 * Make a function that asks for `paint`: once in a frame, however often it is asked, and
 * not sooner than `leastMs` after the last time.
 *
 * @param {() => void} paint
 * @param {number} [leastMs]
 * @returns {() => void}
 */
export function repaint(paint, leastMs = 0) {
  let asked = false;
  let paintedMs = -Infinity;
  const act = () => {
    asked = false;
    paintedMs = performance.now();
    paint();
  };
  return () => {
    if (asked) return;
    asked = true;
    const waitMs = paintedMs + leastMs - performance.now();
    if (waitMs <= 0) requestAnimationFrame(act);
    else setTimeout(() => requestAnimationFrame(act), waitMs);
  };
}
