// Draws one conversation. Messages are kept by uuid, so that an update finds its bubble.

import { byId, duration, make } from "./dom.js";

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });

// What a status looks like, and what it says to a screen reader.
const MARKS = {
  Queued: ["clock", "on its way"],
  Accepted: ["one", "taken by the property"],
  Lost: ["alert", "not taken by the property"],
  Unsent: ["alert", "no webhook is set up"],
  Pending: ["clock", "pending"],
  Sent: ["one", "sent"],
  Delivered: ["two", "delivered"],
  Read: ["two read", "read"],
  Error: ["alert", "not delivered"],
};
const SHAPES = {
  clock: ["M8 4.500V8l2.3 1.4", "M8 2a6 6 0 1 0 .001 0"],
  one: ["m3 8.5 3.2 3.200L13 5"],
  two: ["m1.5 8.5 3.2 3.200L11 5", "m7.5 11 .7.7L15 5"],
  alert: ["M8 4.500v4M8 11v.300", "M8 2a6 6 0 1 0 .001 0"],
};
const SVG = "http://www.w3.org/2000/svg";
// Within this many pixels of the end, the reader is taken to follow the conversation.
const NEAR_END = 80;

export class Chat {
  constructor(onReply) {
    this.log = byId("log");
    this.list = byId("messages");
    this.onReply = onReply;
    this.messages = new Map();
    this.bubbles = new Map();
  }

  show(messages) {
    this.messages.clear();
    this.bubbles.clear();
    this.list.replaceChildren();
    for (const message of messages) this.#place(message);
    this.#settle();
    this.log.scrollTop = this.log.scrollHeight;
  }

  update(message) {
    const following = this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < NEAR_END;
    this.#place(message);
    this.#settle();
    if (following || message.direction === "Inbound") this.log.scrollTop = this.log.scrollHeight;
  }

  all() {
    return [...this.messages.values()];
  }

  #place(message) {
    const known = this.bubbles.get(message.uuid);
    this.messages.set(message.uuid, message);
    if (known) {
      known.meta.replaceChildren(...meta(message));
      return;
    }
    const bubble = draw(message, this.onReply);
    this.bubbles.set(message.uuid, bubble);
    this.list.append(bubble.item);
  }

  #settle() {
    byId("empty").hidden = this.messages.size > 0;
  }
}

function draw(message, onReply) {
  const mine = message.direction === "Inbound";
  const item = make("li", `message ${mine ? "mine" : "theirs"}`);
  item.dataset.uuid = message.uuid;
  const bubble = make("div", "bubble");
  bubble.append(make("span", "sr-only", mine ? "You: " : "Front desk: "));
  const { header, footer, media, header_media: headerMedia, buttons, list } = message.parts;
  if (header) bubble.append(make("p", "bubble-head", header.text));
  for (const file of [media, headerMedia]) {
    if (file) bubble.append(make("p", "bubble-file", file.filename || message.content_type));
  }
  if (message.text) bubble.append(make("p", "bubble-text", message.text));
  if (footer) bubble.append(make("p", "bubble-foot", footer.text));
  if (message.sender_id !== null) bubble.append(make("p", "bubble-foot", "Written by a person"));
  const foot = make("p", "meta");
  foot.append(...meta(message));
  bubble.append(foot);
  item.append(bubble);
  const choices = [...quickReplies(buttons), ...rows(list)];
  if (choices.length) item.append(choiceGroup(choices, onReply));
  return { item, meta: foot };
}

function quickReplies(buttons) {
  const shown = (buttons ?? []).filter((button) => button.text);
  return shown.sort((a, b) => a.order - b.order);
}

function rows(list) {
  const all = (list?.sections ?? []).flatMap((section) => section.rows);
  return all.map((row) => ({ text: row.title, payload: row.payload }));
}

function choiceGroup(choices, onReply) {
  const group = make("div", "choices");
  for (const { text, payload } of choices) {
    const button = make("button", "choice", text);
    button.type = "button";
    button.addEventListener("click", () => onReply(text, payload));
    group.append(button);
  }
  return group;
}

function meta(message) {
  const parts = [];
  if (message.answer_ms !== null) parts.push(make("span", "took", duration(message.answer_ms)));
  const time = make("time", "", clock.format(message.created_at));
  time.dateTime = new Date(message.created_at).toISOString();
  const [shape, words] = MARKS[message.status] ?? MARKS.Pending;
  const mark = make("span", `mark ${shape}`);
  mark.title = words;
  mark.dataset.status = message.status;
  mark.append(icon(shape.split(" ")[0]), make("span", "sr-only", words));
  return [...parts, time, mark];
}

function icon(shape) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  for (const d of SHAPES[shape]) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", d);
    svg.append(path);
  }
  return svg;
}
