// @ts-check

import { announce } from "./announce.js";
import { initialsOf } from "./person.js";
import { session, url } from "./session.js";

/** @typedef {{id: string, name: string}} Named */

const ASKED_KEY = "hubbub-asked";

/**
 * Asks for a name. `ask()` is for a first visit: it stands beside what one reads and takes
 * neither the focus nor the page; `open()` is for someone who wants to change the name.
 */
export class NameDialog {
  /** Called with what the server accepted. @type {(named: Named) => void} */
  onsaved = () => {};

  #dialog;
  #form;
  #input;
  #face;
  #keep;
  #save;
  #error;

  // Lifecycle

  /** @param {HTMLDialogElement} dialog */
  constructor(dialog) {
    this.#dialog = dialog;
    this.#form = find(dialog, "form", HTMLFormElement);
    this.#input = find(dialog, "input", HTMLInputElement);
    this.#face = find(dialog, ".avatar", HTMLElement);
    this.#keep = find(dialog, "[data-keep]", HTMLButtonElement);
    this.#save = find(dialog, "[type=submit]", HTMLButtonElement);
    this.#error = find(dialog, "#name-error", HTMLElement);
    this.#form.addEventListener("submit", (event) => this.#submit(event));
    this.#input.addEventListener("input", () => this.#preview());
    this.#keep.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => remember(session().user?.id));
    document.addEventListener("keydown", (event) => this.#closeOnEscape(event));
  }

  // Actions

  open() {
    if (this.#dialog.open) this.#dialog.close();
    this.#reset("Change your name");
    this.#dialog.showModal();
    this.#input.select();
  }

  /** Ask a guest once; does nothing for who has a name or has been asked. */
  ask() {
    const { user } = session();
    if (!user || user.named || recall() === user.id) return;
    const before = document.activeElement;
    this.#reset("What should others call you?");
    this.#dialog.show();
    // show() moves the focus into the dialog, but whoever reads or types goes first.
    if (before instanceof HTMLElement) before.focus({ preventScroll: true });
    if (this.#dialog.contains(document.activeElement)) this.#input.blur();
    announce(`You are called ${user.name}. A dialog lets you choose another name.`);
  }

  // Internal

  /** @param {string} title */
  #reset(title) {
    const name = session().user?.name ?? "";
    find(this.#dialog, "h2", HTMLElement).textContent = title;
    find(this.#keep, "bdi", HTMLElement).textContent = name;
    this.#input.value = name;
    this.#fail("");
    this.#preview();
  }

  #preview() {
    this.#face.textContent = initialsOf(this.#input.value);
  }

  /** @param {SubmitEvent} event */
  async #submit(event) {
    event.preventDefault();
    const name = this.#input.value.trim().replace(/\s+/gu, " ");
    if (name === "") return this.#fail("Type a name, or keep the one you have.");
    this.#fail("");
    this.#save.disabled = true;
    try {
      this.onsaved(await post(name));
      this.#dialog.close();
    } catch (error) {
      this.#fail(error instanceof Error ? error.message : String(error));
    } finally {
      this.#save.disabled = false;
    }
  }

  /** @param {string} message */
  #fail(message) {
    this.#error.textContent = message;
    this.#input.setAttribute("aria-invalid", String(message !== ""));
    if (message) this.#input.focus();
  }

  /** The browser closes only modal dialogs by itself. @param {KeyboardEvent} event */
  #closeOnEscape(event) {
    if (event.key !== "Escape" || event.defaultPrevented) return;
    if (this.#dialog.open && !this.#dialog.matches(":modal")) this.#dialog.close();
  }
}

/**
 * @param {string} name
 * @returns {Promise<Named>}
 * @throws {Error} whose message is fit to be shown
 */
async function post(name) {
  const response = await fetch(url("/api/name"), {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ name }),
  }).catch(() => {
    throw new Error("The server cannot be reached. Your name is as it was; try again.");
  });
  const answer = await response.json().catch(() => null);
  if (response.ok && typeof answer?.name === "string") return answer;
  throw new Error(answer?.message ?? `The name was not saved (${response.status}). Try again.`);
}

// Storage may be switched off; then one is asked again, which harms nobody.

/** @param {string | undefined} id */
function remember(id) {
  try {
    if (id) localStorage.setItem(ASKED_KEY, id);
  } catch {
    return;
  }
}

/** @returns {string | null} */
function recall() {
  try {
    return localStorage.getItem(ASKED_KEY);
  } catch {
    return null;
  }
}

/**
 * @template {typeof Element} C
 * @param {ParentNode} root
 * @param {string} selector
 * @param {C} kind
 * @returns {InstanceType<C>}
 */
function find(root, selector, kind) {
  const found = root.querySelector(selector);
  if (!(found instanceof kind)) throw new Error(`the name dialog has no ${selector}`);
  return /** @type {InstanceType<C>} */ (found);
}
