"use strict";
// The network as a graph: nodes coloured by format or noise, boundaries between formats dashed.

{
  const place = document.getElementById("graph");
  const SIZE = { width: 172, height: 38 };
  const boundary = (from, to) => from && from.precision !== to.precision;

  const laidOut = () => {
    const graph = new dagre.graphlib.Graph();
    graph.setGraph({ nodesep: 18, ranksep: 26, marginx: 12, marginy: 12 });
    graph.setDefaultEdgeLabel(() => ({}));
    const places = new Map(report.layers.map((layer, index) => [layer.name, index]));
    report.layers.forEach((_, index) => graph.setNode(`${index}`, { ...SIZE }));
    report.layers.forEach((layer, index) => {
      for (const name of layer.inputs) {
        if (!places.has(name)) graph.setNode(`in ${name}`, { ...SIZE });
        graph.setEdge(places.has(name) ? `${places.get(name)}` : `in ${name}`, `${index}`);
      }
    });
    dagre.layout(graph);
    return graph;
  };

  const shortened = (name) => (name.length > 25 ? `…${name.slice(-24)}` : name);
  const lengths = (texts) => texts.nodes().map((text) => text.getComputedTextLength());
  const squeeze = (texts, measured, room) =>
    texts
      .filter((_, index) => measured[index] > room)
      .attr("textLength", room)
      .attr("lengthAdjust", "spacingAndGlyphs");
  const second = ({ op, shape }) => {
    const room = Math.max(3, 28 - `${shape}`.length);
    return `${op.length > room ? `${op.slice(0, room - 1)}…` : op} ${shape}`;
  };

  const scales = {
    share: () => {
      const shares = report.layers.map((layer) => report.number(layer.share)).filter((share) => share > 0);
      const domain = [Math.max(1e-5, d3.min(shares) ?? 1e-5), Math.max(1e-4, d3.max(shares) ?? 1)];
      return {
        options: { type: "log", domain, scheme: "Cividis", clamp: true, label: "share of the noise at the output →", tickFormat: "~%", ticks: 4 },
        value: (layer) => (layer.share > 0 ? layer.share : NaN),
      };
    },
    activation_sqnr_db: () => {
      const values = report.layers.map((layer) => report.number(layer.activation_sqnr_db)).filter(Number.isFinite);
      return {
        options: { domain: d3.extent(values), scheme: "Cividis", reverse: true, label: "SQNR, dB →" },
        value: (layer) => report.number(layer.activation_sqnr_db),
      };
    },
  };

  const draw = () => {
    const graph = laidOut();
    const { width, height } = graph.graph();
    place.replaceChildren();
    const svg = d3
      .select(place)
      .append("svg")
      .attr("viewBox", `0 0 ${width} ${height}`)
      .attr("role", "group")
      .attr("aria-label", "Layers, from the inputs down");
    svg
      .append("defs")
      .append("marker")
      .attr("id", "arrow")
      .attr("viewBox", "0 0 8 8")
      .attr("refX", 7)
      .attr("refY", 4)
      .attr("markerUnits", "userSpaceOnUse")
      .attr("markerWidth", 9)
      .attr("markerHeight", 9)
      .attr("orient", "auto")
      .append("path")
      .attr("d", "M0,0 L8,4 L0,8 z")
      .attr("class", "tip");
    const line = d3.line((point) => point.x, (point) => point.y).curve(d3.curveBasis);
    svg
      .append("g")
      .selectAll("path")
      .data(graph.edges())
      .join("path")
      .attr("class", ({ v, w }) => (boundary(report.layers[v], report.layers[w]) ? "edge boundary" : "edge"))
      .attr("marker-end", "url(#arrow)")
      .attr("d", (edge) => line(graph.edge(edge).points));
    const nodes = svg
      .append("g")
      .selectAll("g")
      .data(graph.nodes())
      .join("g")
      .attr("class", (key) => (key in report.layers ? `node ${report.layers[key].precision}` : "node input"))
      .attr("transform", (key) => `translate(${graph.node(key).x - SIZE.width / 2},${graph.node(key).y - SIZE.height / 2})`);
    nodes.append("rect").attr("width", SIZE.width).attr("height", SIZE.height).attr("rx", 5);
    const names = nodes
      .append("text")
      .attr("x", 8)
      .attr("y", 16)
      .text((key) => shortened(key in report.layers ? report.layers[key].name : key.slice(4)));
    const kinds = nodes
      .append("text")
      .attr("class", "small")
      .attr("x", 8)
      .attr("y", 31)
      .text((key) => (key in report.layers ? second(report.layers[key]) : "input"));
    const layers = nodes.filter((key) => key in report.layers);
    const marks = layers
      .append("text")
      .attr("class", "mark")
      .attr("x", SIZE.width - 6)
      .attr("y", 31)
      .text((key) => report.layers[key].precision);
    const [ofNames, ofKinds, ofMarks] = [names, kinds, marks].map(lengths);
    squeeze(names, ofNames, SIZE.width - 14);
    squeeze(kinds, ofKinds, SIZE.width - 20 - (d3.max(ofMarks) ?? 0));
    layers
      .attr("role", "button")
      .attr("tabindex", (key) => (key === "0" ? 0 : -1))
      .attr("data-index", (key) => key)
      .on("click", (_, key) => report.select(Number(key)))
      .on("keydown", (event, key) => {
        const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
        if (event.key === "Enter" || event.key === " ") report.select(Number(key));
        else if (step) focus(Number(key) + step);
        else return;
        event.preventDefault();
      })
      .on("mouseenter focus", (_, key) => {
        document.getElementById("hovered").textContent = report.layers[key].name;
      });

    const focus = (index) => {
      const next = layers.filter((key) => Number(key) === index);
      if (next.empty()) return;
      layers.attr("tabindex", -1);
      next.attr("tabindex", 0).node().focus();
    };

    const colour = (by) => {
      const legend = document.getElementById("legend");
      legend.replaceChildren();
      if (by === "precision") {
        layers.style("--fill", null).style("--ink", null);
        for (const [kind, words] of [["int8", "int8"], ["fp32", "fp32"], ["edge", "boundary between formats"]]) {
          const item = d3.select(legend).append("span");
          item.append("span").attr("class", `swatch ${kind}`);
          item.append("span").text(words);
        }
        return;
      }
      const { options, value } = scales[by]();
      const scale = Plot.scale({ color: options });
      layers.each(function (key) {
        const number = value(report.layers[key]);
        const fill = Number.isFinite(number) ? scale.apply(number) : null;
        d3.select(this)
          .style("--fill", fill ?? "var(--nothing)")
          .style("--ink", fill === null ? "var(--text)" : d3.lab(fill).l > 55 ? "#000" : "#fff");
      });
      legend.append(Plot.legend({ color: options, width: 300, style: { background: "none" } }));
      d3.select(legend).append("span").attr("class", "note").text("bright: noisy; grey: not known, or none");
    };
    for (const input of document.querySelectorAll("input[name=colour]")) {
      input.addEventListener("change", () => colour(input.value));
      if (input.checked) colour(input.value);
    }

    let zoom = Math.min(1, Math.max(0.5, place.clientWidth / width));
    const resize = (to) => {
      const middle = (place.scrollTop + place.clientHeight / 2) / (height * zoom);
      zoom = Math.min(3, Math.max(0.02, to));
      svg.attr("width", width * zoom).attr("height", height * zoom);
      place.scrollTop = middle * height * zoom - place.clientHeight / 2;
    };
    resize(zoom);
    place.scrollTop = 0;
    document.getElementById("zoom-in").addEventListener("click", () => resize(zoom * 1.3));
    document.getElementById("zoom-out").addEventListener("click", () => resize(zoom / 1.3));
    document.getElementById("zoom-whole").addEventListener("click", () =>
      resize(Math.min(place.clientWidth / width, place.clientHeight / height)),
    );

    report.listeners.push((index) => {
      layers.classed("selected", (key) => Number(key) === index);
      const node = graph.node(`${index}`);
      place.scrollTo({ top: node.y * zoom - place.clientHeight / 2, left: node.x * zoom - place.clientWidth / 2 });
    });
  };

  if (place) setTimeout(draw, 0); // the rest of the page is shown before
}
