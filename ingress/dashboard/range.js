// Which time and whose requests: what the pages that look back have in common.

import { h } from "./dom.js";

const DAYS = [["1", "24 hours"], ["7", "7 days"], ["30", "30 days"], ["90", "90 days"], ["365", "a year"]];

export function range(onChange) {
  const days = h("select", { "aria-label": "Time", onchange: onChange }, DAYS.map(([value, name]) =>
    h("option", { value, selected: value === "30" }, name)));
  const path = h("input", { type: "search", placeholder: "user path, /org/team", "aria-label": "User path", onchange: onChange });
  const interval = () => (Number(days.value) > 90 ? "weekly" : "daily");
  return {
    element: h("div", { class: "toolbar" }, days, path),
    value: () => ({ days: days.value, user_path: path.value.trim() || null, interval: interval() }),
  };
}
