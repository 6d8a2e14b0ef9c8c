// @ts-check
/** What an experiment showed, in one line. */

/** @typedef {import("./tally.js").Counts} Counts */

/**
 * @param {{sent: number, mode: string}} ended
 * @param {Counts} counts
 * @returns {{text: string, kept: boolean}} `kept`: the promises were
 */
export function verdictOf({ sent, mode }, counts) {
  return mode === "signals" ? ofSignals(sent, counts) : ofPublications(sent, counts);
}

/** @param {Counts} counts */
export function verdictOfEpoch({ resets }) {
  const text = resets > 0
    ? "The stream is a new one. Recovered: no, and told so by one reset frame."
    : "The stream is a new one, but nobody was told.";
  return { text, kept: resets > 0 };
}

/** @param {number} sent @param {Counts} counts */
function ofPublications(sent, counts) {
  const { received, missed, doubled, recovered, told, disordered } = counts;
  const parts = [
    `${number(sent)} sent`,
    `${number(received)} received, ${number(missed)} missed, ${number(doubled)} doubled`,
  ];
  if (recovered > 0) parts.push(`${number(recovered)} of them recovered after a cut`);
  if (told > 0) parts.push(`${number(told)} could not be resumed, and it was told so`);
  if (disordered > 0) parts.push(`${number(disordered)} out of order`);
  const kept = missed === 0 && doubled === 0 && disordered === 0 && received + told === sent;
  return { text: `${parts.join(" \u00b7 ")}.`, kept };
}

/** @param {number} sent @param {Counts} counts */
function ofSignals(sent, { received, merged, skipped }) {
  const lost = sent - received - merged - skipped;
  const parts = [
    `${number(sent)} sent`,
    `${number(received)} received, ${number(merged)} merged into newer ones`,
  ];
  if (skipped > 0) parts.push(`${number(skipped)} dropped and told`);
  if (lost > 0) parts.push(`${number(lost)} lost with the socket: signals are not resumed`);
  return { text: `${parts.join(" \u00b7 ")}.`, kept: true };
}

/** @param {number} value */
function number(value) {
  return value.toLocaleString("en");
}
