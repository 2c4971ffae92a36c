// Records that came to nothing, why, and what can be done.

import { get, send } from "../api.js";
import { dialog, h, notice, replace, table } from "../dom.js";
import { moment, pretty } from "../format.js";

export const title = "Dead letters";

export async function show(root, signal) {
  const reason = h("input", { type: "search", placeholder: "in the reason", "aria-label": "Reason", onchange: () => load() });
  const list = h("div");
  root.append(h("div", { class: "toolbar" }, reason, h("button", { type: "button", class: "quiet", onclick: () => load() }, "Look again")), list);

  async function load() {
    const { letters } = await get("dead-letters", { reason: reason.value.trim(), limit: 500 }, signal);
    replace(list, table("Dead letters", [
      ["Number", (letter) => String(letter.number)], ["Written", (letter) => moment(letter.at)],
      ["Was a", (letter) => letter.kind], ["Error", (letter) => letter.exception],
      ["Reason", (letter) => letter.reason, "wide"], ["Request", (letter) => letter.request_id],
      ["Stood at", (letter) => letter.topic && `${letter.topic} ${letter.partition}:${letter.offset}`],
    ], [...letters].reverse(), { open: (letter) => open(letter, load), empty: "No dead letters: every record came to its end." }));
  }
  await load();
}

async function open(letter, done) {
  const found = await get(`dead-letters/${letter.number}`);
  const force = h("input", { type: "checkbox" });
  const box = dialog(`Dead letter ${letter.number}`,
    h("p", {}, letter.exception, ": ", letter.reason),
    h("pre", { tabindex: "0" }, pretty(found)),
    h("div", { class: "toolbar" }, h("button", { type: "button", onclick: redrive }, "Produce it again"),
      h("label", {}, force, " also if its provider may have been paid")));

  async function redrive() {
    try {
      const { letters } = await send("POST", "dead-letters/redrive", { letters: [String(letter.number)], force: force.checked });
      const [step] = letters;
      notice(step.redriven ? `Produced again as ${step.request_id}.` : `Kept: ${step.why}.`, step.redriven ? "good" : "error");
      box.close();
      await done();
    } catch (error) {
      notice(error.message);
    }
  }
}
