"use strict";
// The fronts of several runs in one plot.

{
  const place = document.getElementById("fronts-plot");
  const { points, names } = JSON.parse(document.getElementById("data").textContent);
  const shown = points
    .filter((point) => point.sqnr !== "Infinity")
    .map((point) => ({ ...point, x: 100 * point.share, title: `${point.run}: ${point.sqnr.toFixed(1)} dB, ${(100 * point.share).toFixed(1)} %` }));
  const marks = { x: "x", y: "sqnr", stroke: "run", symbol: "run" };
  const plot = Plot.plot({
    width: Math.max(360, Math.min(1100, place.clientWidth)),
    height: 380,
    marginBottom: 46,
    inset: 12,
    grid: true,
    style: { background: "none", fontSize: "13px" },
    ariaLabel: "Predicted SQNR of the outputs' worst part over predicted time, by run",
    color: { domain: names, range: ["var(--dots)", "var(--ours)", "#009e73", "#cc79a7", "#8c7a00", "#7a7a7a"] },
    symbol: { domain: names, legend: true },
    x: { label: "predicted time, % of fp32's →", labelAnchor: "center", labelOffset: 40 },
    y: { label: "↑ predicted SQNR of the outputs' worst part, dB" },
    marks: [
      Plot.dot(shown, { ...marks, r: 3.5, strokeOpacity: 0.8 }),
      Plot.dot(shown.filter((point) => point.chosen), { ...marks, fill: "run", r: 8 }),
      Plot.tip(shown, Plot.pointer({ x: "x", y: "sqnr", title: "title", fill: "var(--panel)" })),
    ],
  });
  const svg = plot.querySelector("svg[aria-label]") ?? plot;
  svg.setAttribute("role", "img");
  for (const part of plot.querySelectorAll("g[aria-label]")) part.removeAttribute("aria-label");
  place.append(plot);
}
