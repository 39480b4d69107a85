// The panel of faults: one switch each, what it is set to, and for how often.

import * as api from "./api.js";
import { byId, make } from "./dom.js";

const FAULTS = [
  ["slow", "Slow", "Accepts at once, answers late.", { key: "seconds", unit: "s", value: 3, min: 0.1, max: 120, step: 0.1 }],
  ["rate_limited", "Too many requests", "429 with Retry-After.", { key: "retry_after", unit: "s", value: 5, min: 0, max: 3600, step: 1 }],
  ["server_error", "Server error", "Refuses with a 5xx.", { key: "status", unit: "", value: 503, min: 500, max: 599, step: 1 }],
  ["drop_answer", "Lost answer", "Accepts and delivers, but never says so."],
  ["refuse", "Closed door", "Hangs up before accepting."],
  ["no_echo", "No reports", "Delivers without Sent, Delivered, Read."],
  ["undeliverable", "Undeliverable", "Reports Error instead of Delivered."],
  ["no_credit", "No credit", "Refuses with spoki::1029."],
  ["no_id", "No id", "Says 200 but accepts nothing."],
  ["duplicates", "Duplicate webhooks", "Posts every webhook several times.", { key: "copies", unit: "×", value: 3, min: 2, max: 50, step: 1 }],
  ["bad_signature", "Bad signature", "Signs webhooks with a wrong secret."],
];
const COUNTS = [["", "until switched off"], ["1", "once"], ["3", "3 times"], ["10", "10 times"]];

export class FaultPanel {
  constructor(onError) {
    this.onError = onError;
    this.rows = new Map();
    for (const fault of FAULTS) this.#add(fault);
    byId("faults-clear").addEventListener("click", () => this.#do(api.clearFaults()));
  }

  show(on) {
    for (const [name, row] of this.rows) {
      const fault = on[name];
      row.toggle.checked = fault !== null;
      row.item.classList.toggle("on", fault !== null);
      row.left.textContent = fault?.count ? `${fault.count} left` : "";
    }
    const count = Object.values(on).filter((fault) => fault !== null).length;
    byId("faults-clear").disabled = count === 0;
  }

  #add([name, title, note, setting]) {
    const item = make("li", "fault");
    const label = make("label", "fault-label");
    const toggle = make("input", "switch");
    toggle.type = "checkbox";
    toggle.setAttribute("role", "switch");
    toggle.id = `fault-${name}`;
    const words = make("span", "fault-words");
    words.append(make("span", "fault-title", title), make("span", "fault-note", note));
    label.append(words, toggle);
    const options = make("div", "fault-options");
    const number = setting && numberField(title, setting);
    if (number) options.append(number.field);
    const count = countField(title);
    const left = make("span", "fault-left");
    options.append(count, left);
    item.append(label, options);
    byId("faults").append(item);

    const put = () => {
      const fault = count.value ? { count: Number(count.value) } : {};
      if (number) fault[setting.key] = number.input.valueAsNumber;
      return api.putFault(name, fault);
    };
    toggle.addEventListener("change", () => this.#do(toggle.checked ? put() : api.dropFault(name)));
    options.addEventListener("change", () => toggle.checked && this.#do(put()));
    this.rows.set(name, { item, toggle, left });
  }

  async #do(call) {
    try {
      this.show(await call);
    } catch (error) {
      this.onError(error);
      this.show(await api.faults());
    }
  }
}

function numberField(title, { unit, value, min, max, step }) {
  const field = make("span", "number");
  const input = make("input");
  Object.assign(input, { type: "number", min, max, step, value });
  input.setAttribute("aria-label", `${title}: amount`);
  field.append(input, make("span", "unit", unit));
  return { field, input };
}

function countField(title) {
  const select = make("select");
  select.setAttribute("aria-label", `${title}: how often`);
  for (const [value, text] of COUNTS) select.append(new Option(text, value));
  return select;
}
