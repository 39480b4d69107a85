// The strip with the measured answer times of the conversation in view.

import { byId, duration, make } from "./dom.js";

const SHOWN = 24;

export function showTiming(messages) {
  const replies = messages.filter((message) => message.answer_ms !== null);
  const times = replies.map((message) => message.answer_ms);
  const last = replies.at(-1);
  const asked = last && messages.find((message) => message.uuid === last.in_reply_to);
  byId("figure").textContent = duration(last?.answer_ms);
  byId("hop-taken").textContent = duration(asked ? taken(asked) : null);
  byId("hop-median").textContent = duration(median(times));
  byId("hop-slowest").textContent = duration(times.length ? Math.max(...times) : null);
  drawBars(times.slice(-SHOWN));
}

function taken(asked) {
  const { webhook_posted_at: posted, webhook_answered_at: answered } = asked;
  return posted === null || answered === null ? null : answered - posted;
}

function median(times) {
  if (!times.length) return null;
  const sorted = [...times].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function drawBars(times) {
  const highest = Math.max(...times, 1);
  byId("bars").replaceChildren(
    ...times.map((time) => {
      const bar = make("span", "bar");
      bar.style.height = `${Math.max(6, (time / highest) * 100)}%`;
      bar.title = duration(time);
      return bar;
    }),
  );
}
