// The gateway as it describes itself: /openapi.json and /asyncapi.json, which take no key.

import { h, replace, table } from "../dom.js";
import { integer } from "../format.js";
import { body, linked, resolved, type } from "../schema.js";
import { trying } from "../trying.js";

export const title = "API";
const METHODS = ["get", "post", "put", "patch", "delete", "options"];

async function load(name, signal) {
  const found = await fetch(new URL(`../../${name}`, document.baseURI), { signal });
  if (!found.ok) throw new Error(`${name}: ${found.status}`);
  return found.json();
}

export async function show(root, signal) {
  const [http, topics] = await Promise.all([load("openapi.json", signal), load("asyncapi.json", signal)]);
  const filter = h("input", { type: "search", placeholder: "path, method, words …", "aria-label": "Filter", oninput: () => draw() });
  const counts = h("span", { class: "detail" }), list = h("div"), all = operations(http);
  root.append(h("p", { class: "detail" }, linked(http.info.description)),
    h("p", {}, h("a", { href: "../../openapi.json", target: "_blank" }, "openapi.json"), " (OpenAPI 3.1), ",
      h("a", { href: "../../asyncapi.json", target: "_blank" }, "asyncapi.json"), " (AsyncAPI 3.0)"),
    h("div", { class: "toolbar" }, filter, counts), list,
    h("h2", {}, "Topics"), h("p", { class: "detail" }, linked(topics.info.description)),
    ...Object.entries(topics.channels).map(([name, channel]) => topic(topics, name, channel)));
  draw();
  const wanted = document.getElementById(location.hash.slice(1));
  if (wanted?.localName === "details") {
    wanted.open = true;
    wanted.scrollIntoView();
  }

  function draw() {
    const words = filter.value.trim().toLowerCase().split(/\s+/);
    const shown = all.filter((each) => words.every((word) => each.text.includes(word)));
    counts.textContent = `${integer(shown.length)} of ${integer(all.length)}`;
    const tags = [...new Set(shown.map((each) => each.operation.tags[0]))];
    replace(list, tags.length ? tags.map((tag) => [h("h2", {}, tag), shown.filter((each) => each.operation.tags[0] === tag).map((each) => each.shown())])
      : h("p", { class: "empty" }, "Nothing has that."));
  }
}

function operations(whole) {
  const root = whole.servers[0].url.replace(/\/$/, "");
  return Object.entries(whole.paths).flatMap(([path, item]) => METHODS.filter((method) => item[method]).map((method) => {
    const operation = item[method];
    return {
      operation,
      text: `${method} ${path} ${operation.summary} ${operation.operationId} ${operation.tags[0]}`.toLowerCase(),
      shown: () => one(whole, root, path, method, item, operation),
    };
  }));
}

// What is inside is made when it is opened first: of a hundred operations one is looked at.
function folded(id, summary, inside) {
  const box = h("details", { id, class: "operation" }, h("summary", {}, summary));
  box.addEventListener("toggle", () => box.append(h("div", { class: "inside" }, inside())), { once: true });
  return box;
}

function one(whole, root, path, method, item, operation) {
  return folded(operation.operationId, [h("span", { class: `method ${method}` }, method.toUpperCase()), " ", h("code", {}, path),
    " ", h("span", { class: "detail" }, operation.summary.replaceAll("`", ""))], () => {
    const parameters = [...(item.parameters ?? []), ...(operation.parameters ?? [])].map((each) => resolved(whole, each));
    const sent = Object.entries(operation.requestBody?.content ?? {});
    const open = operation.security?.length === 0;
    return [
      h("p", {}, operation.description ?? (open ? "No key is needed." : "Takes any key."), " ", h("a", { href: `api#${operation.operationId}` }, `#${operation.operationId}`)),
      parameters.length ? [h("h3", {}, "Parameters"), table("Parameters", [
        ["Name", (each) => h("code", {}, each.name)], ["In", (each) => each.in], ["Type", (each) => h("span", {}, type(whole, each.schema)), "wide"],
        ["Without it", (each) => each.schema.default ?? (each.required ? "required" : "")], ["Meaning", (each) => (each.description ?? "").replaceAll("`", ""), "wide"],
      ], parameters)] : null,
      sent.map(([media, { schema }]) => [h("h3", {}, `Body, ${media}`), body(whole, schema)]),
      Object.entries(operation.responses).map(([status, answer]) => told(whole, status, resolved(whole, answer))),
      h("h3", {}, "Try it"), trying(whole, root, path, method, operation, parameters),
    ];
  });
}

function told(whole, status, answer) {
  const content = Object.entries(answer.content ?? {});
  const headers = Object.keys(answer.headers ?? {}).join(", ");
  return [h("h3", {}, `${status === "default" ? "Errors" : status}: ${answer.description}`),
    headers && h("p", { class: "detail" }, `Headers: ${headers}`),
    content.map(([media, { schema }]) => h("p", {}, h("code", {}, media), " ", type(whole, schema)))];
}

function topic(whole, name, channel) {
  return folded(`topic-${name}`, [h("code", {}, channel.address), " ", h("span", { class: "detail" }, channel.description)], () =>
    Object.values(channel.messages).map((reference) => {
      const message = resolved(whole, reference);
      return [h("h3", {}, message.name), h("p", {}, message.summary, " Key: ", message.bindings.kafka.key.description.replaceAll("`", "")),
        h("p", {}, "Value: ", type(whole, message.payload)),
        Object.keys(message.headers.properties).length ? body(whole, { ...message.headers, title: `Headers of ${message.name}` }) : null];
    }));
}
