// The phone page: who writes, what is said, and what the sandbox tells about it.

import * as api from "./api.js";
import { Chat } from "./chat.js";
import { byId, make } from "./dom.js";
import { FaultPanel } from "./faults.js";
import { GUESTS } from "./guests.js";
import { showTiming } from "./timing.js";

const text = byId("text");
const chat = new Chat((words, payload) => write(words, payload));
const panel = new FaultPanel(complain);
const unread = new Map();
let guest = GUESTS[0];
// While a conversation is being fetched, what arrives waits, or the older answer would undo it.
let arriving = null;

function complain(error) {
  byId("notice").textContent = error.message;
}

async function write(words, payload = null) {
  const said = words.trim();
  if (!said) return;
  byId("notice").textContent = "";
  try {
    await api.write({ phone: guest.phone, text: said, name: guest.name, payload });
  } catch (error) {
    complain(error);
    text.value ||= said;
  }
}

async function attempt(call) {
  byId("notice").textContent = "";
  try {
    await call;
  } catch (error) {
    complain(error);
  }
}

function sendPhotos(count) {
  attempt(api.sendPhotos({ phone: guest.phone, name: guest.name, count }));
}

function arrived(message) {
  if (arriving) {
    arriving.push(message);
  } else if (message.phone === guest.phone) {
    chat.update(message);
    showTiming(chat.all());
  } else if (message.direction === "Outbound" && message.status === "Pending") {
    unread.set(message.phone, (unread.get(message.phone) ?? 0) + 1);
    showUnread();
  }
}

async function load() {
  const waiting = [];
  arriving = waiting;
  const wanted = guest;
  try {
    const messages = await api.conversation(wanted.phone);
    if (arriving !== waiting) return;
    chat.show(messages);
    showTiming(messages);
  } catch (error) {
    complain(error);
  }
  if (arriving !== waiting) return;
  arriving = null;
  waiting.forEach(arrived);
}

function choose(chosen) {
  guest = chosen;
  unread.delete(guest.phone);
  showUnread();
  text.placeholder = guest.placeholder;
  text.lang = guest.language;
  byId("messages").lang = guest.language;
  byId("empty-title").textContent = guest.hello;
  byId("empty-title").lang = guest.language;
  byId("ideas").lang = guest.language;
  byId("ideas").replaceChildren(...guest.ideas.map(ideaButton));
  load();
}

function ideaButton(idea) {
  const button = make("button", "idea", idea);
  button.type = "button";
  button.addEventListener("click", () => write(idea));
  return button;
}

function guestOption(each) {
  const label = make("label", "guest");
  const radio = make("input", "sr-only");
  Object.assign(radio, { type: "radio", name: "guest", value: each.phone, checked: each === guest });
  radio.addEventListener("change", () => choose(each));
  const words = make("span", "guest-words");
  const language = make("span", "guest-language", each.languageName);
  language.lang = each.language;
  words.append(make("span", "guest-name", each.name), language);
  const avatar = make("span", `avatar avatar-${each.language}`, each.name[0]);
  avatar.setAttribute("aria-hidden", "true");
  const badge = make("span", "badge");
  badge.dataset.phone = each.phone;
  badge.hidden = true;
  label.append(radio, avatar, words, badge);
  return label;
}

function showUnread() {
  for (const badge of document.querySelectorAll(".badge")) {
    const count = unread.get(badge.dataset.phone) ?? 0;
    badge.hidden = count === 0;
    badge.textContent = count;
    badge.setAttribute("aria-label", `${count} new`);
  }
}

function showLink(state, words) {
  byId("link").dataset.state = state;
  byId("link-text").textContent = words;
}

function listen() {
  const events = new EventSource("/sandbox/events");
  const reload = async () => {
    try {
      panel.show(await api.faults());
    } catch (error) {
      complain(error);
    }
    await load();
  };
  events.addEventListener("ready", () => {
    showLink("live", "Live");
    reload();
  });
  events.addEventListener("reload", reload);
  events.addEventListener("message", (event) => arrived(JSON.parse(event.data)));
  events.addEventListener("faults", (event) => panel.show(JSON.parse(event.data)));
  events.addEventListener("error", () => showLink("away", "Reconnecting"));
}

byId("guests").append(...GUESTS.map(guestOption));
byId("compose").addEventListener("submit", (event) => {
  event.preventDefault();
  const words = text.value;
  text.value = "";
  text.focus();
  write(words);
});
byId("by-person").addEventListener("submit", (event) => {
  event.preventDefault();
  const words = byId("person-text").value.trim();
  byId("person-text").value = "";
  if (words) attempt(api.writeByPerson({ phone: guest.phone, text: words }));
});
for (const box of [text, byId("person-text")]) {
  box.addEventListener("keydown", (event) => {
    // isComposing: Enter then belongs to the input method, not to the message.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    box.form.requestSubmit();
  });
}
byId("photo").addEventListener("click", () => sendPhotos(1));
byId("album").addEventListener("click", () => sendPhotos(10));
byId("reset").addEventListener("click", () => api.reset().then(() => unread.clear()).then(showUnread).catch(complain));

api.status().then((status) => {
  byId("desk-number").textContent = `+${status.account_phone}`;
}, complain);
choose(guest);
listen();
