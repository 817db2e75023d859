"use strict";
// One layer: why it has its format, its histograms with the range of int8, its weights, metrics and costs.

{
  const aside = document.getElementById("layer");
  const title = document.getElementById("layer-title");
  const body = d3.select("#layer-body");
  const plain = { width: 340, style: { fontSize: "12px" } };

  const histogram = (tensor) => {
    const width = (tensor.high - tensor.low) / Math.max(1, tensor.counts.length);
    const bars = tensor.counts
      .map((count, index) => ({ x1: tensor.low + index * width, x2: tensor.low + (index + 1) * width, count }))
      .filter((bar) => bar.count > 0);
    const clip = tensor.clip ?? [];
    const [low, high] = [Math.min(tensor.low, ...clip), Math.max(tensor.high, ...clip)];
    const outside = [[low, clip[0]], [clip[1], high]].filter(([from, to]) => tensor.clip && from < to);
    return report.plot({
      ...plain,
      height: 170,
      marginLeft: 48,
      ariaLabel:
        `Histogram of ${tensor.name}: values from ${tensor.low} to ${tensor.high}` +
        (tensor.clip ? `, int8 holds ${clip[0]} to ${clip[1]}` : ""),
      x: { label: null, domain: [low, high], ticks: 5 },
      y: { type: "log", label: "↑ values", ticks: 4, tickFormat: "~s", nice: true },
      marks: [
        Plot.rect(bars, { x1: "x1", x2: "x2", y1: 0.5, y2: "count", fill: "var(--dots)", inset: 0 }),
        Plot.rect(outside, { x1: "0", x2: "1", fill: "var(--outside)", fillOpacity: 0.25 }),
        Plot.ruleX(clip, { stroke: "var(--ours)", strokeWidth: 2, strokeDasharray: "5 3" }),
      ],
    });
  };

  const weights = (spread) =>
    report.plot({
      ...plain,
      height: 120,
      marginLeft: 48,
      ariaLabel:
        `Largest weight of each of ${spread.channels} output channels: ` +
        `from ${spread.largest[0]} to ${spread.largest[spread.largest.length - 1]}`,
      x: { label: "channels, by reach →", ticks: [] },
      y: { label: "↑ largest weight", ticks: 4, zero: true },
      marks: [
        Plot.barY(spread.largest, { x: (_, index) => index, y: (value) => value, fill: "var(--dots)", inset: 0 }),
        Plot.ruleY([0]),
      ],
    });

  /** The layer whose values are stored: a clamp's, where it folds into the layer before it. */
  const storedAs = (layer) => {
    const readers = report.layers.filter((other) => other.inputs.includes(layer.name));
    return layer.tensors.length || readers.length !== 1 || !readers[0].inputs.every((name) => name === layer.name) ? layer : readers[0];
  };

  const facts = (rows) => {
    const table = body.append("table").attr("class", "figures");
    const lines = table.append("tbody").selectAll("tr").data(rows).join("tr");
    lines.append("th").attr("scope", "row").text((row) => row[0]);
    lines.append("td").text((row) => row[1]);
  };

  const metric = (name, value) => {
    if (Number.isNaN(value)) return "–";
    if (value === Infinity) return "exact";
    return name.endsWith("_db") ? value.toFixed(1) : value === 0 ? "0" : value.toExponential(1);
  };

  report.listeners.push((index) => {
    const layer = report.layers[index];
    title.textContent = layer.name;
    body.selectChildren().remove();
    const kind = body.append("p");
    kind.append("span").attr("class", `format ${layer.precision}`).text(layer.precision);
    kind.append("span").text(` ${layer.op}, ${layer.shape || "shape not kept"}`);
    body.append("p").attr("class", "reason").text(`${layer.reason}.`);
    if (layer.boundaries.length)
      body.append("p").text(`Reads in the other format, so that a boundary lies before it: ${layer.boundaries.join(", ")}.`);

    const stored = storedAs(layer);
    for (const tensor of stored.tensors) {
      const after = stored === layer ? "" : `, after ${stored.name}`;
      body.append("h3").text(stored.tensors.length > 1 ? `Values of ${tensor.name}` : `Values at its output${after}`);
      if (tensor.counts.length) body.append("figure").node().append(histogram(tensor));
      body.append("p").attr("class", "note").text(
        tensor.clip
          ? `int8 holds ${tensor.clip[0]} to ${tensor.clip[1]} (dashed); values lie from ${tensor.low} to ${tensor.high}.`
          : `Values lie from ${tensor.low} to ${tensor.high}; the range of int8 is not kept (scaled, or fp32 only).`,
      );
    }
    if (!stored.tensors.length)
      body.append("p").attr("class", "note").text("Its result is not profiled: it only moves values that others made.");
    if (layer.weights) {
      body.append("h3").text("Weights by channel");
      body.append("figure").node().append(weights(layer.weights));
    }
    body.append("h3").text("Metrics");
    const without = layer.without;
    facts([
      ["noise brought to the output", layer.share === null ? "–" : `${d3.format(".2~r")(100 * layer.share)} % (rank ${layer.rank})`],
      ...(without ? ["int8", "fp32"].map((format) => [
        `SQNR of the network with it in ${format}, when that was decided`,
        report.decibels(report.number(without[format])),
      ]) : []),
      ...Object.entries(report.metrics).map(([name, words]) => [words, metric(name, report.number(layer[name]))]),
    ]);
    body.append("h3").text("Cost");
    facts([
      ["multiply-accumulates", layer.macs ? d3.format(",")(layer.macs) : "none"],
      ...(layer.cost
        ? ["int8", "fp32"].map((format) => [
            `in ${format}`,
            `${report.time(layer.cost[format].time)}, weights ${report.bytes(layer.cost[format].bytes)}`,
          ])
        : [["time", "part of its neighbours', or not weighed"]]),
      ...(without && layer.cost ? [["fp32 takes more, boundaries included", report.time(without.time ?? 0)]] : []),
    ]);
    aside.classList.add("open");
  });

  document.getElementById("close").addEventListener("click", () => aside.classList.remove("open"));
}
