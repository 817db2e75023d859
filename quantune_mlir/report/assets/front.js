"use strict";
// The front: predicted SQNR over predicted time, the plan that was made among the others.

{
  const figure = document.getElementById("front-plot");
  if (figure) {
    const told = document.getElementById("front-point");
    const [lowest, highest] = d3.extent(report.front, (point) => (point.sqnr === "Infinity" ? NaN : point.sqnr)).map((y) => y ?? 0);
    const points = report.front.map((point, index) => ({
      ...point,
      index,
      x: 100 * point.share,
      exact: point.sqnr === "Infinity",
      y: point.sqnr === "Infinity" ? highest + 0.12 * Math.max(10, highest - lowest) : point.sqnr,
    }));
    const chosen = points.filter((point) => point.chosen);
    const numbers = (point) =>
      `${point.time}, ${point.x.toFixed(1)} % of fp32's; ${report.decibels(report.number(point.sqnr))}; ` +
      `weights ${point.size}; ${point.fp32} layer${point.fp32 === 1 ? "" : "s"} in fp32`;
    const command = (point) => point.command || "no option asks for so much noise";

    const show = (point) => {
      told.replaceChildren();
      if (!point) return;
      told.append(`${point.chosen ? "★ The plan that was made" : "A plan"}: ${numbers(point)}. `);
      const code = document.createElement("code");
      code.textContent = command(point);
      told.append(code);
    };

    const plot = report.plot({
      width: Math.max(360, Math.min(1100, figure.clientWidth)),
      height: 340,
      marginLeft: 50,
      marginBottom: 46,
      insetLeft: 16,
      insetBottom: 16,
      grid: true,
      ariaLabel: "The front",
      x: { label: "predicted time, % of fp32's →", labelAnchor: "center", labelOffset: 40 },
      y: { label: "↑ predicted SQNR of the outputs' worst part, dB", ticks: d3.ticks(lowest, highest, 8) },
      marks: [
        Plot.dot(points, {
          x: "x",
          y: "y",
          r: 4,
          fill: "var(--dots)",
          fillOpacity: 0.65,
          className: "points",
          ariaHidden: "true",
        }),
        Plot.dot(chosen, { x: "x", y: "y", r: 9, symbol: "star", fill: "var(--ours)", stroke: "var(--page)" }),
        Plot.text(points.filter((point) => point.exact), { x: "x", y: "y", text: () => "exact", dx: -10, textAnchor: "end" }),
        Plot.tip(
          points,
          Plot.pointer({
            x: "x",
            y: "y",
            maxRadius: 60,
            lineWidth: 34,
            fill: "var(--panel)",
            title: (point) => `${point.chosen ? "★ The plan that was made\n" : ""}${numbers(point).replaceAll("; ", "\n")}\n${command(point)}`,
          }),
        ),
      ],
    });
    figure.append(plot);
    plot.addEventListener("input", () => show(plot.value));

    const dots = d3.select(plot).selectAll("g.points circle, circle.points");
    let current = chosen.length ? chosen[0].index : 0;
    show(points[current]);
    figure.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      current = Math.min(points.length - 1, Math.max(0, current + step));
      dots.classed("current", (_, index) => index === current);
      show(points[current]);
    });
  }
}
