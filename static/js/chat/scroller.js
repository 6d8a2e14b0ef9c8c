// @ts-check

/** So near to the end counts as being there. */
const NEAR_END_PX = 48;
/** So near to an edge, the next page is fetched. */
const NEAR_EDGE_PX = 600;

/** Keeps the view where the reader has it: at the end, or on the line under the eye. */
export class Scroller {
  /** Called when the view comes near its first line. */
  onNearStart = () => {};
  /** Called when the view comes near its last line. */
  onNearEnd = () => {};
  /** Called when the view begins or ceases to be at the end. */
  onStick = () => {};

  #view;
  #content;
  #sticks = true;
  /** Where the view was when it was last looked at. */
  #topPx = 0;

  /** @param {HTMLElement} view what scrolls @param {HTMLElement} content what grows in it */
  constructor(view, content) {
    this.#view = view;
    this.#content = content;
    view.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    const watch = new ResizeObserver(() => {
      if (this.#sticks) this.toEnd();
    });
    watch.observe(view);
    watch.observe(content);
  }

  /** Whether the view is at the end, and stays there when more comes. */
  get sticks() {
    return this.#sticks;
  }

  get heightPx() {
    return this.#view.clientHeight;
  }

  toEnd() {
    this.#view.scrollTop = this.#view.scrollHeight;
    this.#topPx = this.#view.scrollTop;
    this.#setSticks(true);
  }

  /** Show an element near the top, and stay there. @param {Element} element */
  toLine(element) {
    this.#setSticks(false);
    const above = element.getBoundingClientRect().top - this.#view.getBoundingClientRect().top;
    this.#view.scrollTop += above - this.heightPx / 6;
    this.#scrolled();
  }

  /**
   * Change what stands in the view; the reader sees no line move.
   * @param {() => void} change
   */
  hold(change) {
    // At the end, the observer of the sizes goes on before anything is painted.
    if (this.#sticks) return change();
    const line = this.#lineUnderEye();
    const topPx = line?.getBoundingClientRect().top ?? 0;
    change();
    if (!line?.isConnected) return;
    this.#view.scrollTop += line.getBoundingClientRect().top - topPx;
    this.#topPx = this.#view.scrollTop;
  }

  /** Fetch what the view already needs. */
  check() {
    const { scrollTop, scrollHeight, clientHeight } = this.#view;
    if (scrollTop < NEAR_EDGE_PX) this.onNearStart();
    if (scrollHeight - scrollTop - clientHeight < NEAR_EDGE_PX) this.onNearEnd();
  }

  // Internal

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.#view;
    const isAtEnd = scrollHeight - scrollTop - clientHeight < NEAR_END_PX;
    // Away from the end, but not upwards: the content grew before this was told.
    const hasGrown = this.#sticks && scrollTop >= this.#topPx;
    this.#topPx = scrollTop;
    this.#setSticks(isAtEnd || hasGrown);
    this.check();
  }

  /** @param {boolean} sticks */
  #setSticks(sticks) {
    if (this.#sticks === sticks) return;
    this.#sticks = sticks;
    this.onStick();
  }

  /** @returns {Element | undefined} */
  #lineUnderEye() {
    const topPx = this.#view.getBoundingClientRect().top;
    return [...this.#content.children].find(
      (line) => line.getBoundingClientRect().bottom > topPx);
  }
}
