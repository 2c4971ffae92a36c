// Numbers, times and amounts as people read them.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

export const integer = (value) => (value === null || value === undefined ? "–" : whole.format(value));
export const compact = (value) => (value === null || value === undefined ? "–" : short.format(value));

export function dollars(value) {
  if (value === null || value === undefined) return "–";
  if (value === 0) return "$0";
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 1 ? 2 : 4;
  return `$${value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits })}`;
}

// A number and its unit stay on one line.
export function seconds(value) {
  if (value === null || value === undefined) return "–";
  if (value < 1) return `${(value * 1000).toFixed(value < 0.01 && value > 0 ? 1 : 0)}\u00a0ms`;
  if (value < 120) return `${value.toFixed(value < 10 ? 2 : 1)}\u00a0s`;
  return `${(value / 60).toFixed(1)}\u00a0min`;
}

export const percent = (value) =>
  value === null || value === undefined || Number.isNaN(value) ? "–" : `${(value * 100).toFixed(value < 0.1 ? 2 : 1)}\u00a0%`;

export const clock = (text) => (text ? new Date(text).toLocaleTimeString([], { hour12: false }) : "–");
export const moment = (text) => (text ? new Date(text).toLocaleString([], { hour12: false }) : "–");

export function pretty(value) {
  if (value === undefined || value === null) return "";
  return typeof value === "string" ? value : JSON.stringify(value, null, 2);
}
