// One exchange: what is known of it, where its time went, both bodies.

import { dialog, h } from "./dom.js";
import { dollars, pretty, seconds } from "./format.js";

// `found` is the document; `place` is where it stands in llm.exchanges, if that is known.
export function showExchange(found, place = null) {
  const facts = [
    ["Request", found.request_id], ["Outcome", `${found.outcome} (${found.status})`],
    ["Model", [found.request_model, found.response_model].filter(Boolean).join(" → ")],
    ["Provider", found.provider], ["User path", found.user_path], ["Key", found.client],
    ["From", found.client_ip], ["Dialect", `${found.dialect}${found.stream ? ", streamed" : ""}`],
    ["Rule", found.rule], ["Cache", found.cache?.result], ["Kafka", `${found.kafka.topic} ${found.kafka.partition}:${found.kafka.offset}`],
    ["Exchange", place && `${place.topic} ${place.partition}:${place.offset}`],
    ["Cost", typeof found.cost?.total === "number" ? dollars(found.cost.total / 1e9) : null],
    ["Error", found.error && `${found.error.code}: ${found.error.message}`],
  ].filter(([, value]) => value);
  dialog("Exchange",
    h("dl", { class: "facts" }, facts.map(([name, value]) => [h("dt", {}, name), h("dd", {}, String(value))])),
    h("h3", {}, "Where the time went"), timeline(found),
    h("h3", {}, "Attempts"), attempts(found.attempts ?? []),
    h("div", { class: "panes" },
      h("section", {}, h("h3", {}, "Request"), h("pre", { tabindex: "0" }, pretty(found.request?.body))),
      h("section", {}, h("h3", {}, "Answer"), h("pre", { tabindex: "0" }, pretty(found.response?.body)))));
}

function timeline(found) {
  const times = found.timings, queued = times.queued ?? 0, upstream = times.upstream ?? 0;
  const rest = Math.max(0, times.total - queued - upstream);
  const first = times.first_token ?? 0;
  const parts = [["queued in the log", queued, "queued"], ["gateway", rest, "gateway"],
    ["provider, to the first token", first, "first"], ["provider, the rest", Math.max(0, upstream - first), "upstream"]];
  const all = parts.reduce((sum, [, value]) => sum + value, 0) || 1;
  const bar = h("div", { class: "timeline", role: "img", "aria-label": parts.map(([name, value]) => `${name} ${seconds(value)}`).join(", ") });
  for (const [name, value, kind] of parts) {
    if (!value) continue;
    const part = h("span", { class: kind, title: `${name}: ${seconds(value)}` });
    part.style.flexGrow = String(Math.max(value / all, 0.005));
    bar.append(part);
  }
  return h("div", {}, bar, h("p", { class: "detail" }, parts.filter(([, value]) => value)
    .map(([name, value]) => `${name} ${seconds(value)}`).join(" · "), ` · in all ${seconds(times.total)}`));
}

function attempts(list) {
  if (!list.length) return h("p", { class: "empty" }, "No provider was called.");
  return h("ol", {}, list.map((each) => h("li", {},
    `${each.provider} / ${each.model}: ${each.status ?? "no answer"} after ${seconds(each.duration)}`
    + (each.error ? ` (${each.error})` : "") + (each.resumed ? `, ${each.resumed}` : ""))));
}
