"use strict";
// The list of layers: sorted by a heading, filtered by name, operator and format.

{
  const list = d3.select("#list");
  const rows = list.select("tbody").selectAll("tr");
  const words = new Set(["name", "op", "precision"]);

  const value = (row, key) => {
    const text = row.dataset[key];
    if (words.has(key)) return text;
    return text === "" ? NaN : Number(text.replace("inf", "Infinity"));
  };

  /** Unknown values last, whatever the direction; ties in graph order. */
  const sort = (key, direction) => {
    const compare = direction === "ascending" ? d3.ascending : d3.descending;
    rows.datum(function () {
      return this;
    });
    rows.sort((a, b) => {
      const [x, y] = [value(a, key), value(b, key)];
      const unknown = Number.isNaN(x) - Number.isNaN(y);
      return unknown || compare(x, y) || value(a, "index") - value(b, "index");
    });
    list.selectAll("thead th").attr("aria-sort", function () {
      return this.dataset.key === key ? direction : null;
    });
  };

  list.selectAll("thead th").each(function () {
    const heading = this;
    heading.querySelector("button").addEventListener("click", () => {
      const up = heading.getAttribute("aria-sort");
      const first = words.has(heading.dataset.key) || heading.dataset.key === "index" ? "ascending" : "descending";
      sort(heading.dataset.key, up === null ? first : up === "ascending" ? "descending" : "ascending");
    });
  });

  const [find, format, deciding] = ["find", "format", "deciding"].map((id) => document.getElementById(id));
  const filter = () => {
    const wanted = find.value.trim().toLowerCase();
    let shown = 0;
    rows.each(function () {
      const { name, op, precision, share } = this.dataset;
      const fits =
        `${name} ${op}`.toLowerCase().includes(wanted) &&
        (!format.value || precision === format.value) &&
        (!deciding.checked || share !== "");
      this.hidden = !fits;
      shown += fits;
    });
    document.getElementById("count").textContent = `${shown} of ${rows.size()}`;
  };
  for (const control of [find, format, deciding]) control.addEventListener("input", filter);

  rows.on("click", function () {
    report.select(Number(this.dataset.index));
  });
  report.listeners.push((index) => {
    rows.classed("selected", function () {
      return Number(this.dataset.index) === index;
    });
  });

  sort("share", "descending");
  filter();
}
