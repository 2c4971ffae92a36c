// One exchange: what is known of it, where its time went, both bodies.

import { dialog, h, table } from "./dom.js";
import { compact, dollars, pretty, seconds } from "./format.js";

// `found` is the document; `place` is where it stands in llm.exchanges, if that is known.
export function showExchange(found, place = null) {
  const usage = found.usage;
  const facts = [
    ["Request", found.request_id ?? found._id], ["Client's id", found.client_request_id], ["Outcome", `${found.outcome} (${found.status})`],
    ["Model", [found.request_model, found.response_model].filter(Boolean).join(" → ")],
    ["Provider", found.provider], ["User path", found.user_path], ["Key", found.client],
    ["From", found.client_ip], ["Dialect", `${found.dialect}${found.stream ? ", streamed" : ""}`],
    ["Rule", found.rule], ["Workflow", found.workflow],
    ["Guardrails", found.guardrails?.map((each) => `${each.name}: ${each.action}${each.reason ? ` (${each.reason})` : ""}`).join(", ")],
    ["Tokens", usage && `${compact(usage.input_tokens ?? 0)} in, ${compact(usage.output_tokens ?? 0)} out${usage.estimated ? ", estimated" : ""}`],
    ["Cost", typeof found.cost?.total === "number" ? dollars(found.cost.total / 1e9) : null],
    ["Error", found.error && `${found.error.code}: ${found.error.message}`],
  ].filter(([, value]) => value);
  dialog("Exchange",
    h("dl", { class: "facts" }, facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, String(value))))),
    h("h3", {}, "Where the time went"), timeline(steps(found, place), found.timings.total),
    h("div", { class: "panes" },
      h("section", {}, h("h3", {}, "Request"), body(found.request)),
      h("section", {}, h("h3", {}, "Answer"), body(found.response))));
}

function body(found) {
  if (!found) return h("p", { class: "empty" }, "There is none.");
  if (found.body === undefined) return h("p", { class: "empty" }, "It is not stored.");
  return h("pre", { tabindex: "0" }, pretty(found.body));
}

// Each step with its beginning and its length in seconds after the request was taken in.
function steps(found, place) {
  const times = found.timings, queued = times.queued ?? 0, total = times.total;
  const begun = Date.parse(found.created_at);
  const within = (value) => Math.min(Math.max(value, 0), total);
  const calls = (found.attempts ?? []).map((each) => ({ ...each, at: within((Date.parse(each.started_at) - begun) / 1000) }));
  const called = calls.length ? Math.max(calls[0].at, queued) : total;
  const ended = calls.length ? within(calls.at(-1).at + calls.at(-1).duration) : total;
  const log = `${found.kafka.topic} ${found.kafka.partition}:${found.kafka.offset}`;
  return [
    { name: "Ingress", what: `taken in, and written to ${log}`, kind: "gateway", at: 0, takes: 0 },
    { name: "Queue", what: "waited in the log for a worker", kind: "queued", at: 0, takes: Math.min(queued, total) },
    { name: "Cache and rules", what: cache(found.cache), kind: "gateway", at: Math.min(queued, total), takes: Math.max(0, called - queued) },
    ...calls.flatMap((each, number) => call(each, number, calls.length, times)),
    ...(calls.length ? [{ name: "Answer", what: "told to the caller, and recorded", kind: "gateway", at: ended, takes: Math.max(0, total - ended) }] : []),
    ...(place ? [{ name: "Exchange", what: `${place.topic} ${place.partition}:${place.offset}`, kind: "gateway", at: total, takes: 0 }] : []),
  ];
}

function cache(found) {
  if (!found) return "caching is off";
  const more = found.age === undefined ? "" : `, an answer that is ${seconds(found.age)} old`;
  const near = found.similarity === undefined ? "" : `, likeness ${found.similarity.toFixed(3)}`;
  return `${found.result}${more}${near}`;
}

// A provider's call; of the last one the time to the first token is known.
function call(each, number, of, times) {
  const said = [each.status ?? "no answer", each.error, each.resumed].filter(Boolean).join(", ");
  const name = of > 1 ? `Attempt ${number + 1}` : "Provider";
  const what = `${each.provider} / ${each.model}: ${said}`;
  const first = number === of - 1 ? times.first_token : undefined;
  if (first === undefined || first >= each.duration) return [{ name, what, kind: each.error ? "broken" : "upstream", at: each.at, takes: each.duration }];
  return [{ name, what: `${what}; to the first token`, kind: "first", at: each.at, takes: first },
    { name: `${name}, the rest`, what: "the stream to its end", kind: each.error ? "broken" : "upstream", at: each.at + first, takes: each.duration - first }];
}

function timeline(rows, total) {
  return table("Where the time went", [
    ["Step", (row) => row.name], ["", (row) => bar(row, total), "bar-cell"],
    ["At", (row) => seconds(row.at), "number"], ["Took", (row) => (row.takes ? seconds(row.takes) : null), "number"],
    ["", (row) => row.what, "wide"],
  ], rows);
}

function bar({ kind, at, takes }, total) {
  const inner = h("span", { class: kind });
  const whole = total || 1;
  inner.style.marginLeft = `${Math.min(99.5, (at / whole) * 100)}%`;
  inner.style.width = `${Math.max(0.5, Math.min(1, takes / whole) * 100)}%`;
  return h("span", { class: "timeline", "aria-hidden": "true" }, inner);
}
