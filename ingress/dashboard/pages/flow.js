// The way of a request through the gateway, with live numbers.

import { follow } from "../api.js";
import { h, replace, table } from "../dom.js";
import { compact, integer, seconds } from "../format.js";

export const title = "Flow";

export async function show(root, signal) {
  const state = h("span", { class: "state", role: "status" }, "connecting");
  const picture = h("div", { class: "picture" });
  const topics = h("div"), processes = h("div"), troubled = h("div");
  root.append(h("div", { class: "toolbar" }, state), picture,
    h("h2", {}, "Topics"), topics, h("h2", {}, "Processes"), processes, h("h2", {}, "Breakers"), troubled);
  const take = (name, data) => {
    if (name !== "flow") return;
    replace(picture, draw(data));
    replace(topics, topicTable(data.topics));
    replace(processes, processTable(data.processes));
    replace(troubled, breakerTable(data.processes));
  };
  await follow("live", take, (now) => { state.textContent = now; state.dataset.state = now; }, signal);
}

const ends = (name, end) => (topic) => topic.name.endsWith(name) && !topic.name.endsWith(end);
const sum = (list, of) => list.reduce((total, each) => total + of(each), 0);

function draw({ topics, processes }) {
  const of = (role) => processes.map((each) => each.heartbeat).filter((beat) => beat.role === role);
  const topic = (name, no = "\0") => topics.find(ends(name, no));
  const workers = of("streams"), sinks = of("sinks"), ingress = of("ingress");
  const batch = sum(workers, (each) => each.batch_running) + sum(workers, (each) => each.batch_queued) + (topic(".batch")?.lag ?? 0);
  const count = (list) => (processes.length ? list.length : "–"); // at first nobody has been heard yet
  const troubled = new Set(workers.flatMap((each) => Object.keys(each.breakers ?? {})));
  return [
    box("Ingress", "process", [[count(ingress), "processes"], [sum(ingress, (each) => each.running), "waiting for an answer"]]),
    arrow(topic("requests")),
    box("llm.requests", "topic", lines(topic("requests"))),
    arrow(topic("requests")),
    box("Workers", "process", [[count(workers), "processes"], [sum(workers, (each) => each.running), "running"],
      [sum(workers, (each) => each.queued), "held"], ...(batch ? [[batch, "in the batch lane"]] : [])]),
    arrow(topic("exchanges")),
    box("llm.exchanges", "topic", lines(topic("exchanges"))),
    arrow(topic("exchanges")),
    box("Sinks", "process", [[count(sinks), "processes"], [sum(sinks, (each) => each.lag), "behind"]]),
    h("div", { class: "row" },
      box("llm.replies", "topic", [[`${rate(topic("replies"))}/s`, "answers, back to the ingress"]]),
      box("Providers", "process", [[troubled.size, "not asked as usual"]]),
      box("llm.control", "topic", [[`${rate(topic("control"))}/s`, "heartbeats, cancellations"]])),
  ];
}

const rate = (topic) => (topic?.rate === null || topic?.rate === undefined ? "–" : compact(topic.rate));
const lines = (topic) => (topic ? [[`${rate(topic)}/s`, "written"], [topic.lag === null ? "–" : compact(topic.lag), "lag"], [topic.partitions, "partitions"]] : []);
const arrow = (topic) => h("span", { class: topic?.rate ? "arrow moving" : "arrow", "aria-hidden": "true" });

function box(name, kind, facts) {
  return h("div", { class: `box ${kind}` }, h("h3", {}, name),
    h("dl", {}, facts.map(([value, of]) => [h("dt", {}, of), h("dd", {}, String(value))])));
}

function topicTable(topics) {
  return table("Topics", [["Topic", (t) => t.name], ["Partitions", (t) => integer(t.partitions), "number"],
    ["Records ever", (t) => integer(t.written), "number"], ["A second", (t) => (t.rate === null ? "–" : t.rate.toFixed(1)), "number"],
    ["Lag", (t) => integer(t.lag), "number"]], topics);
}

function processTable(processes) {
  const beat = (of) => (each) => of(each.heartbeat);
  return table("Processes", [
    ["Role", beat((b) => b.role)],
    ["Host", beat((b) => `${b.host} (${b.pid})`)],
    ["State", beat((b) => h("span", { class: `pill ${b.stopping ? "cancelled" : "completed"}` }, b.stopping ? "stopping" : "serving"))],
    ["Partitions", beat((b) => (b.partitions ?? []).join(" ") || (b.slot === null ? null : `slot ${b.slot}`))],
    ["Running", beat((b) => integer(b.running)), "number"],
    ["Held", beat((b) => integer(b.queued)), "number"],
    ["Lag", beat((b) => integer(b.lag)), "number"],
    ["A request takes", beat((b) => (b.service_time ? seconds(b.service_time) : null)), "number"],
    ["Heard", (each) => seconds(each.age) + " ago", "number"],
  ], processes, { empty: "No process has been heard yet: they speak each second." });
}

const WHY = { open: "open: not asked", half_open: "half open: one probe", resting: "resting, as its provider said" };

function breakerTable(processes) {
  const rows = processes.flatMap(({ heartbeat }) => Object.entries(heartbeat.breakers ?? {}).map(([name, state]) => ({ name, state, host: `${heartbeat.host} (${heartbeat.pid})` })));
  return table("Breakers", [
    ["Model", (row) => row.name], ["State", (row) => h("span", { class: `pill ${row.state === "open" ? "failed" : "running"}` }, WHY[row.state] ?? row.state)],
    ["Worker", (row) => row.host],
  ], rows, { empty: "Every provider is asked as usual." });
}
