// @ts-check

/**
 * A command that was refused or could not be carried.
 *
 * Codes from 100 on are the server's; those below are made here, by this class's names.
 */
export class HubbubError extends Error {
  static TIMEOUT = 1;
  static DISCONNECTED = 2;
  static CLOSED = 3;
  static FULL = 4;
  static LIMIT_EXCEEDED = 106;
  static UNRECOVERABLE = 112;

  /**
   * @param {number} code
   * @param {string} message
   * @param {boolean} temporary  the same command may succeed later
   */
  constructor(code, message, temporary = false) {
    super(message);
    this.name = "HubbubError";
    this.code = code;
    this.temporary = temporary;
  }

  /** @param {import("./wire.js").ErrorFrame} frame */
  static from(frame) {
    return new HubbubError(frame.code, frame.message, frame.temporary === true);
  }
}
