// @ts-check

/** Paints at most once a frame, and never while nobody can see it. */
export class Painter {
  #paint;
  #wanted = false;

  /** @param {() => void} paint  brings the page up to date */
  constructor(paint) {
    this.#paint = paint;
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && this.#wanted) this.#schedule();
    });
  }

  /** Something has changed. */
  mark() {
    if (this.#wanted) return;
    this.#wanted = true;
    if (!document.hidden) this.#schedule();
  }

  #schedule() {
    requestAnimationFrame(() => {
      // The frame may come when the page has just been hidden.
      if (document.hidden || !this.#wanted) return;
      this.#wanted = false;
      this.#paint();
    });
  }
}
