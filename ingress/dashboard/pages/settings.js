// What this ingress was started with: by name, with where it stands. Secrets never come here.

import { get } from "../api.js";
import { h, replace, table, tick } from "../dom.js";
import { integer } from "../format.js";

export const title = "Settings";

export async function show(root, signal) {
  const found = await get("settings", {}, signal);
  const filter = h("input", { type: "search", placeholder: "name, value, meaning …", "aria-label": "Filter", oninput: () => draw() });
  const all = tick("also those that have their default", "all", false, { onchange: () => draw() });
  const counts = h("span", { class: "detail" }), content = h("div");
  root.append(
    h("p", { class: "detail" }, `Sluice ${found.version}. Settings are read when a process starts: this is what the ingress that answered was started with.`),
    ...notes(found.notes), h("h2", {}, "Providers"), providers(found.providers),
    h("h2", {}, "Settings"), h("div", { class: "toolbar" }, filter, all, counts), content);
  draw();

  function draw() {
    const wanted = filter.value.trim().toLowerCase();
    const shown = found.settings.filter((row) => (all.querySelector("input").checked || row.origin !== "default")
      && `${row.name} ${row.value} ${row.summary} ${row.group}`.toLowerCase().includes(wanted));
    counts.textContent = `${integer(shown.length)} of ${integer(found.settings.length)}`;
    const groups = [...new Set(shown.map((row) => row.group))];
    replace(content, groups.length ? groups.map((group) => [h("h3", { class: "chapter" }, group), table(group, [
      ["Setting", (row) => h("code", {}, row.name)],
      ["Value", (row) => (row.value === "(secret)" ? h("span", { class: "pill" }, "secret, not shown") : row.value ? h("code", {}, row.value) : "nothing"), "wide"],
      ["From", (row) => row.origin], ["Meaning", (row) => row.summary.replaceAll("`", ""), "wide"],
    ], shown.filter((row) => row.group === group))])
      : h("p", { class: "empty" }, wanted ? "No setting has that." : "Every setting has its default."));
  }
}

function providers(rows) {
  return table("Providers", [
    ["Instance", (row) => row.name], ["Vendor", (row) => row.type], ["Address", (row) => h("code", {}, row.base_url)],
    ["Keys", (row) => integer(row.keys), "number"], ["Models", (row) => (row.models ? `${integer(row.models)} named` : "as it lists them")],
    ["Speaks", (row) => row.dialects.map((each) => each.replaceAll("_", " ")).join(", "), "wide"],
  ], rows, { empty: "No provider is configured." });
}

function notes(lines) {
  if (!lines.length) return [];
  return [h("div", { class: "panel warn" }, h("h2", {}, "Set without effect"), h("ul", {}, lines.map((line) => h("li", {}, line))))];
}
