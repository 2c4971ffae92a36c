// Who used what: by model, provider, user path and key; and request by request.

import { download, get } from "../api.js";
import { chart, shares } from "../charts.js";
import { h, notice, replace, table } from "../dom.js";
import { showExchange } from "../exchange.js";
import { compact, dollars, integer, moment, seconds } from "../format.js";
import { range } from "../range.js";

export const title = "Usage";
const VIEWS = {
  models: ["by model", (row) => [row.model, row.provider_name].filter(Boolean).join(" · ") || "none"],
  providers: ["by provider", (row) => row.provider_name || "none was called"],
  "user-paths": ["by user path", (row) => row.user_path],
  keys: ["by key", (row) => names.get(row.auth_key_id) ?? (row.auth_key_id || "no key")],
};
const names = new Map(); // of keys, by id

export async function show(root, signal) {
  let unit = "tokens";
  const picked = range(() => load());
  const toggle = h("button", { type: "button", class: "quiet", onclick: () => { unit = unit === "tokens" ? "cost" : "tokens"; load(); } });
  picked.element.append(toggle);
  const over = h("div"), panels = h("div", { class: "panes" }), list = h("div");
  const search = h("input", { type: "search", placeholder: "request id, model, provider, path", "aria-label": "Search", onchange: () => entries() });
  const csv = h("button", { type: "button", class: "quiet", onclick: () => download("usage/log", { ...asked(), search: search.value.trim(), limit: 200, format: "csv" }, "usage.csv").catch((error) => notice(error.message)) }, "CSV");
  root.append(picked.element, over, panels, h("h2", {}, "Requests"), h("div", { class: "toolbar" }, search, csv), list);

  const asked = () => {
    const { days, user_path } = picked.value();
    return { days, user_path, cache_mode: "all" };
  };

  async function load() {
    toggle.textContent = unit === "tokens" ? "Show costs" : "Show tokens";
    const names = Object.keys(VIEWS);
    const [daily, ...found] = await Promise.all([get("usage/daily", { ...asked(), interval: picked.value().interval }, signal),
      ...names.map((name) => get(`usage/${name}`, asked(), signal))]);
    replace(over, overTime(daily, unit, signal));
    replace(panels, names.map((name, index) => panel(name, found[index], unit, asked())));
    await entries();
  }

  async function entries(cursor = null) {
    const page = await get("usage/log", { ...asked(), search: search.value.trim(), cursor, limit: 50 }, signal);
    const shown = table("Requests", [
      ["Time", (row) => moment(row.timestamp)], ["Model", (row) => row.model], ["Provider", (row) => row.provider_name],
      ["User path", (row) => row.user_path], ["In", (row) => integer(row.input_tokens), "number"],
      ["Out", (row) => integer(row.output_tokens), "number"], ["Cost", (row) => dollars(row.total_cost), "number"],
      ["Cache", (row) => row.cache_type],
    ], page.entries, { open: (row) => open(row).catch((error) => notice(error.message)) });
    const more = page.next_cursor ? h("button", { type: "button", class: "quiet", onclick: () => entries(page.next_cursor) }, "Older") : null;
    const first = cursor ? h("button", { type: "button", class: "quiet", onclick: () => entries() }, "Newest") : null;
    replace(list, h("p", { class: "detail" }, `${integer(page.total)}${page.total_is_exact ? "" : " or more"} requests`), shown,
      h("div", { class: "toolbar" }, first, more));
  }
  // Who may not see keys sees their ids.
  const keys = await get("auth-keys", {}, signal).catch((error) => { if (error.status !== 403 && error.status !== 404) throw error; return []; });
  for (const key of keys) names.set(key.id, key.name);
  await load();
}

function overTime(daily, unit, signal) {
  if (daily.length < 2) return null;
  const times = daily.map((row) => Date.parse(row.date) / 1000);
  const of = (name) => daily.map((row) => row[name] ?? 0);
  return unit === "tokens"
    ? chart("Tokens over time", times, [{ label: "input", values: of("input_tokens") }, { label: "output", values: of("output_tokens") }], { format: compact, signal })
    : chart("Cost over time", times, [{ label: "US dollars", values: of("total_cost"), bars: true }], { format: dollars, signal });
}

async function open(row) {
  const found = await get(`audit/log/${encodeURIComponent(row.request_id)}`);
  showExchange(found.exchange);
}

function panel(name, rows, unit, asked) {
  const [caption, label] = VIEWS[name];
  const value = (row) => (unit === "tokens" ? row.total_tokens : row.total_cost ?? 0);
  const sorted = [...rows].sort((a, b) => value(b) - value(a));
  const shown = sorted.slice(0, 10).map((row) => [label(row), value(row)]);
  const rest = sorted.slice(10).reduce((sum, row) => sum + value(row), 0);
  if (sorted.length > 10) shown.push([`${sorted.length - 10} others`, rest]);
  const all = table(caption, [["", label], ["Requests", (row) => integer(row.requests), "number"],
    ["Tokens", (row) => compact(row.total_tokens), "number"], ["Cost", (row) => dollars(row.total_cost), "number"],
    ["Saved", (row) => dollars(row.saved_cost), "number"], ["p50", (row) => seconds(row.latency.p50), "number"],
    ["Failed", (row) => integer(row.failed), "number"]], sorted);
  const csv = h("button", { type: "button", class: "quiet", onclick: () => download(`usage/${name}`, { ...asked, format: "csv" }, `${name}.csv`).catch((error) => notice(error.message)) }, "CSV");
  return h("section", { class: "panel" }, h("h3", {}, caption),
    shares(caption, shown, unit === "tokens" ? compact : dollars),
    h("details", {}, h("summary", {}, "As a table"), all, csv));
}
