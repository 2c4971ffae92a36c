// JSON schemas as people read them: a line for each member, and a dialog for what has a name of its own.

import { dialog, h, table } from "./dom.js";

// What stands behind `#/components/…`.
export function resolved(whole, found) {
  if (!found?.$ref) return found ?? {};
  return found.$ref.slice(2).split("/").reduce((place, part) => place?.[part], whole) ?? {};
}

// The type of a schema in words; names of structs are buttons that show them.
export function type(whole, schema) {
  if (!schema || !Object.keys(schema).length) return "anything";
  if (schema.$ref) return named(whole, schema);
  const parts = schema.anyOf ?? schema.oneOf;
  if (parts) return joined(parts.map((each) => type(whole, each)), " or ");
  if (schema.enum) return schema.enum.map((each) => JSON.stringify(each)).join(", ");
  if (schema.type === "array") {
    if (schema.prefixItems) return ["list of ", joined(schema.prefixItems.map((each) => type(whole, each)), ", ")];
    return ["list of ", type(whole, schema.items)];
  }
  if (schema.type === "object") {
    const values = schema.additionalProperties;
    return typeof values === "object" ? ["object of ", type(whole, values)] : "object";
  }
  return schema.type ?? "anything";
}

function named(whole, schema) {
  const name = schema.$ref.split("/").at(-1);
  const open = () => dialog(name, body(whole, schema));
  return h("button", { type: "button", class: "link", onclick: open }, name);
}

const joined = (parts, word) => parts.flatMap((each, index) => (index ? [word, each] : [each]));

// A schema with its members.
export function body(whole, schema) {
  const found = resolved(whole, schema);
  const about = found.description && h("p", { class: "detail" }, linked(found.description));
  if (!found.properties) return [about, h("p", {}, type(whole, schema.$ref ? found : schema))];
  const needed = new Set(found.required ?? []);
  const rows = Object.entries(found.properties).map(([name, member]) => ({ name, member, needed: needed.has(name) }));
  const more = [
    ["Required", (row) => (row.needed ? "yes" : "")],
    ["Without it", (row) => (row.member.default === undefined ? "" : JSON.stringify(row.member.default))],
    ["Meaning", (row) => (row.member.description ?? "").replaceAll("`", ""), "wide"],
  ].filter(([, of]) => rows.some(of));
  return [about, table(found.title ?? "Members", [
    ["Member", (row) => h("code", {}, row.name)], ["Type", (row) => h("span", {}, type(whole, row.member)), "wide"], ...more,
  ], rows, { empty: "It has no members." }),
  found.additionalProperties === true ? h("p", { class: "detail" }, "More members are handed on as they are.") : null];
}

// Addresses in a text as links.
export function linked(text) {
  return text.split(/(https?:\/\/[^\s,:]+)/).map((part, index) => (index % 2
    ? h("a", { href: part, target: "_blank", rel: "noreferrer" }, part) : part.replaceAll("`", "")));
}
