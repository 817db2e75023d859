"use strict";
// The stages and their times, in the order in which they took place.

{
  const stages = report.stages.map(([name, seconds]) => ({ name: name.replaceAll("_", " "), seconds }));
  const place = document.getElementById("stages-plot");
  place.append(
    report.plot({
      width: Math.max(360, Math.min(1100, place.clientWidth)),
      marginLeft: 150,
      marginBottom: 46,
      marginRight: 50,
      height: 26 * stages.length + 66,
      ariaLabel: "Seconds of each stage; the table says the same",
      x: { label: "seconds", labelAnchor: "center", labelOffset: 40, grid: true },
      y: { label: null, domain: stages.map((stage) => stage.name) },
      marks: [
        Plot.barX(stages, { x: "seconds", y: "name", fill: "var(--dots)" }),
        Plot.text(stages, { x: "seconds", y: "name", text: (stage) => stage.seconds.toFixed(2), dx: 5, textAnchor: "start" }),
      ],
    }),
  );
}
