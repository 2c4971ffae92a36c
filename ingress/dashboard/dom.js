// Elements from calls. Text is always text: nothing that comes from the gateway is parsed as HTML.

export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked" || name === "disabled") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

export function replace(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

// In the open dialog, if there is one: what lies behind it can be neither seen nor heard.
export function notice(text, kind = "error") {
  const open = kind === "error" ? [...document.querySelectorAll("dialog[open] > .content")].at(-1) : null;
  const line = h("p", { class: `notice ${kind}`, role: open ? "alert" : null }, text,
    h("button", { type: "button", class: "quiet", "aria-label": "Dismiss", onclick: () => line.remove() }, "×"));
  if (open) {
    open.querySelectorAll(":scope > .notice").forEach((earlier) => earlier.remove());
    open.prepend(line);
    open.scrollTop = 0;
  } else {
    document.getElementById("notices").append(line);
    setTimeout(() => line.remove(), 8000);
  }
}

// A table: columns are [title, of(row), class]; `open` makes rows buttons of their own.
export function table(caption, columns, rows, { open = null, empty = "Nothing yet." } = {}) {
  if (!rows.length) return h("p", { class: "empty" }, empty);
  const head = h("tr", {}, columns.map(([title, , kind]) => h("th", { scope: "col", class: kind }, title)));
  const body = rows.map((row) => tableRow(columns, row, open));
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    h("table", {}, h("caption", { class: "sr" }, caption), h("thead", {}, head), h("tbody", {}, body)));
}

export function tableRow(columns, row, open) {
  const cells = columns.map(([, of, kind], index) => {
    const value = of(row);
    const shown = open && index === 0
      ? h("button", { type: "button", class: "link", onclick: () => open(row) }, value ?? "–")
      : value ?? "–";
    return h("td", { class: kind }, shown);
  });
  return h("tr", {}, cells);
}

export function card(title, value, detail = null) {
  return h("div", { class: "card" }, h("h3", {}, title), h("p", { class: "figure" }, value),
    detail && h("p", { class: "detail" }, detail));
}

// A dialog that closes by Escape, its button, or a click beside it, and gives the focus back.
export function dialog(title, ...children) {
  const close = h("button", { type: "button", class: "quiet", "aria-label": "Close", onclick: () => box.close() }, "×");
  const box = h("dialog", { "aria-label": title }, h("header", {}, h("h2", {}, title), close),
    h("div", { class: "content" }, children));
  box.addEventListener("close", () => box.remove());
  box.addEventListener("click", (event) => { if (event.target === box) box.close(); });
  document.body.append(box);
  box.showModal();
  return box;
}

export function field(label, input, hint = null) {
  return h("label", { class: "field" }, h("span", {}, label), input, hint && h("small", {}, hint));
}

// A box that is ticked, with its words.
export function tick(label, name, checked, more = {}) {
  return h("label", { class: "tick" }, h("input", { type: "checkbox", name, checked: Boolean(checked), ...more }), h("span", {}, label));
}

export function choose(name, values, chosen, more = {}) {
  return h("select", { name, ...more }, values.map((each) => {
    const [value, text] = Array.isArray(each) ? each : [each, each];
    return h("option", { value, selected: value === chosen }, text);
  }));
}

// Works as the form is sent: then the dialog closes and `done` is called; what goes wrong is said in the dialog.
export function onSubmit(form, box, work, done) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    await attempt(box, work, done);
  });
}

export async function attempt(box, work, done) {
  try {
    await work();
    box.close();
    await done();
  } catch (error) {
    notice(error.message);
  }
}
