// One call of an operation, with the key of this tab.

import { key } from "./api.js";
import { field, h, replace } from "./dom.js";
import { resolved } from "./schema.js";

const MOST = 20000; // characters of an answer that are shown

export function trying(whole, root, path, method, operation, parameters) {
  const inputs = parameters.filter((each) => each.in !== "header").map((each) => ({ ...each, input: entry(each) }));
  const sent = resolved(whole, operation.requestBody).content?.["application/json"];
  const text = sent && h("textarea", { rows: "8", spellcheck: "false", value: JSON.stringify(example(whole, sent.schema), null, 2) });
  const answer = h("div", { role: "status" });
  const form = h("form", { class: "columns" }, inputs.map(({ name, input, description }) => field(name, input, description?.replaceAll("`", "") ?? null)),
    text && field("Body", text), h("button", {}, "Send"));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      await send();
    } catch (error) {
      replace(answer, h("p", { class: "notice" }, error.message));
    }
  });
  return [form, answer];

  async function send() {
    const filled = path.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(inputs.find((each) => each.name === name && each.in === "path").input.value));
    const url = new URL(root + filled, location.origin);
    for (const each of inputs) if (each.in === "query" && each.input.value) url.searchParams.set(each.name, each.input.value);
    const headers = key() ? { authorization: `Bearer ${key()}` } : {};
    if (text) headers["content-type"] = "application/json";
    const found = await fetch(url, { method: method.toUpperCase(), headers, body: text ? text.value : undefined });
    const lines = [...found.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
    replace(answer, h("p", {}, h("span", { class: `pill ${found.ok ? "completed" : "failed"}` }, `${found.status} ${found.statusText}`)),
      h("pre", { tabindex: "0" }, lines), h("pre", { tabindex: "0" }, pretty((await found.text()).slice(0, MOST)) || "No body."));
  }
}

function entry({ schema, required }) {
  if (!schema.enum) return h("input", { type: schema.type === "integer" ? "number" : "text", required });
  return h("select", {}, required ? null : h("option", { value: "" }, ""), schema.enum.map((each) => h("option", { value: each }, String(each))));
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

// What must be there, empty, so that it need only be filled in.
function example(whole, schema) {
  const found = resolved(whole, schema);
  if (found.default !== undefined) return found.default;
  if (found.enum) return found.enum[0];
  if (found.anyOf) return example(whole, found.anyOf[0]);
  if (found.type === "array") return found.minItems ? [example(whole, found.items)] : [];
  if (found.type === "string") return "";
  if (found.type === "integer" || found.type === "number") return 0;
  if (found.type === "boolean") return false;
  return Object.fromEntries((found.required ?? []).map((name) => [name, example(whole, found.properties[name])]));
}
