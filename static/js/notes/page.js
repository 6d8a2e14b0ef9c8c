// @ts-check
/** The page of one note: the text, its saved state, who is here, and the list. */

import { byId, h, icon } from "../dom.js";
import { mountPill, session, socketUrl } from "../shell.js";
import { Y } from "../../vendor/notes.js";
import { DeviceCopy } from "./device-copy.js";
import { openEditor } from "./editor.js";
import { NewNote, takeTitle } from "./new-note.js";
import { NoteLink } from "./note-link.js";
import { NoteList } from "./note-list.js";
import { titleOf } from "./note-names.js";
import { People } from "./people.js";
import { preview } from "./preview.js";
import { SaveStatus } from "./save-status.js";

const TEXT_NAME = "content";

class NotePage {
  #sheet = byId("sheet");
  #name = this.#sheet.dataset.note ?? "";
  #doc = new Y.Doc();
  #text = this.#doc.getText(TEXT_NAME);
  #user = session().user ?? { id: "", name: "" };
  #link = new NoteLink({ url: socketUrl("/ws/notes"), name: this.#name, doc: this.#doc });
  #device = new DeviceCopy(`hubbub${session().base}/notes/${this.#name}`, this.#doc, () =>
    this.#showSaved(),
  );
  #list = new NoteList(byId("note-list"), this.#name);
  #status = new SaveStatus(byId("save-status"));
  /** @type {ReturnType<typeof openEditor> | null} */
  #editor = null;
  #previewButton = byId("preview-toggle", HTMLButtonElement);

  async start() {
    this.#list.start();
    new NewNote(this.#list);
    this.#follow();
    // What is on this device is in the document before the server is asked, so that
    // one answer covers it.
    await this.#device.loaded;
    if (this.#text.length > 0) this.#openEditor();
    this.#link.connect();
  }

  #follow() {
    const link = this.#link;
    const pill = mountPill();
    pill.onretry = () => link.retryNow();
    link.addEventListener("state", (event) => {
      pill.set(/** @type {CustomEvent} */ (event).detail);
      this.#showSaved();
    });
    link.addEventListener("change", () => this.#showSaved());
    link.addEventListener("synced", () => this.#synced());
    link.addEventListener("refused", (event) => {
      this.#refused(/** @type {CustomEvent} */ (event).detail);
    });
    this.#doc.on("update", (_update, _origin, _doc, transaction) => {
      if (transaction.local) this.#device.edited(link.made);
      this.#showTitle();
      this.#list.touched();
    });
    new People(byId("people"), this.#user.id).follow(link.awareness);
    this.#introduce(this.#user);
    document.addEventListener("hubbub:renamed", (event) => {
      this.#introduce(/** @type {CustomEvent} */ (event).detail);
      link.reconnect();
    });
    window.addEventListener("beforeunload", (event) => {
      if (link.unsaved > 0 && !this.#isKept) event.preventDefault();
    });
    this.#previewButton.addEventListener("click", () => this.#togglePreview());
    byId("copy-text").addEventListener("click", () => this.#copy());
    byId("discard-copy").addEventListener("click", () => this.#discard());
  }

  /** The server puts in who it is; until its first word, this. @param {any} user */
  #introduce({ id, name }) {
    this.#link.awareness.setLocalStateField("user", { id, name });
  }

  get #isKept() {
    return this.#device.keeps(this.#link.made);
  }

  #synced() {
    this.#openEditor();
    this.#list.refresh();
    const title = takeTitle(this.#name);
    if (title && this.#text.length === 0) {
      const view = this.#editor?.view;
      const insert = `# ${title}\n\n`;
      view.dispatch({ changes: { from: 0, insert }, selection: { anchor: insert.length } });
      view.focus();
    }
  }

  #openEditor() {
    if (this.#editor) return;
    this.#sheet.replaceChildren();
    this.#sheet.removeAttribute("aria-busy");
    this.#editor = openEditor({
      parent: this.#sheet,
      text: this.#text,
      awareness: this.#link.awareness,
      nonce: this.#sheet.dataset.styleNonce ?? "",
    });
    this.#previewButton.disabled = false;
    this.#showTitle();
  }

  #showTitle() {
    const title = titleOf(this.#text.toString()) || this.#name;
    byId("page-title").textContent = title;
    document.title = `${title} · Hubbub`;
    this.#list.retitle(title);
  }

  #showSaved() {
    const { state, paused, unsaved } = this.#link;
    const durable = this.#sheet.dataset.durable === "yes";
    this.#status.show({ state, paused, unsaved, kept: this.#isKept, durable });
    if (state === "reconnecting" || state === "offline") this.#showAbsent();
  }

  /** Nothing is here to show, and nobody answers. */
  #showAbsent() {
    if (this.#editor || this.#sheet.querySelector(".empty")) return;
    const title = h("p", { class: "empty__title" }, "This note is not on this device");
    const text = h("p", { class: "empty__text" }, "It will be here as soon as the server answers.");
    this.#sheet.replaceChildren(h("div", { class: "empty" }, icon("offline"), title, text));
  }

  /** @param {{code: number, reason: string}} why */
  #refused({ reason }) {
    this.#editor?.setEditable(false);
    byId("refused-why").textContent = reason || "it was refused";
    byId("refused").hidden = false;
  }

  async #copy() {
    const text = this.#text.toString();
    const button = byId("copy-text");
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      // Without a secure context there is no clipboard: select it all instead.
      this.#editor?.view.dispatch({ selection: { anchor: 0, head: text.length } });
      this.#editor?.view.focus();
      button.textContent = "Selected: press Ctrl C";
    }
  }

  async #discard() {
    await this.#device.discard();
    location.reload();
  }

  #togglePreview() {
    const isShown = this.#previewButton.getAttribute("aria-pressed") === "true";
    this.#previewButton.setAttribute("aria-pressed", String(!isShown));
    const paper = byId("preview");
    paper.hidden = isShown;
    this.#sheet.hidden = !isShown;
    paper.replaceChildren(isShown ? "" : preview(this.#text.toString()));
    if (isShown) this.#editor?.view.focus();
  }
}

new NotePage().start();
