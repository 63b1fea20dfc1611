
"use strict";
// The page is complete without this: it adds sorting by column, and the worklist's filters.
const words = new Intl.Collator("en", { numeric: true });

function valueOf(row, column, numeric) {
  const cell = row.cells[column];
  if (!cell) return numeric ? NaN : "";
  if (!numeric) return cell.textContent.trim();
  const text = cell.dataset.value === undefined ? cell.textContent : cell.dataset.value;
  return text.trim() === "" ? NaN : Number(text);
}

function compare(a, b) {
  if (typeof a === "string") return words.compare(a, b);
  if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);
  return a - b;
}

function sortBy(table, heading) {
  const descending = heading.getAttribute("aria-sort") === "ascending";
  for (const other of heading.parentNode.querySelectorAll("[aria-sort]")) {
    other.setAttribute("aria-sort", "none");
  }
  heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
  const column = heading.cellIndex;
  const numeric = heading.dataset.kind === "number";
  const body = table.tBodies[0];
  const keyed = Array.from(body.rows, (row) => [valueOf(row, column, numeric), row]);
  keyed.sort((a, b) => (descending ? compare(b[0], a[0]) : compare(a[0], b[0])));
  body.append(...keyed.map((pair) => pair[1]));
}

for (const table of document.querySelectorAll("table.sortable")) {
  for (const heading of table.querySelectorAll("th[data-kind]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    button.addEventListener("click", () => sortBy(table, heading));
    heading.append(button);
    heading.setAttribute("aria-sort", "none");
  }
}

const controls = document.querySelector(".controls");
if (controls) {
  const rows = Array.from(document.querySelectorAll("table.cases tbody tr"));
  const filters = Array.from(controls.querySelectorAll("select"));
  const apply = () => {
    let shown = 0;
    for (const row of rows) {
      const fits = filters.every(
        (filter) =>
          !filter.value || row.dataset[filter.dataset.filter].split(" ").includes(filter.value),
      );
      row.hidden = !fits;
      shown += fits;
    }
    controls.querySelector("output").textContent = `${shown} of ${rows.length} rows`;
  };
  for (const filter of filters) filter.addEventListener("change", apply);
  apply();
  controls.hidden = false;
}

addEventListener("beforeprint", () => {
  for (const folded of document.querySelectorAll("details")) folded.open = true;
});
