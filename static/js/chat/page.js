// @ts-check
/** The chat page: its parts, and what each has to tell the others. */
import { byId } from "../dom.js";
import { Hubbub } from "../hubbub.js";
import { announce, mountPanes, mountPill, session, socketUrl, url } from "../shell.js";
import { Absence } from "./absence.js";
import { Composer } from "./composer.js";
import { SERVER } from "./message-row.js";
import { Outbox } from "./outbox.js";
import { People } from "./people.js";
import { Room } from "./room.js";
import { GoToRoom, Rooms } from "./rooms.js";
import { Scroller } from "./scroller.js";
import { Timeline } from "./timeline.js";
import { Typing } from "./typing.js";

const PREVIEW_CHARS = 200;
/** On a phone the rooms lie above the timeline; the same number stands in pane.css. */
const roomsAreAbove = matchMedia("(width < 640px)");

class ChatPage {
  #hubbub = new Hubbub({ url: socketUrl("/ws") });
  #outbox;
  #scroller;
  #timeline;
  #people;
  #typing = new Typing(byId("typing"));
  #composer;
  #rooms;
  #jump = byId("jump", HTMLButtonElement);
  /** @type {Room | null} */
  #room = null;
  #name = "";
  /** How many came while the reader was elsewhere. */
  #unseen = 0;
  #willShow = false;

  constructor() {
    const { base } = session();
    const me = () => /** @type {import("../session.js").User} */ (session().user);
    this.#outbox = new Outbox(this.#hubbub, localStorage, `hubbub-outbox:${base}:${me().id}:`);
    this.#scroller = new Scroller(byId("timeline"), byId("messages"));
    this.#timeline = new Timeline(byId("messages"), this.#scroller, me, {
      retry: (key) => this.#outbox.retry(key),
      discard: (key) => this.#discard(key),
    });
    this.#people = new People(byId("people-list"), [byId("people-count")], me);
    this.#composer = new Composer(byId("composer", HTMLFormElement), localStorage,
      `hubbub-draft:${base}:`);
    this.#rooms = new Rooms(byId("room-list"), url, localStorage, `hubbub-seen:${base}`);
    this.#wire();
    this.#listen();
  }

  /** @param {string} name */
  start(name) {
    mountPill().follow(this.#hubbub);
    new Absence(byId("absence"), this.#hubbub);
    this.#enter(name);
    this.#hubbub.connect();
    this.#hubbub.subscribe("hub:activity", {
      onEvent: ({ data }) => this.#heardOf(data ?? {}),
    });
    this.#rooms.refresh();
    if (matchMedia("(pointer: fine)").matches && document.activeElement === document.body) {
      this.#composer.focus();
    }
  }

  // What the parts tell

  #wire() {
    this.#composer.onSend = (text) => this.#send(text);
    this.#composer.onTyping = () => this.#room?.tellTyping();
    this.#outbox.onEntry = (entry) => {
      if (entry.room === this.#name) this.#timeline.follow(entry);
    };
    this.#outbox.onKept = (entry, position) => {
      if (entry.room === this.#name) this.#timeline.acknowledge(entry.key, position);
    };
    this.#timeline.onChange = () => this.#showSoon();
    this.#scroller.onStick = () => this.#showSoon();
    this.#hubbub.addEventListener("state", () => {
      const isLive = this.#hubbub.state === "live" && !this.#hubbub.paused;
      // Who is there, and types, is not known while we are away.
      byId("people-list").classList.toggle("is-stale", !isLive);
      if (!isLive) this.#typing.clear();
    });
    this.#rooms.onOpen = (room) => this.#go(room);
    new GoToRoom(byId("go-to-room", HTMLFormElement), (room) => this.#go(room));
  }

  #listen() {
    this.#jump.addEventListener("click", () => {
      this.#room?.showNewest();
      this.#composer.focus();
    });
    addEventListener("popstate", () => this.#enter(roomOfAddress()));
    document.addEventListener("visibilitychange", () => {
      this.#timeline.refreshDays();
      this.#showSoon();
    });
    // The session's name is the one it was opened with.
    document.addEventListener("hubbub:renamed", () => {
      this.#hubbub.close();
      this.#hubbub.connect();
    });
    followKeyboard();
  }

  /** @param {string} text */
  #send(text) {
    this.#room?.showNewest();
    this.#outbox.send(this.#name, text);
    this.#scroller.toEnd();
  }

  /** @param {string} key */
  #discard(key) {
    this.#outbox.forget(key);
    this.#timeline.discard(key);
    this.#composer.focus();
  }

  /** @param {import("../wire.js").EventFrame} event @param {boolean} own */
  #heard(event, own) {
    if (!own && !this.#isSeen) this.#unseen += 1;
    const text = String(event.data?.text ?? "").slice(0, PREVIEW_CHARS);
    const author = (event.from ?? SERVER).name;
    this.#rooms.touch({ name: this.#name, last_text: text, last_author: author,
      last_ms: event.time });
    this.#showSoon();
  }

  /** @param {number} count */
  #missed(count) {
    if (!this.#scroller.sticks) this.#unseen = Math.max(this.#unseen, count);
    this.#showSoon();
  }

  /** @param {{lines?: {room: string, text: string, from: {name: string}, time: number}[]}} news */
  #heardOf({ lines = [] }) {
    for (const { room, text, from, time } of lines) {
      this.#rooms.touch({ name: room, last_text: text, last_author: from.name, last_ms: time });
    }
  }

  // The room

  /** @param {string} name */
  #go(name) {
    if (name !== this.#name) history.pushState(null, "", url(`/chat/${name}`));
    this.#enter(name);
    if (roomsAreAbove.matches) mountPanes(byId("panes")).set("start", false);
    this.#composer.focus();
  }

  /** @param {string} name */
  #enter(name) {
    if (name === this.#name) return;
    this.#room?.leave();
    this.#name = name;
    this.#unseen = 0;
    this.#showSoon();
    document.getElementById("refused")?.setAttribute("hidden", "");
    byId("loading").hidden = false;
    byId("page-title").textContent = name;
    byId("timeline-log").setAttribute("aria-label", `Messages in ${name}`);
    this.#composer.open(name);
    this.#rooms.open(name);
    this.#room = new Room(this.#hubbub, name, {
      timeline: this.#timeline, scroller: this.#scroller, people: this.#people,
      typing: this.#typing, outbox: this.#outbox, me: () => this.#me,
      onMessage: (event, own) => this.#heard(event, own),
      onMissed: (count) => this.#missed(count),
      onOpen: () => this.#opened(),
      onRefused: (error) => this.#refused(error),
    });
  }

  get #me() {
    return /** @type {import("../session.js").User} */ (session().user);
  }

  #opened() {
    byId("loading").hidden = true;
    byId("refused").hidden = true;
    this.#unseen = 0;
    this.#showSoon();
  }

  /** @param {Error} error */
  #refused(error) {
    byId("loading").hidden = true;
    byId("refused").hidden = false;
    byId("refused-reason").textContent = error.message;
  }

  // What is shown of all that

  get #isSeen() {
    const isAtEnd = this.#scroller.sticks && this.#timeline.hasEnd;
    return isAtEnd && document.visibilityState === "visible";
  }

  /** Once for all that is told in one go. */
  #showSoon() {
    if (this.#willShow) return;
    this.#willShow = true;
    queueMicrotask(() => {
      this.#willShow = false;
      this.#showState();
    });
  }

  #showState() {
    const { hasEnd, start, isEmpty, lastTimeMs } = this.#timeline;
    const isLoaded = byId("loading").hidden;
    this.#scroller.hold(() => {
      byId("empty").hidden = !(isLoaded && isEmpty);
      byId("beginning").hidden = !isLoaded || isEmpty || start === "more";
      byId("beginning").textContent = start === "trimmed"
        ? "What was said before is not kept any more."
        : `This is the beginning of ${this.#name}.`;
    });
    if (this.#isSeen && lastTimeMs) {
      this.#unseen = 0;
      this.#rooms.see(lastTimeMs);
    }
    this.#showJump(hasEnd && this.#scroller.sticks);
    const isHidden = document.visibilityState === "hidden";
    const unread = this.#unseen && isHidden ? `(${this.#unseen}) ` : "";
    document.title = `${unread}${this.#name} · Hubbub`;
  }

  /** @param {boolean} isAtEnd */
  #showJump(isAtEnd) {
    const words = this.#unseen ? `${this.#unseen} new` : "Newest";
    const label = /** @type {HTMLElement} */ (this.#jump.querySelector("span"));
    this.#jump.hidden = isAtEnd;
    this.#jump.classList.toggle("button--primary", this.#unseen > 0);
    if (label.textContent === words) return;
    label.textContent = words;
    if (this.#unseen && !isAtEnd && !this.#timeline.hasEnd) announce(words);
  }
}

/** @returns {string} */
function roomOfAddress() {
  return decodeURIComponent(location.pathname.split("/").at(-1) ?? "");
}

/** Where the soft keyboard lies over the page instead of shrinking it, the page yields. */
function followKeyboard() {
  const view = window.visualViewport;
  view?.addEventListener("resize", () => {
    const hiddenPx = view.scale === 1 ? Math.max(0, innerHeight - view.height) : 0;
    byId("main").style.paddingBlockEnd = `${hiddenPx}px`;
  });
}

new ChatPage().start(roomOfAddress());
