// Managed keys: made, changed, rotated, deactivated.

import { get, send } from "../api.js";
import { choose, dialog, field, h, notice, replace, table } from "../dom.js";
import { moment } from "../format.js";

export const title = "Keys";
const ROLES = ["client", "analyst", "admin"];
const OVERLAPS = [["86400", "a day"], ["3600", "an hour"], ["604800", "a week"], ["0", "not at all"]];

export async function show(root, signal) {
  const list = h("div");
  root.append(h("div", { class: "toolbar" }, h("button", { type: "button", onclick: () => edit(null, load) }, "New key")), list);

  async function load() {
    const keys = await get("auth-keys", {}, signal);
    replace(list, table("Keys", [
      ["Name", (key) => key.name],
      ["State", (key) => h("span", { class: `pill ${key.active ? "active" : "failed"}` }, state(key))],
      ["Role", (key) => key.role],
      ["Value", (key) => h("code", {}, key.redacted_value)],
      ["User path", (key) => key.user_path],
      ["Models", (key) => (key.models ?? []).join(", ") || "all"],
      ["Expires", (key) => (key.expires_at ? moment(key.expires_at) : "never")],
      ["Made", (key) => moment(key.created_at)],
    ], keys, { open: (key) => edit(key, load), empty: "No managed key yet. The first one closes the admin API unless a master key is set, and is an admin's." }));
  }
  await load();
}

const state = (key) => (key.active ? "active" : key.deactivated_at ? "deactivated" : "expired");

function edit(key, done) {
  const input = (name, value, more = {}) => h("input", { name, value: value ?? "", ...more });
  const lists = (value) => (value ?? []).join(", ");
  const role = choose("role", ROLES, key?.role ?? "client");
  const overlap = choose("overlap", OVERLAPS, "86400");
  const form = h("form", { class: "columns" },
    field("Name", input("name", key?.name, { required: true, maxlength: 200 })),
    field("Role", role),
    field("User path", input("user_path", key?.user_path, { placeholder: "/org/team" })),
    field("Expires", input("expires_at", key?.expires_at?.slice(0, 16), { type: "datetime-local" }), "Empty: never"),
    field("Models", input("models", lists(key?.models)), "Patterns, with commas; empty: all"),
    field("Endpoints", input("endpoints", lists(key?.endpoints)), "As models"),
    field("Networks", input("ips", lists(key?.ips)), "10.0.0.0/8, …; empty: everywhere"),
    field("Description", input("description", key?.description)),
    h("button", {}, key ? "Save" : "Make the key"));
  const actions = key && key.active ? h("div", { class: "toolbar actions" },
    h("label", {}, "A new value; the former one is taken ", overlap), h("button", { type: "button", class: "quiet", onclick: rotate }, "Rotate"),
    h("button", { type: "button", class: "danger", onclick: deactivate }, "Deactivate")) : null;
  const box = dialog(key ? key.name : "New key", form, actions);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    await told(async () => {
      const said = read(new FormData(form));
      if (!key && !said.expires_at) delete said.expires_at;
      if (!key && !said.user_path) delete said.user_path;
      const made = await send(key ? "PATCH" : "POST", key ? `auth-keys/${key.id}` : "auth-keys", said);
      box.close();
      if (!key) reveal(made);
    });
  });

  async function rotate() {
    await told(async () => {
      const made = await send("POST", `auth-keys/${key.id}/rotate`, { overlap_seconds: Number(overlap.value) });
      box.close();
      reveal(made);
    });
  }

  async function deactivate() {
    if (!confirm(`Deactivate ${key.name}? Every client that uses it is refused at once.`)) return;
    await told(async () => {
      await send("POST", `auth-keys/${key.id}/deactivate`, {});
      box.close();
      notice(`${key.name} is deactivated.`, "good");
    });
  }

  async function told(work) {
    try {
      await work();
      await done();
    } catch (error) {
      notice(error.message);
    }
  }
}

function read(form) {
  const list = (name) => form.get(name).split(",").map((each) => each.trim()).filter(Boolean);
  const expires = form.get("expires_at");
  return {
    name: form.get("name").trim(), role: form.get("role"), description: form.get("description").trim(),
    user_path: form.get("user_path").trim() || null, models: list("models"), endpoints: list("endpoints"), ips: list("ips"),
    expires_at: expires ? new Date(expires).toISOString() : null,
  };
}

function reveal(made) {
  const copy = h("button", { type: "button", onclick: async () => { await navigator.clipboard.writeText(made.value); notice("Copied.", "good"); } }, "Copy");
  dialog(`The value of ${made.name}`, h("p", {}, "It is shown this once: only a hash of it is kept."),
    h("p", { class: "secret" }, made.value), copy);
}
