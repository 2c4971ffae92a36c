// What is checked and changed in requests and answers. To whom it applies, workflows say.

import { get, send } from "../api.js";
import { attempt, choose, dialog, field, h, notice, onSubmit, replace, table, tick } from "../dom.js";
import { moment } from "../format.js";

export const title = "Guardrails";
const LONG = new Set(["content", "prompt"]);

export async function show(root, signal) {
  const list = h("div"), off = h("div");
  const add = h("button", { type: "button" }, "New guardrail");
  root.append(off, h("div", { class: "toolbar" }, add,
    h("p", { class: "detail" }, "One has its turn where a ", h("a", { href: "workflows" }, "workflow"), " names it.")), list);
  const types = await get("guardrails/types", {}, signal);
  const label = (name) => types.find((type) => type.type === name)?.label ?? name;

  async function load() {
    const [set, names] = await Promise.all([get("guardrails", {}, signal), get("workflows/guardrails", {}, signal)]);
    const here = new Set(set.map((each) => each.name));
    const fixed = names.filter((name) => !here.has(name)).map((name) => ({ name, fixed: true }));
    add.onclick = () => edit(types, null, names, load);
    replace(list, table("Guardrails", [
      ["Name", (row) => row.name], ["Type", (row) => (row.fixed ? "of the settings" : label(row.type))],
      ["Only of", (row) => row.user_path || "all"], ["Description", (row) => row.description || null, "wide"],
      ["Changed", (row) => (row.updated_at ? moment(row.updated_at) : null)],
    ], [...set, ...fixed], {
      open: (row) => (row.fixed ? notice(`${row.name} stands in config.yaml, and is changed there.`) : edit(types, row, names, load)),
      empty: "No guardrail yet: nothing is checked or changed.",
    }));
  }
  await load();
  if ((await get("dashboard/config", {}, signal)).GUARDRAILS_ENABLED === "off")
    replace(off, h("p", { class: "panel warn" }, "Guardrails are switched off here: set GUARDRAILS_ENABLED=true."));
}

function edit(types, row, names, done) {
  const name = h("input", { name: "name", value: row?.name ?? "", required: true, disabled: Boolean(row), pattern: "[A-Za-z0-9][A-Za-z0-9._\\-]{0,99}", title: "Letters, digits, dots, dashes, underscores" });
  const kind = choose("type", types.map((type) => [type.type, type.label]), row?.type ?? types[0].type, { disabled: Boolean(row), onchange: () => fields() });
  const path = h("input", { name: "user_path", value: row?.user_path ?? "", placeholder: "/org/team" });
  const description = h("input", { name: "description", value: row?.description ?? "" });
  const about = h("p", { class: "detail" }), own = h("div", { class: "columns" });
  const form = h("form", {}, h("div", { class: "columns" }, field("Name", name), field("Type", kind), field("Only of the user path", path, "And below; empty: of all"), field("Description", description)),
    about, own, h("div", { class: "toolbar" }, h("button", {}, "Save"),
      row && h("button", { type: "button", class: "danger", onclick: remove }, "Delete")));
  let read = () => ({});

  function fields() {
    const type = types.find((each) => each.type === kind.value);
    const values = { ...type.defaults, ...(row?.config ?? {}) };
    const made = type.fields.map((each) => input(each, values[each.key]));
    about.textContent = type.description;
    replace(own, made.map(([element]) => element));
    read = () => Object.fromEntries(made.map(([, value], index) => [type.fields[index].key, value()]).filter(([, value]) => value !== undefined));
  }
  fields();
  const box = dialog(row ? row.name : "New guardrail", form);
  const place = () => `guardrails/${encodeURIComponent(name.value.trim())}`;
  onSubmit(form, box, async () => {
    if (!row && names.includes(name.value.trim())) throw new Error("There is a guardrail of this name.");
    await send("PUT", place(), { type: kind.value, config: read(), user_path: path.value.trim(), description: description.value.trim() });
  }, done);

  function remove() {
    if (confirm(`Delete ${row.name}?`)) attempt(box, () => send("DELETE", place()), done);
  }
}

// A field of a type's form: the element, and what is said in it (undefined: nothing).
function input({ key, label, input: kind, required, options }, value) {
  const choices = options.map((each) => each.value);
  if (kind === "select") {
    const one = choose(key, choices, value);
    return [field(label, one), () => one.value];
  }
  if (kind === "checkbox") {
    const box = tick(label, key, value);
    return [box, () => box.querySelector("input").checked];
  }
  if (kind === "choices") {
    const boxes = choices.map((each) => tick(each, each, (value ?? choices).includes(each)));
    const group = h("fieldset", { class: "field full" }, h("legend", {}, label), h("div", { class: "ticks" }, boxes));
    return [group, () => choices.filter((_, index) => boxes[index].querySelector("input").checked)];
  }
  if (kind === "number") {
    const number = h("input", { name: key, type: "number", step: "any", value: value ?? "", required });
    return [field(label, number), () => (number.value ? Number(number.value) : undefined)];
  }
  if (kind === "list") {
    const lines = h("textarea", { name: key, rows: 4, required, value: (value ?? []).join("\n") });
    return [field(label, lines, "One a line"), () => lines.value.split("\n").map((line) => line.trim()).filter(Boolean)];
  }
  if (kind === "json") {
    const text = h("textarea", { name: key, rows: 6, class: "code", spellcheck: "false", required, value: value === undefined || value === null ? "" : JSON.stringify(value, null, 2) });
    return [field(label, text, "JSON"), () => (text.value.trim() ? parsed(label, text.value) : undefined)];
  }
  const text = LONG.has(key) ? h("textarea", { name: key, rows: 5, required, value: value ?? "" }) : h("input", { name: key, required, value: value ?? "" });
  const element = field(label, text);
  if (LONG.has(key)) element.classList.add("full");
  return [element, () => text.value];
}

function parsed(label, text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`${label} is no JSON: ${error.message}`);
  }
}
