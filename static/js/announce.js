// @ts-check

/**
 * Say something to those who listen to the page instead of looking at it. For changes of
 * state ("3 new", "Reconnecting"), not for numbers that move.
 *
 * @param {string} text
 */
export function announce(text) {
  const region = document.getElementById("announcer");
  if (region) region.textContent = text;
}
