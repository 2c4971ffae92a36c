// Aliases, rules and fallbacks as they are set while the gateway runs: sets on /admin/api/v1/routing.

import { get, getVersioned, send } from "./api.js";
import { attempt, choose, dialog, field, h, onSubmit, replace, table, tick } from "./dom.js";

const OWN = "dashboard"; // the set of aliases that are made here, if no other is chosen
const NEW = { content: { rules: [], fallbacks: {}, aliases: {} }, version: null };
const NAME = { required: true, pattern: "[A-Za-z0-9][A-Za-z0-9._\\-]{0,99}", title: "Letters, digits, dots, dashes, underscores" };

export async function routing(root, models, signal) {
  const known = h("datalist", { id: "known-models" }, models.map((model) => h("option", { value: model.id })));
  const list = h("div"), sets = h("div");
  const add = h("button", { type: "button" }, "New alias"), more = h("button", { type: "button", class: "quiet" }, "New set");
  root.append(known, h("h2", {}, "Aliases"), h("div", { class: "toolbar" }, add), list,
    h("h2", {}, "Routing sets"),
    h("div", { class: "toolbar" }, more, h("p", { class: "detail" }, "In the order of their names, before config.yaml; of equal names the first counts.")), sets);

  async function load() {
    const found = (await get("routing", {}, signal)).sets;
    const aliases = found.flatMap(({ name, set }) => Object.entries(named(set.aliases)).map(([alias, value]) => ({ alias, set: name, ...value })));
    add.onclick = () => editAlias(null, found, load);
    more.onclick = () => editSet(null, load);
    replace(list, table("Aliases", [
      ["Name", (row) => row.alias], ["Stands for", (row) => row.targets.map(target).join(", ") || null, "wide"],
      ["State", (row) => h("span", { class: `pill ${row.enabled ? "active" : "cancelled"}` }, row.enabled ? "on" : "off")],
      ["Description", (row) => row.description || null, "wide"], ["Set", (row) => row.set],
    ], aliases, { open: (row) => editAlias(row, found, load), empty: "No alias is set here. Those of config.yaml stand among the models." }));
    replace(sets, table("Routing sets", [
      ["Name", ({ name }) => name], ["Rules", ({ set }) => set.rules.map((rule) => rule.name ?? rule.when ?? "a rule").join(", ") || "none", "wide"],
      ["Fallbacks of", ({ set }) => Object.keys(set.fallbacks).join(", ") || "none", "wide"],
      ["Aliases", ({ set }) => String(Object.keys(named(set.aliases)).length), "number"],
    ], found, { open: (row) => editSet(row, load), empty: "No set yet: requests go where config.yaml and models' names say." }));
  }
  await load();
}

const target = ({ provider, model, weight }) => `${provider ? `${provider}/` : ""}${model}${weight === undefined || weight === 1 ? "" : ` ×${weight}`}`;

// Aliases as a table by name, however they were written: a name alone, one target or several, GoModel's list.
function named(aliases) {
  const entries = Array.isArray(aliases) ? aliases.map((each) => [each.name, each]) : Object.entries(aliases ?? {});
  return Object.fromEntries(entries.map(([name, given]) => {
    const { target_model, target_provider, targets, description, enabled } = typeof given === "string" ? { target_model: given } : given;
    const first = target_model ? [{ model: target_model, ...(target_provider ? { provider: target_provider } : {}) }] : [];
    // What came from a file is text.
    return [name, { targets: [...first, ...(targets ?? [])], description: description ?? "", enabled: String(enabled ?? true) !== "false" }];
  }));
}

function editAlias(row, sets, done) {
  const names = [...new Set([...sets.map(({ name }) => name), OWN])];
  const name = h("input", { name: "name", value: row?.alias ?? "", required: true, disabled: Boolean(row) });
  const place = choose("set", names, row?.set ?? OWN, { disabled: Boolean(row) });
  const description = h("input", { name: "description", value: row?.description ?? "" });
  const enabled = tick("It is in force", "enabled", row?.enabled ?? true);
  const targets = h("div", { class: "targets" });
  const addTarget = (given = {}) => targets.append(targetRow(given));
  (row?.targets.length ? row.targets : [{}]).forEach(addTarget);
  const form = h("form", {}, h("div", { class: "columns" }, field("Name", name, "What callers ask for"), field("Description", description), field("Set", place)),
    h("fieldset", { class: "field" }, h("legend", {}, "Models that it stands for, each with its share"), targets,
      h("button", { type: "button", class: "quiet", onclick: () => addTarget() }, "One more")),
    enabled, h("div", { class: "toolbar" }, h("button", {}, "Save"),
      row && h("button", { type: "button", class: "danger", onclick: remove }, "Delete")));
  const box = dialog(row ? row.alias : "New alias", form);
  onSubmit(form, box, () => changed(sets, place.value, (aliases) => {
    const called = name.value.trim();
    if (!row && called in aliases) throw new Error("There is an alias of this name.");
    const said = [...targets.children].map((each) => each.target()).filter((each) => each.model);
    if (!said.length) throw new Error("An alias needs a model that it stands for.");
    aliases[called] = { targets: said, enabled: enabled.querySelector("input").checked, ...(description.value.trim() ? { description: description.value.trim() } : {}) };
  }), done);

  function remove() {
    if (confirm(`Delete the alias ${row.alias}?`)) attempt(box, () => changed(sets, row.set, (aliases) => { delete aliases[row.alias]; }), done);
  }
}

function targetRow({ model = "", provider = "", weight = 1 }) {
  const inputs = [
    h("input", { value: model, list: "known-models", placeholder: "model", "aria-label": "Model" }),
    h("input", { value: provider, placeholder: "provider, if the model does not say it", "aria-label": "Provider" }),
    h("input", { value: weight, type: "number", min: "0", step: "any", "aria-label": "Share" })];
  const row = h("div", { class: "target" }, inputs, h("button", { type: "button", class: "quiet", "aria-label": "Remove this model", onclick: () => row.remove() }, "×"));
  row.target = () => {
    const [name, from, share] = inputs.map((each) => each.value.trim());
    return { model: name, weight: share ? Number(share) : 1, ...(from ? { provider: from } : {}) };
  };
  return row;
}

// One set's aliases as `change` leaves them; refused if somebody else changed the set meanwhile.
async function changed(sets, set, change) {
  const path = `routing/${encodeURIComponent(set)}`;
  const { content, version } = sets.some(({ name }) => name === set) ? await getVersioned(path) : NEW;
  const aliases = named(content.aliases);
  change(aliases);
  await send("PUT", path, { ...content, aliases }, version);
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
