// @ts-check
/** A room's name stands in its address: `[a-z0-9._-]`, 1 to 64 of them. */

const MAX_CHARS = 64;

/**
 * Turn what somebody typed into a room's name.
 *
 * @param {string} typed
 * @returns {string} empty where nothing of it can stand in a name
 */
export function roomName(typed) {
  return typed
    .normalize("NFKD")
    .replace(/\p{M}+/gu, "")
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, "-")
    // An address that begins with a dot leads elsewhere.
    .replace(/^[.-]+|-+$/g, "")
    .slice(0, MAX_CHARS)
    .replace(/-+$/, "");
}
