// Requests as they run and exchanges as they end.

import { follow, get } from "../api.js";
import { h, replace } from "../dom.js";
import { showExchange } from "../exchange.js";
import { clock, compact, integer, seconds } from "../format.js";

export const title = "Live";
const KEPT = 300;

const COLUMNS = [
  ["Time", (row) => clock(row.finished_at ?? row.created_at)],
  ["Status", (row) => (row.outcome ? h("span", { class: `pill ${row.outcome}` }, String(row.status)) : h("span", { class: "pill running" }, row.stream ? "streaming" : "running"))],
  ["Model", (row) => row.model ?? row.request_model ?? row.operation],
  ["Provider", (row) => row.provider],
  ["User path", (row) => row.user_path],
  ["Key", (row) => row.client],
  ["Tokens", (row) => (row.usage ? `${compact(row.usage.input_tokens ?? 0)} → ${compact(row.usage.output_tokens ?? 0)}` : null), "number"],
  ["First token", (row) => (row.timings?.first_token === undefined ? null : seconds(row.timings.first_token)), "number"],
  ["Total", (row) => seconds(row.timings?.total ?? Math.max(0, (Date.now() - Date.parse(row.created_at)) / 1000)), "number"],
  ["Cache", (row) => row.cache],
  ["Error", (row) => row.error],
];

export async function show(root, signal) {
  const rows = new Map(); // by request id, the newest last
  let paused = false, hidden = 0, scheduled = false;
  const state = h("span", { class: "state", role: "status" }, "connecting");
  const pause = h("button", { type: "button", "aria-pressed": "false", onclick: toggle }, "Pause");
  const filter = h("input", { type: "search", placeholder: "model, path, key, status, error …", "aria-label": "Filter", oninput: draw });
  const counts = h("span", { class: "detail" });
  const body = h("tbody");
  const head = h("tr", {}, COLUMNS.map(([name, , kind]) => h("th", { scope: "col", class: kind }, name)));
  root.append(
    h("div", { class: "toolbar" }, state, pause, filter, counts),
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Exchanges" },
      h("table", {}, h("caption", { class: "sr" }, "Exchanges as they happen"), h("thead", {}, head), body)),
  );
  draw();

  function toggle() {
    paused = !paused;
    pause.textContent = paused ? "Go on" : "Pause";
    pause.setAttribute("aria-pressed", String(paused));
    if (!paused) draw();
  }

  function draw() {
    scheduled = false;
    if (paused) return;
    const wanted = filter.value.trim().toLowerCase();
    const found = [...rows.values()].reverse().filter((row) => !wanted || text(row).includes(wanted));
    replace(body, found.length ? found.map(line) : h("tr", {}, h("td", { colspan: COLUMNS.length, class: "empty" },
      rows.size ? "Nothing here has that." : "Waiting for the first request.")));
    const running = [...rows.values()].filter((row) => !row.outcome).length;
    counts.textContent = `${integer(running)} running, ${integer(rows.size - running)} shown` + (hidden ? `, ${integer(hidden)} more not shown` : "");
  }

  function line(row) {
    const cells = COLUMNS.map(([, of, kind], index) => {
      const value = of(row) ?? "–";
      return h("td", { class: kind }, index === 0 && row.kafka
        ? h("button", { type: "button", class: "link", onclick: () => open(row) }, value) : value);
    });
    return h("tr", {}, cells);
  }

  function later() {
    if (!scheduled) {
      scheduled = true;
      requestAnimationFrame(draw);
    }
  }

  function take(name, data) {
    if (name !== "rows") return;
    for (const row of data.started) if (!rows.has(row.request_id)) rows.set(row.request_id, row);
    for (const row of data.finished) {
      rows.delete(row.request_id);
      rows.set(row.request_id, row);
    }
    for (const id of data.left_out) rows.delete(id);
    hidden += data.more;
    for (const id of rows.keys()) {
      if (rows.size <= KEPT) break;
      rows.delete(id);
    }
    later();
  }

  // What runs grows older without any news.
  const aging = setInterval(() => { if ([...rows.values()].some((row) => !row.outcome)) later(); }, 1000);
  signal.addEventListener("abort", () => clearInterval(aging));
  await follow("live", take, (now) => { state.textContent = now; state.dataset.state = now; }, signal);
}

const text = (row) => [row.request_id, row.model, row.request_model, row.provider, row.user_path, row.client, row.status, row.outcome, row.error, row.cache]
  .filter((value) => value !== null && value !== undefined).join(" ").toLowerCase();

async function open(row) {
  showExchange(await get(`exchanges/${row.kafka.partition}/${row.kafka.offset}`), row.kafka);
}
