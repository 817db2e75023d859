"use strict";
// What the other scripts share: the data of the page, numbers for people, and which layer is shown.

const report = {
  ...JSON.parse(document.getElementById("data").textContent),
  listeners: [],
  selected: null,

  /** A number of the data: infinities are written as strings. */
  number(value) {
    return value === null || value === undefined ? NaN : Number(value);
  },

  decibels(value) {
    return value === Infinity ? "exact" : `${value.toFixed(1)} dB`;
  },

  time(value) {
    const magnitude = Math.abs(value);
    if (report.unit === "µs") return magnitude < 1000 ? `${d3.format(".3~r")(value)} µs` : `${d3.format(".3~r")(value / 1000)} ms`;
    const [factor, letter] = magnitude >= 1e6 ? [1e6, " M"] : magnitude >= 1e3 ? [1e3, " k"] : [1, ""];
    return `${d3.format(".3~r")(value / factor)}${letter} cycles`;
  },

  bytes(value) {
    if (value < 1024) return `${value} B`;
    return value < 1024 ** 2 ? `${(value / 1024).toFixed(1)} KiB` : `${(value / 1024 ** 2).toFixed(2)} MiB`;
  },

  /** A plot as one picture with one name. */
  plot(options) {
    const svg = Plot.plot({ ...options, style: { background: "none", fontSize: "13px", ...options.style } });
    svg.setAttribute("role", "img");
    for (const part of svg.querySelectorAll("[aria-label], [aria-description]")) {
      part.removeAttribute("aria-label");
      part.removeAttribute("aria-description");
    }
    return svg;
  },

  /** Shows a layer wherever there is something to show of it. */
  select(index) {
    report.selected = index;
    for (const listener of report.listeners) listener(index);
  },
};
