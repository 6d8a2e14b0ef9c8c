// @ts-check

/** A place in a channel's stream: offsets 1, 2, 3... without holes within an epoch. */
export class Position {
  /** @param {string} epoch @param {number} offset */
  constructor(epoch, offset) {
    this.epoch = epoch;
    this.offset = offset;
    Object.freeze(this);
  }

  /**
   * @param {string} text  `<epoch>.<offset>`
   * @throws {SyntaxError} when it is something else
   */
  static parse(text) {
    const match = /^(.+)\.(\d+)$/.exec(text);
    if (!match) throw new SyntaxError(`not a position: ${text}`);
    return new Position(match[1], Number(match[2]));
  }

  toString() {
    return `${this.epoch}.${this.offset}`;
  }
}
