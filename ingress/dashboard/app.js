// The frame: which page is shown, the key, the theme.

import { ApiError, key, setKey } from "./api.js";
import { dialog, field, h, notice, replace } from "./dom.js";
import * as overview from "./pages/overview.js";
import * as live from "./pages/live.js";
import * as flow from "./pages/flow.js";
import * as usage from "./pages/usage.js";
import * as keys from "./pages/keys.js";
import * as budgets from "./pages/budgets.js";
import * as cache from "./pages/cache.js";
import * as letters from "./pages/letters.js";
import * as models from "./pages/models.js";
import * as workflows from "./pages/workflows.js";
import * as guardrails from "./pages/guardrails.js";
import * as settings from "./pages/settings.js";
import * as api from "./pages/api.js";

const PAGES = { overview, live, flow, usage, keys, budgets, models, workflows, guardrails, cache, "dead-letters": letters, settings, api };
const main = document.getElementById("main");
let leave = () => {};

function nav(current) {
  const links = Object.entries(PAGES).map(([name, page]) =>
    h("a", { href: name, "aria-current": name === current ? "page" : null }, page.title));
  replace(document.getElementById("nav"), links);
  links.find((link) => link.hasAttribute("aria-current"))?.scrollIntoView({ block: "nearest", inline: "center" });
}

function current() {
  const name = location.pathname.split("/admin/dashboard/")[1]?.split("/")[0];
  return name in PAGES ? name : "overview";
}

async function show() {
  leave();
  const name = current();
  const page = PAGES[name];
  document.title = `${page.title} · Sluice`;
  nav(name);
  const controller = new AbortController();
  leave = () => controller.abort();
  const root = h("section", { class: `page ${name}` }, h("h1", {}, page.title));
  replace(main, root);
  try {
    await page.show(root, controller.signal);
  } catch (error) {
    if (controller.signal.aborted) return;
    if (error instanceof ApiError && (error.status === 401 || error.status === 403)) ask(error.message);
    else root.append(h("p", { class: "empty" }, error.message));
  }
}

function ask(why = null) {
  const input = h("input", { type: "password", autocomplete: "off", name: "key", value: key(), required: true });
  const form = h("form", { method: "dialog" }, why && h("p", {}, why),
    field("API key", input, "The master key, or a managed key whose role may read this. It stays in this tab."),
    h("button", {}, "Use this key"));
  const box = dialog("API key", form);
  form.addEventListener("submit", () => {
    setKey(input.value.trim());
    box.close();
    show();
  });
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || link.target || link.hasAttribute("download")) return;
  const url = new URL(link.href);
  if (!url.pathname.startsWith(new URL(document.baseURI).pathname) || url.hash) return;
  event.preventDefault();
  history.pushState(null, "", url);
  show();
  main.focus({ preventScroll: true });
});
addEventListener("popstate", show);
document.getElementById("key").addEventListener("click", () => ask());
document.getElementById("theme").addEventListener("click", () => {
  const dark = getComputedStyle(document.documentElement).getPropertyValue("--dark").trim() === "1";
  document.documentElement.dataset.theme = dark ? "light" : "dark";
  localStorage.setItem("sluice-theme", dark ? "light" : "dark");
  show();
});
addEventListener("unhandledrejection", (event) => {
  if (event.reason?.name !== "AbortError") notice(event.reason?.message ?? String(event.reason));
});
show();
