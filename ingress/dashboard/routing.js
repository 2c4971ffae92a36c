// Aliases one by one, and sets of rules, fallbacks and aliases: both are set while the gateway runs.

import { get, getVersioned, send } from "./api.js";
import { attempt, dialog, field, h, onSubmit, replace, table, tick } from "./dom.js";

const NEW = { content: { rules: [], fallbacks: {}, aliases: {} }, version: null };
const NAME = { required: true, pattern: "[A-Za-z0-9][A-Za-z0-9._\\-]{0,99}", title: "Letters, digits, dots, dashes, underscores" };

export async function aliases(root, models, signal) {
  const known = h("datalist", { id: "known-models" }, models.map((model) => h("option", { value: model.id })));
  const list = h("div");
  root.append(known, h("h2", {}, "Aliases"),
    h("div", { class: "toolbar" }, h("button", { type: "button", onclick: () => editAlias(null, load) }, "New alias"),
      h("p", { class: "detail" }, "One that is set here comes before sets and config.yaml.")), list);

  async function load() {
    replace(list, table("Aliases", [
      ["Name", (row) => row.name], ["Stands for", (row) => targets(row).map(target).join(", "), "wide"],
      ["State", state], ["Description", (row) => row.description || null, "wide"],
      ["Said by", (row) => (row.source === "admin" ? "set here" : row.source)],
    ], await get("aliases", {}, signal), { open: (row) => editAlias(row, load), empty: "No alias yet: models are called by their names." }));
  }
  await load();
}

export async function sets(root, signal) {
  const list = h("div");
  async function load() {
    replace(list, table("Routing sets", [
      ["Name", ({ name }) => name], ["Rules", ({ set }) => set.rules.map((rule) => rule.name ?? rule.when ?? "a rule").join(", ") || "none", "wide"],
      ["Fallbacks of", ({ set }) => Object.keys(set.fallbacks).join(", ") || "none", "wide"],
      ["Aliases", ({ set }) => (Array.isArray(set.aliases) ? set.aliases.map((each) => each.name) : Object.keys(set.aliases)).join(", ") || "none", "wide"],
    ], (await get("routing", {}, signal)).sets, { open: (row) => editSet(row, load), empty: "No set yet: requests go where config.yaml and models' names say." }));
  }
  await load();
  root.append(h("h2", {}, "Routing sets"),
    h("div", { class: "toolbar" }, h("button", { type: "button", class: "quiet", onclick: () => editSet(null, load) }, "New set"),
      h("p", { class: "detail" }, "In the order of their names, before config.yaml; of equal names the first counts.")), list);
}

const targets = (row) => row.targets ?? [{ model: row.target_model, provider: row.target_provider }];
const target = ({ provider, model, weight }) => `${provider ? `${provider}/` : ""}${model}${weight === undefined || weight === 1 ? "" : ` ×${weight}`}`;

function state(row) {
  const [kind, text] = !row.enabled ? ["cancelled", "off"] : row.valid ? ["active", "on"] : ["failed", "nobody has it"];
  return h("span", { class: `pill ${kind}` }, text);
}

function editAlias(row, done) {
  const own = row?.source === "admin";
  const name = h("input", { name: "name", value: row?.name ?? "", required: true, disabled: Boolean(row) });
  const description = h("input", { name: "description", value: row?.description ?? "" });
  const enabled = tick("It is in force", "enabled", row?.enabled ?? true);
  const list = h("div", { class: "targets" });
  const addTarget = (given = {}) => list.append(targetRow(given));
  (row ? targets(row) : [{}]).forEach(addTarget);
  const form = h("form", {},
    row && !own ? h("p", { class: "detail" }, `${row.source} says this. Saved here, it counts more.`) : null,
    h("div", { class: "columns" }, field("Name", name, "What callers ask for"), field("Description", description)),
    h("fieldset", { class: "field" }, h("legend", {}, "Models that it stands for, each with its share"), list,
      h("button", { type: "button", class: "quiet", onclick: () => addTarget() }, "One more")),
    enabled, h("div", { class: "toolbar" }, h("button", {}, "Save"),
      own ? h("button", { type: "button", class: "danger", onclick: remove }, "Delete") : null));
  const box = dialog(row ? row.name : "New alias", form);
  const place = () => `aliases/${encodeURIComponent(name.value.trim())}`;
  onSubmit(form, box, () => send("PUT", place(), {
    targets: [...list.children].map((each) => each.target()).filter((each) => each.model),
    enabled: enabled.querySelector("input").checked, description: description.value.trim(),
  }), done);

  function remove() {
    if (confirm(`Delete the alias ${row.name}?`)) attempt(box, () => send("DELETE", place()), done);
  }
}

function targetRow({ model = "", provider = null, weight = 1 }) {
  const inputs = [
    h("input", { value: model, list: "known-models", placeholder: "model", "aria-label": "Model" }),
    h("input", { value: provider ?? "", placeholder: "provider, if the model does not say it", "aria-label": "Provider" }),
    h("input", { value: weight, type: "number", min: "0", step: "any", "aria-label": "Share" })];
  const row = h("div", { class: "target" }, inputs, h("button", { type: "button", class: "quiet", "aria-label": "Remove this model", onclick: () => row.remove() }, "×"));
  row.target = () => {
    const [name, from, share] = inputs.map((each) => each.value.trim());
    return { model: name, weight: share ? Number(share) : 1, ...(from ? { provider: from } : {}) };
  };
  return row;
}

async function editSet(row, done) {
  const path = (name) => `routing/${encodeURIComponent(name)}`;
  const { content, version } = row ? await getVersioned(path(row.name)) : NEW;
  const name = h("input", { name: "name", value: row?.name ?? "", disabled: Boolean(row), ...NAME });
  const area = (part, rows) => h("textarea", { name: part, rows, class: "code", spellcheck: "false", value: JSON.stringify(content[part], null, 2) });
  const form = h("form", {}, field("Name", name),
    field("Rules", area("rules", 10), 'A list: [{"name": "night", "when": "hour < 6", "use": "openai/gpt-5-mini"}]'),
    field("Fallbacks", area("fallbacks", 4), 'By model: {"openai/gpt-5": ["azure/gpt-5"]}'),
    field("Aliases", area("aliases", 4), "By name"),
    h("div", { class: "toolbar" }, h("button", {}, "Save"), row && h("button", { type: "button", class: "danger", onclick: remove }, "Delete")));
  const box = dialog(row ? `Set ${row.name}` : "New set", form);
  onSubmit(form, box, () => send("PUT", path(name.value.trim()), Object.fromEntries(["rules", "fallbacks", "aliases"].map((part) => [part, parsed(part, form.elements[part].value)])), version), done);

  function remove() {
    if (confirm(`Delete the set ${row.name}, with its rules, fallbacks and aliases?`)) attempt(box, () => send("DELETE", path(row.name), undefined, version), done);
  }
}

function parsed(part, text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`The ${part} are no JSON: ${error.message}`);
  }
}
