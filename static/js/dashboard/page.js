// @ts-check
/** The dashboard: one socket for what is shown, and *Break it* with one of its own. */

import { byId } from "../dom.js";
import { Hubbub } from "../hubbub.js";
import { Lab } from "../lab/lab.js";
import { takePast } from "../past.js";
import { mountPill, socketUrl } from "../shell.js";
import { ChatTile } from "./chat-tile.js";
import { FigureLine } from "./figures.js";
import { Gateways } from "./gateways.js";
import { MoversTile } from "./movers-tile.js";
import { NodesTile } from "./nodes-tile.js";
import { NotesTile } from "./notes-tile.js";
import { Numbers } from "./numbers.js";
import { Plot } from "./plot.js";
import { repaint } from "./repaint.js";

const QUOTES_MS = 500;
const AGES_MS = 20_000;

const line = new FigureLine();
const numbers = new Numbers();
const gateways = new Gateways();
const nodes = new NodesTile();
const chat = new ChatTile();
const movers = new MoversTile();
const work = new NotesTile();
/** @type {Plot | null} */
let plot = null;
/** @type {{lines: any[], notes: any[]} | null} */
let activity = null;

const hub = new Hubbub({ url: socketUrl("/ws") });
mountPill().follow(hub);
followStats();
followActivity();
followMarket();
hub.connect();
new Lab(byId("lab")).start();
drawPlot();

function followStats() {
  const paint = repaint(() => {
    if (!line.newest) return;
    numbers.show(line.all);
    gateways.show(line.newest);
    nodes.show(line.newest.nodes ?? []);
    plot?.show(line.all);
    byId("board").dataset.ready = "true";
  });
  hub.subscribe("hub:stats", {
    past: takePast("hub:stats"),
    onReply(reply, { recovered }) {
      if (!recovered) line.replace(reply.publications);
      paint();
    },
    onEvent(event) {
      line.add(event);
      paint();
    },
  });
  document.addEventListener("hubbub:plot", paint);
}

function followActivity() {
  const paint = repaint(() => {
    if (!activity) return;
    chat.show(activity.lines);
    work.show(activity.notes);
  });
  /** @param {{event: string, data: any}} signal */
  const take = ({ event, data }) => {
    if (event !== "activity" || !data) return;
    activity = data;
    paint();
  };
  hub.subscribe("hub:activity", {
    past: takePast("hub:activity"),
    onReply: (reply) => reply.signals?.forEach(take),
    onEvent: take,
  });
  setInterval(paint, AGES_MS);
}

function followMarket() {
  const paint = repaint(() => movers.paint(), QUOTES_MS);
  hub.subscribe("ticker:market", {
    past: takePast("ticker:market"),
    onReply(reply) {
      if (reply.state) movers.replace(reply.state);
      paint();
    },
    onEvent({ event, data }) {
      if (event !== "quote") return;
      movers.update(data);
      paint();
    },
  });
}

/** The library may not have been fetched at set-up: the page then says so itself. */
async function drawPlot() {
  const root = document.getElementById("plot");
  if (!root) return;
  const charts = await import("../../vendor/charts.js");
  root.replaceChildren();
  plot = new Plot(root, charts);
  document.dispatchEvent(new CustomEvent("hubbub:plot"));
}
