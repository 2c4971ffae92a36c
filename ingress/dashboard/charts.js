// Lines and bars by uPlot, in the theme's colours, with a table of the same numbers for those who cannot see them.

import { h, table } from "./dom.js";

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// series: [{label, values, bars?}], times in epoch seconds.
export function chart(label, times, series, { format = String, signal } = {}) {
  const holder = h("div", { class: "chart", role: "img", "aria-label": label });
  const axis = { stroke: colour("--faint"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line") } };
  const options = {
    width: 800, height: 260, cursor: { points: { size: 6 } },
    scales: { x: { time: true }, y: { range: (_, low, high) => [Math.min(0, low), high > 0 ? high * 1.08 : 1] } },
    axes: [axis, { ...axis, size: 70, values: (_, ticks) => ticks.map(format) }],
    series: [{}, ...series.map((each, index) => ({
      label: each.label, stroke: colour(`--series-${index + 1}`), width: 2,
      fill: each.bars ? colour(`--series-${index + 1}`) : undefined,
      paths: each.bars ? window.uPlot.paths.bars({ size: [0.6, 40] }) : undefined,
      value: (_, value) => (value === null || value === undefined ? "–" : format(value)), spanGaps: true,
      ...(each.bars ? { points: { show: false } } : {}),
    }))],
  };
  const plot = new window.uPlot(options, [times, ...series.map((each) => each.values)], holder);
  const fit = new ResizeObserver(() => plot.setSize({ width: Math.max(260, holder.clientWidth), height: 260 }));
  fit.observe(holder);
  signal?.addEventListener("abort", () => { fit.disconnect(); plot.destroy(); });
  const rows = times.map((time, index) => [time, ...series.map((each) => each.values[index])]);
  const columns = [["Time", (row) => new Date(row[0] * 1000).toLocaleDateString()],
    ...series.map((each, index) => [each.label, (row) => format(row[index + 1]), "number"])];
  return h("div", { class: "panel" }, h("h3", {}, label), holder,
    h("details", {}, h("summary", {}, "As a table"), table(label, columns, rows)));
}

// Shares of a whole: [name, value] rows with a bar each.
export function shares(caption, rows, format) {
  const most = Math.max(...rows.map(([, value]) => value), 0) || 1;
  return table(caption, [
    ["Name", ([name]) => name], ["Amount", ([, value]) => format(value), "number"],
    ["Share", ([, value]) => { const bar = h("span", { class: "share" }); bar.style.width = `${(value / most) * 100}%`; return bar; }, "bar-cell"],
  ], rows);
}
