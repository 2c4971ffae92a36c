// What the caches saved, how often the semantic one is wrong, and forgetting.

import { get, send } from "../api.js";
import { card, field, h, notice, replace, table } from "../dom.js";
import { compact, dollars, integer, percent, seconds } from "../format.js";

export const title = "Cache";

export async function show(root, signal) {
  const figures = h("div");
  const form = h("form", { class: "columns panel" },
    field("Model", h("input", { name: "model" })), field("User path", h("input", { name: "user_path", placeholder: "and those below" })),
    field("Tag", h("input", { name: "tag" })), field("Entry", h("input", { name: "key", placeholder: "X-Cache-Key" })),
    h("button", { class: "danger" }, "Forget"));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const said = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
    if (!confirm(said.size ? `Forget the answers of which this holds: ${said}?` : "Forget every kept answer?")) return;
    try {
      await send("DELETE", `cache?${said}`);
      notice("Every worker forgets them as it reads of it.", "good");
    } catch (error) {
      notice(error.message);
    }
  });
  root.append(figures, h("h2", {}, "Forget answers"), form);
  replace(figures, draw(await get("cache/overview", {}, signal)));
}

function draw({ summary, semantic, workers, daily }) {
  const found = [h("div", { class: "cards" },
    card("Hits", percent(summary.hit_rate), `${integer(summary.total_hits)} of ${integer(summary.requests)} requests`),
    card("Exact", percent(summary.exact_hit_rate), integer(summary.exact_hits)),
    card("Semantic", percent(summary.semantic_hit_rate), integer(summary.semantic_hits)),
    card("Coalesced", percent(summary.coalesced_hit_rate), integer(summary.coalesced_hits)),
    card("Money saved", dollars(summary.total_saved_cost), `${compact(summary.total_tokens)} tokens`),
    card("Time saved", seconds(summary.total_saved_seconds), `${integer(workers)} workers tell of it`))];
  if (daily?.length) found.push(h("h2", {}, "Hits by day"), table("Hits by day", [["Day", (row) => row.date],
    ["Exact", (row) => integer(row.exact_hits), "number"], ["Semantic", (row) => integer(row.semantic_hits), "number"],
    ["Coalesced", (row) => integer(row.coalesced_hits), "number"], ["Tokens saved", (row) => compact(row.total_tokens), "number"],
    ["Money saved", (row) => dollars(row.saved_cost), "number"]], daily.toReversed()));
  if (!semantic) return found;
  const judged = semantic.comparisons;
  return [...found, h("h2", {}, "Semantic answers"), h("div", { class: "cards" },
    card("Wrong, estimated", percent(semantic.error_rate), semantic.error_rate_bound === null ? "nothing was compared yet" : `less than ${percent(semantic.error_rate_bound)} with ${percent(semantic.confidence)} confidence`),
    card("May be wrong", percent(semantic.max_error_rate), `mode ${semantic.mode}${semantic.shadow ? ", shadow: nothing is served" : ""}`),
    card("Compared", integer(judged.same + judged.different + judged.undecided), `${integer(judged.same)} the same, ${integer(judged.different)} different`),
    card("Its own calls", integer(semantic.own_usage.calls), dollars(semantic.own_usage.cost)))];
}
