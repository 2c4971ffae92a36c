// Which features and guardrails apply to whom. A change is a new version; of each scope one is active.

import { get, send } from "../api.js";
import { attempt, dialog, field, h, onSubmit, replace, table, tick } from "../dom.js";
import { moment } from "../format.js";

export const title = "Workflows";
const FEATURES = [["cache", "Cache"], ["audit", "Bodies are stored"], ["usage", "Usage is counted"],
  ["budget", "Budgets and limits"], ["guardrails", "Guardrails"], ["fallback", "Fallbacks"]];

export async function show(root, signal) {
  const list = h("div");
  const add = h("button", { type: "button" }, "New workflow");
  root.append(h("div", { class: "toolbar" }, add, h("p", { class: "detail" }, "The most specific scope counts: a user path before a provider, a deep path before a high one.")), list);

  async function load() {
    const [all, names] = await Promise.all([get("workflows", { inactive: true }, signal), get("workflows/guardrails", {}, signal)]);
    const active = all.filter((each) => each.active);
    const others = (row) => all.filter((each) => each.scope_display === row.scope_display && each.id !== row.id);
    add.onclick = () => edit(null, [], names, load);
    replace(list, table("Workflows", [
      ["Applies to", (row) => (row.scope_display === "global" ? "everything" : row.scope_display)],
      ["Name", (row) => row.name], ["Version", (row) => String(row.version), "number"],
      ["Switched off", (row) => FEATURES.filter(([name]) => !row.workflow_payload.features[name]).map(([, label]) => label).join(", ") || "nothing", "wide"],
      ["Guardrails", (row) => steps(row) || "none", "wide"], ["Since", (row) => moment(row.created_at)],
    ], active, { open: (row) => edit(row, others(row), names, load), empty: "No workflow yet: every request is handled as the settings say." }),
    ...ended(all, active, names, load));
  }
  await load();
}

// Scopes of which no version is active: they can be switched on again.
function ended(all, active, names, load) {
  const known = new Set(active.map((each) => each.scope_display));
  const last = all.filter((each) => !known.has(each.scope_display) && known.add(each.scope_display));
  if (!last.length) return [];
  return [h("h2", {}, "Deactivated"), table("Deactivated workflows", [
    ["Applied to", (row) => (row.scope_display === "global" ? "everything" : row.scope_display)], ["Name", (row) => row.name],
    ["Version", (row) => String(row.version), "number"], ["Guardrails", (row) => steps(row) || "none", "wide"],
  ], last, { open: (row) => edit(row, all.filter((each) => each.scope_display === row.scope_display && each.id !== row.id), names, load) })];
}

const steps = (row) => [...row.workflow_payload.guardrails].sort((a, b) => a.step - b.step).map(({ ref, step }) => `${step}. ${ref}`).join(", ");

function edit(row, others, names, done) {
  const payload = row?.workflow_payload ?? { features: {}, guardrails: [] };
  const text = (name, value, more = {}) => h("input", { name, value: value ?? "", ...more });
  const scope = (name, more) => text(name, row?.scope[name], { disabled: Boolean(row), ...more });
  const features = FEATURES.map(([name, label]) => tick(label, name, payload.features[name] ?? true));
  const guards = names.map((name) => guard(name, payload.guardrails.find((each) => each.ref === name)));
  const form = h("form", {},
    h("div", { class: "columns" }, field("Name", text("name", row?.name, { required: true })), field("Description", text("description", row?.description)),
      field("Provider", scope("scope_provider_name"), "An instance; empty: all"), field("Model", scope("scope_model"), "Of that provider; empty: all"),
      field("User path", scope("scope_user_path", { placeholder: "/org/team" }), "And below; empty: all")),
    h("fieldset", { class: "field" }, h("legend", {}, "What is done for a request"), h("div", { class: "ticks" }, features)),
    h("fieldset", { class: "field" }, h("legend", {}, "Guardrails, and when each has its turn: the lowest first, equal ones together"),
      guards.length ? h("div", { class: "ticks" }, guards) : h("p", { class: "detail" }, "There is none yet.")),
    h("div", { class: "toolbar" }, h("button", {}, !row ? "Make it active" : row.active ? "Save as a new version" : "Activate as a new version"),
      row?.active && h("button", { type: "button", class: "danger", onclick: () => attempt(box, () => send("POST", `workflows/${encodeURIComponent(row.id)}/deactivate`), done) }, "Deactivate")));
  const box = dialog(row ? `${row.name}, version ${row.version}` : "New workflow", form, others.length ? earlier(others) : null);
  const ticked = (name) => form.elements[name].checked;
  form.elements.usage.addEventListener("change", () => { if (!ticked("usage")) form.elements.budget.checked = false; });
  form.elements.budget.addEventListener("change", () => { if (ticked("budget")) form.elements.usage.checked = true; });

  function earlier(versions) {
    return h("section", {}, h("h3", {}, "Other versions"), table("Other versions", [
      ["Version", (each) => String(each.version), "number"], ["Name", (each) => each.name], ["Made", (each) => moment(each.created_at)],
      ["Guardrails", (each) => steps(each) || "none", "wide"],
      ["", (each) => h("button", { type: "button", class: "quiet", onclick: () => attempt(box, () => send("POST", "workflows", again(each)), done) }, `Activate version ${each.version}`)],
    ], versions));
  }

  onSubmit(form, box, () => send("POST", "workflows", {
    name: form.elements.name.value.trim(), description: form.elements.description.value.trim(),
    ...Object.fromEntries(["scope_provider_name", "scope_model", "scope_user_path"].map((name) => [name, form.elements[name].value.trim()])),
    workflow_payload: {
      schema_version: 1, features: Object.fromEntries(FEATURES.map(([name]) => [name, ticked(name)])),
      guardrails: guards.filter((each) => each.used()).map((each) => ({ ref: each.dataset.name, step: each.step() })),
    },
  }), done);
}

function guard(name, found) {
  const box = tick(name, `guardrail ${name}`, found);
  const step = h("input", { type: "number", min: "0", class: "step", value: found?.step ?? 0, "aria-label": `Turn of ${name}` });
  const element = h("span", { class: "guard", "data-name": name }, box, step);
  element.used = () => box.querySelector("input").checked;
  element.step = () => Number(step.value || 0);
  return element;
}

// A version's content as a new version.
function again({ name, description, scope, workflow_payload }) {
  const given = Object.fromEntries(Object.entries(scope).map(([part, value]) => [part, value ?? ""]));
  return { name, description, ...given, workflow_payload };
}
