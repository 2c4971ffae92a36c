// How much, how fast, how well, at what cost.

import { get } from "../api.js";
import { chart } from "../charts.js";
import { card, h, replace, table } from "../dom.js";
import { compact, dollars, integer, percent, seconds } from "../format.js";
import { range } from "../range.js";

export const title = "Overview";

export async function show(root, signal) {
  const content = h("div");
  const picked = range(() => load());
  root.append(picked.element, content);

  async function load() {
    const asked = { ...picked.value(), cache_mode: "all" };
    const [summary, daily, providers, year] = await Promise.all([
      get("usage/summary", asked, signal), get("usage/daily", asked, signal), get("usage/providers", asked, signal),
      get("usage/daily", { days: 365, cache_mode: "all" }, signal),
    ]);
    replace(content, cards(summary), charts(filled(daily, asked), signal), h("h2", {}, "Providers"), byProvider(providers),
      h("h2", {}, "The year"), calendar(year));
  }
  await load();
}

const tails = ({ p95, p99 }) => `p95\u00a0${seconds(p95)}, p99\u00a0${seconds(p99)}`;

function cards(sum) {
  const errors = sum.total_requests ? sum.failed / sum.total_requests : null;
  return h("div", { class: "cards" },
    card("Requests", integer(sum.total_requests), `${integer(sum.cancelled)} cancelled`),
    card("Tokens", compact(sum.total_tokens), `${compact(sum.total_input_tokens)} in, ${compact(sum.total_output_tokens)} out`),
    card("Cost", dollars(sum.total_cost), sum.unpriced_requests ? `${integer(sum.unpriced_requests)} without a price` : "every request has its price"),
    card("Saved by caches", dollars(sum.saved_cost)),
    card("Failed", percent(errors), `${integer(sum.failed)} requests`),
    card("Latency", seconds(sum.latency.p50), tails(sum.latency)),
    card("First token", seconds(sum.first_token.p50), tails(sum.first_token)));
}

// With a row of nothing for each day of which nothing is known.
function filled(daily, { days, interval }) {
  if (!daily.length || interval !== "daily") return daily;
  const known = new Map(daily.map((row) => [row.date, row]));
  return Array.from({ length: Math.max(Number(days), 2) }, (_, back) => {
    const date = new Date(Date.now() - back * 86_400_000).toISOString().slice(0, 10);
    return known.get(date) ?? { date };
  }).reverse();
}

function charts(daily, signal) {
  if (!daily.length) return h("p", { class: "empty" }, "No request in this time.");
  const times = daily.map((row) => Date.parse(row.date.length > 4 ? row.date : `${row.date}-01-01`) / 1000);
  const of = (name) => daily.map((row) => row[name] ?? 0);
  const slow = (name, part) => daily.map((row) => row[name]?.[part] ?? null);
  return h("div", { class: "charts" },
    chart("Tokens", times, [{ label: "input", values: of("input_tokens") }, { label: "output", values: of("output_tokens") },
      { label: "read from providers' caches", values: of("cached_input_tokens") }], { format: compact, signal }),
    chart("Cost", times, [{ label: "US dollars", values: of("total_cost"), bars: true }], { format: dollars, signal }),
    chart("Requests", times, [{ label: "requests", values: of("requests") }, { label: "failed", values: of("failed") }], { format: compact, signal }),
    chart("How long requests take", times, [{ label: "p50", values: slow("latency", "p50") }, { label: "p95", values: slow("latency", "p95") },
      { label: "first token, p50", values: slow("first_token", "p50") }], { format: seconds, signal }));
}

function byProvider(rows) {
  return table("Providers", [
    ["Provider", (row) => row.provider_name || "none was called"],
    ["Requests", (row) => integer(row.requests), "number"],
    ["Failed", (row) => percent(row.requests ? row.failed / row.requests : null), "number"],
    ["Tokens", (row) => compact(row.total_tokens), "number"],
    ["Cost", (row) => dollars(row.total_cost), "number"],
    ["p50", (row) => seconds(row.latency.p50), "number"],
    ["p95", (row) => seconds(row.latency.p95), "number"],
    ["First token p50", (row) => seconds(row.first_token.p50), "number"],
  ], rows);
}

function calendar(daily) {
  const known = new Map(daily.map((row) => [row.date, row]));
  const most = Math.max(...daily.map((row) => row.requests), 1);
  const day = new Date(Date.now() - 364 * 86_400_000);
  const cells = [];
  for (let empty = (day.getUTCDay() + 6) % 7; empty > 0; empty--) cells.push(h("i"));
  for (let number = 0; number < 365; number++) {
    const date = day.toISOString().slice(0, 10);
    const row = known.get(date);
    const level = row ? Math.max(1, Math.ceil((4 * Math.log1p(row.requests)) / Math.log1p(most))) : 0;
    const text = `${date}: ${integer(row?.requests ?? 0)} requests, ${compact(row?.total_tokens ?? 0)} tokens, ${dollars(row?.total_cost ?? 0)}`;
    cells.push(h("span", { class: `l${level}`, title: text }));
    day.setUTCDate(day.getUTCDate() + 1);
  }
  const total = daily.reduce((sum, row) => sum + row.requests, 0);
  return h("div", { class: "panel" }, h("div", { class: "calendar", role: "img", tabindex: "0",
    "aria-label": `${integer(total)} requests on ${integer(daily.length)} of the last 365 days` }, cells));
}
