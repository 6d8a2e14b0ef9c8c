// @ts-check

const MAX_CHARS = 4000;
/** From here on one sees how much room is left. */
const COUNTED_FROM = 3600;
const TYPING_INTERVAL_MS = 2000;

/** Where one writes: grows with its text, keeps a draft for each room. */
export class Composer {
  /** Called with a text to be sent. @type {(text: string) => void} */
  onSend = () => {};
  /** Called while one writes, at most every two seconds. */
  onTyping = () => {};

  #form;
  #input;
  #button;
  #counter;
  #storage;
  #prefix;
  #room = "";
  #typedAtMs = 0;

  /** @param {HTMLFormElement} form @param {Storage} storage @param {string} prefix */
  constructor(form, storage, prefix) {
    this.#form = form;
    this.#input = /** @type {HTMLTextAreaElement} */ (form.querySelector("textarea"));
    this.#button = /** @type {HTMLButtonElement} */ (form.querySelector("[type=submit]"));
    this.#counter = /** @type {HTMLElement} */ (form.querySelector("[data-counter]"));
    this.#storage = storage;
    this.#prefix = prefix;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    this.#input.addEventListener("input", () => this.#typed());
    this.#input.addEventListener("keydown", (event) => this.#pressed(event));
  }

  /** Write to another room; its draft comes back. @param {string} room */
  open(room) {
    this.#room = room;
    this.#input.placeholder = `Message ${room}`;
    this.#input.setAttribute("aria-label", `Message ${room}`);
    this.#input.value = this.#storage.getItem(this.#prefix + room) ?? "";
    this.#show();
  }

  focus() {
    this.#input.focus({ preventScroll: true });
  }

  // Internal

  /** @param {KeyboardEvent} event */
  #pressed(event) {
    // While a syllable is being composed, Enter chooses it. (229: Safari says so late.)
    const isComposing = event.isComposing || event.keyCode === 229;
    if (event.key !== "Enter" || event.shiftKey || isComposing) return;
    event.preventDefault();
    this.#send();
  }

  #typed() {
    this.#show();
    this.#keepDraft();
    if (!this.#text || Date.now() - this.#typedAtMs < TYPING_INTERVAL_MS) return;
    this.#typedAtMs = Date.now();
    this.onTyping();
  }

  #send() {
    const text = this.#text;
    if (!text || charsOf(text) > MAX_CHARS) return this.focus();
    this.#input.value = "";
    this.#typedAtMs = 0;
    this.#show();
    this.#keepDraft();
    this.focus();
    this.onSend(text);
  }

  /** Half a character (cut out of a pair) cannot travel. */
  get #text() {
    return this.#input.value.trim().replace(/\p{Cs}|\0/gu, "\ufffd");
  }

  #show() {
    const chars = charsOf(this.#text);
    const tooLong = chars > MAX_CHARS;
    this.#counter.hidden = chars < COUNTED_FROM;
    this.#counter.textContent = tooLong
      ? `${(chars - MAX_CHARS).toLocaleString()} characters too many`
      : `${(MAX_CHARS - chars).toLocaleString()} left`;
    this.#counter.classList.toggle("composer__counter--over", tooLong);
    this.#input.setAttribute("aria-invalid", String(tooLong));
    this.#button.disabled = chars === 0 || tooLong;
    this.#grow();
  }

  #grow() {
    if (CSS.supports("field-sizing", "content")) return;
    this.#input.style.blockSize = "auto";
    this.#input.style.blockSize = `${this.#input.scrollHeight + 2}px`;
  }

  #keepDraft() {
    const key = this.#prefix + this.#room;
    try {
      if (this.#input.value) this.#storage.setItem(key, this.#input.value);
      else this.#storage.removeItem(key);
    } catch {
      // A full storage keeps no draft; the text still stands in the field.
    }
  }
}

/** As the server counts them: code points. @param {string} text */
function charsOf(text) {
  let chars = 0;
  for (const _ of text) chars++;
  return chars;
}
