// Who may spend how much: budgets with what is spent of them, and limits.

import { get, send } from "../api.js";
import { dialog, field, h, notice, replace, table } from "../dom.js";
import { compact, dollars, moment, percent } from "../format.js";

export const title = "Budgets";
const PERIODS = ["hourly", "daily", "weekly", "monthly"];

export async function show(root, signal) {
  const list = h("div"), limits = h("div");
  root.append(
    h("div", { class: "toolbar" }, h("button", { type: "button", onclick: () => edit(null, load) }, "New budget")), list,
    h("h2", {}, "Limits"),
    h("div", { class: "toolbar" }, h("button", { type: "button", class: "quiet", onclick: () => editLimit(null, load) }, "New limit")), limits);

  async function load() {
    const [known, rates] = await Promise.all([get("budgets", {}, signal), get("limits", {}, signal)]);
    replace(list, table("Budgets", [
      ["User path", (row) => row.user_path], ["Period", (row) => row.period_label],
      ["Spent", (row) => (row.spent_is_exact ? "" : "≤ ") + (row.amount === null ? compact(row.spent_tokens) : dollars(row.spent)), "number"],
      ["Of", (row) => (row.amount === null ? `${compact(row.tokens)} tokens` : dollars(row.amount)), "number"],
      ["Used", (row) => meter(row), "bar-cell"], ["", (row) => percent(row.usage_ratio), "number"],
      ["Begins again", (row) => moment(row.period_end)],
      ["When used up", (row) => (row.hard === false ? "goes on, and says so" : "refuses")],
    ], known.budgets, { open: (row) => edit(row, load), empty: "No budget yet: nothing is refused for its cost." }));
    replace(limits, table("Limits", [
      ["Name", (row) => row.name], ["User path", (row) => row.user_path + (row.each ? ", each key" : "")], ["Key", (row) => row.key],
      ["Model", (row) => row.model], ["Requests", (row) => compact(row.requests), "number"], ["Tokens", (row) => compact(row.tokens), "number"],
      ["At once", (row) => compact(row.concurrency), "number"], ["Within", (row) => `${row.window_seconds} s`, "number"],
    ], rates.limits ?? rates, { open: (row) => editLimit(row, load), empty: "No limit yet." }));
  }
  await load();
}

function meter(row) {
  const bar = h("span", { class: row.usage_ratio >= 1 ? "share over" : "share" });
  bar.style.width = `${Math.min(100, (row.usage_ratio ?? 0) * 100)}%`;
  return bar;
}

function edit(row, done) {
  const path = h("input", { name: "user_path", value: row?.user_path ?? "/", required: true, disabled: Boolean(row) });
  const period = h("select", { name: "period", disabled: Boolean(row) }, PERIODS.map((each) => h("option", { value: each, selected: each === (row?.period_label ?? "monthly") }, each)));
  const amount = h("input", { name: "amount", type: "number", min: "0", step: "any", value: row?.amount ?? "" });
  const tokens = h("input", { name: "tokens", type: "number", min: "1", value: row?.tokens ?? "" });
  const hard = h("input", { type: "checkbox", checked: row?.hard ?? true });
  const form = h("form", { class: "columns" }, field("User path", path, "And all below it"), field("Period", period),
    field("US dollars", amount), field("Tokens", tokens), h("label", {}, hard, " refuse what would go over it"), h("button", {}, "Save"));
  const place = () => `budgets/${encodeURIComponent(path.value.trim())}/${row ? row.period_seconds : period.value}`;
  const box = dialog(row ? `${row.user_path}, ${row.period_label}` : "New budget", form,
    row && h("div", { class: "toolbar" },
      h("button", { type: "button", class: "quiet", onclick: () => told(() => send("POST", "budgets/reset-one", { user_path: row.user_path, period_seconds: row.period_seconds })) }, "Begin again now"),
      h("button", { type: "button", class: "danger", onclick: () => told(() => send("DELETE", place())) }, "Delete")));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    told(() => send("PUT", place(), { amount: amount.value ? Number(amount.value) : null, tokens: tokens.value ? Number(tokens.value) : null, hard: hard.checked }));
  });
  const told = (work) => saying(work, box, done);
}

function editLimit(row, done) {
  const input = (name, more = {}) => h("input", { name, value: row?.[name] ?? "", ...more });
  const whole = { type: "number", min: "1" };
  const form = h("form", { class: "columns" }, field("Name", input("name", { required: true, disabled: Boolean(row) })),
    field("User path", input("user_path", { placeholder: "/" })), field("Key", input("key"), "A key's id"), field("Model", input("model")),
    field("Requests", input("requests", whole)), field("Tokens", input("tokens", whole)), field("At once", input("concurrency", whole)),
    field("Within seconds", input("window_seconds", { ...whole, value: row?.window_seconds ?? 60 })), h("button", {}, "Save"));
  const box = dialog(row ? row.name : "New limit", form,
    row && h("button", { type: "button", class: "danger", onclick: () => told(() => send("DELETE", `limits/${encodeURIComponent(row.name)}`)) }, "Delete"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const said = (name) => form.elements[name].value.trim();
    const number = (name) => (said(name) ? Number(said(name)) : null);
    told(() => send("PUT", `limits/${encodeURIComponent(said("name"))}`, { user_path: said("user_path") || "/", key: said("key") || null, model: said("model") || null,
      requests: number("requests"), tokens: number("tokens"), concurrency: number("concurrency"), window_seconds: number("window_seconds") ?? 60 }));
  });
  const told = (work) => saying(work, box, done);
}

async function saying(work, box, done) {
  try {
    await work();
    box.close();
    await done();
  } catch (error) {
    notice(error.message);
  }
}
