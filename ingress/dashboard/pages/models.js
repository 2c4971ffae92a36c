// What can be called and what it costs, and names of one's own for it.

import { key } from "../api.js";
import { h, replace, table } from "../dom.js";
import { dollars, integer } from "../format.js";
import { aliases, sets } from "../routing.js";

export const title = "Models";
const SHOWN = 500;

export async function show(root, signal) {
  const filter = h("input", { type: "search", placeholder: "name, provider …", "aria-label": "Filter", oninput: draw });
  const own = h("div"), list = h("div"), counts = h("span", { class: "detail" });
  root.append(own, h("h2", {}, "What can be called"), h("div", { class: "toolbar" }, filter, counts), list);
  const answer = await fetch(new URL("../../v1/models", document.baseURI), { headers: key() ? { authorization: `Bearer ${key()}` } : {}, signal });
  const found = await answer.json();
  if (!answer.ok) throw new Error(found.error?.message ?? answer.statusText);
  draw();
  await aliases(own, found.data, signal);
  // Who may see all that is called need not be one who may govern it.
  await sets(own, signal).catch((error) => { if (error.status !== 403) throw error; });

  function draw() {
    const wanted = filter.value.trim().toLowerCase();
    const shown = found.data.filter((model) => `${model.id} ${model.owned_by}`.toLowerCase().includes(wanted));
    counts.textContent = `${integer(shown.length)} of ${integer(found.data.length)}` + (shown.length > SHOWN ? `, the first ${SHOWN} are shown` : "");
    const rate = (name) => (model) => dollars(model.metadata?.pricing?.[name]);
    replace(list, table("Models", [
      ["Model", (model) => model.id], ["Provider", (model) => model.owned_by],
      ["Modes", (model) => (model.metadata?.modes ?? []).join(", ") || null],
      ["Context", (model) => integer(model.metadata?.context_window), "number"],
      ["Input $/M", rate("input_per_mtok"), "number"], ["Cached $/M", rate("cached_input_per_mtok"), "number"],
      ["Output $/M", rate("output_per_mtok"), "number"],
    ], shown.slice(0, SHOWN), { empty: "No model has that." }));
  }
}
