// A table that sorts by its headers and whose rows can be chosen. Rows are reused on new data.
import {add, number, written} from "../_resources/js/dom.js"

function words(value, column) {
  if (value === null || value === undefined) return "–";
  if (typeof value !== "number") return column.words?.[value] ?? String(value);
  if (column.percent) return number(value, 1, "percent");
  if (column.digits !== undefined) return number(value, column.digits);
  return written(String(Number(value.toPrecision(4))));
}

function compare(first, second) {
  if (typeof first === "number" && typeof second === "number") return first - second;
  return String(first).localeCompare(String(second), undefined, { numeric: true });
}

export function render({ model, el }) {
  const box = add(el, "div", "box");
  box.tabIndex = 0; // so that the arrow keys scroll it
  box.setAttribute("role", "region");
  const table = add(box, "table", "");
  const head = add(add(table, "thead", ""), "tr", "");
  const body = add(table, "tbody", "");
  const rows = new Map();
  let sorted = { name: null, up: true };

  const key = (row) => String(row[model.columns[0].name]);

  const sortBy = (name) => {
    sorted = { name, up: sorted.name === name ? !sorted.up : true };
    drawHead();
    drawRows();
    [...head.querySelectorAll("button")].find((button) => button.dataset.name === name)?.focus();
  };

  const mark = () => {
    for (const [name, row] of rows) {
      row.classList.toggle("chosen", name === model.value);
      row.querySelector("button").setAttribute("aria-pressed", name === model.value);
    }
  };

  const drawHead = () => {
    head.replaceChildren();
    for (const column of model.columns) {
      const cell = add(head, "th", column.number ? "number" : "");
      cell.scope = "col";
      const button = add(cell, "button", "", column.label);
      button.type = "button";
      button.dataset.name = column.name;
      button.addEventListener("click", () => sortBy(column.name));
      if (sorted.name === column.name) {
        cell.setAttribute("aria-sort", sorted.up ? "ascending" : "descending");
      }
    }
  };

  const makeRow = (name) => {
    const row = document.createElement("tr");
    const choose = add(add(row, "th", ""), "button", "", name);
    row.firstChild.scope = "row";
    choose.type = "button";
    row.addEventListener("click", () => {
      model.value = name;
      mark();
    });
    model.columns.slice(1).forEach(() => add(row, "td", ""));
    return row;
  };

  const fill = (row, values) => {
    model.columns.slice(1).forEach((column, place) => {
      const cell = row.children[place + 1];
      const text = words(values[column.name], column);
      if (cell.textContent !== text) cell.textContent = text;
      cell.className = column.number ? "number" : "";
      cell.dataset.value = column.name === "status" ? values.status : "";
    });
  };

  const inOrder = () => {
    if (!model.columns.length) return []; // columns arrive before rows
    if (sorted.name === null) return model.rows;
    const missing = (row) => row[sorted.name] === null || row[sorted.name] === undefined;
    const sign = sorted.up ? 1 : -1;
    return [...model.rows].sort((a, b) => missing(a) - missing(b)
      || (missing(a) ? 0 : sign * compare(a[sorted.name], b[sorted.name])));
  };

  const drawRows = () => {
    const left = new Set(rows.keys());
    inOrder().forEach((values, place) => {
      const name = key(values);
      if (!rows.has(name)) rows.set(name, makeRow(name));
      const row = rows.get(name);
      left.delete(name);
      fill(row, values);
      // A row in the right place is not moved, so that it keeps the focus.
      if (body.children[place] !== row) body.insertBefore(row, body.children[place] ?? null);
    });
    for (const name of left) {
      rows.get(name).remove();
      rows.delete(name);
    }
    mark();
  };

  const rebuild = () => {
    rows.clear();
    body.replaceChildren();
    if (!model.columns.some((column) => column.name === sorted.name)) sorted = { name: null, up: true };
    drawHead();
    drawRows();
  };

  const name = () => {
    box.setAttribute("aria-label", model.label);
  };

  model.on("columns", rebuild);
  model.on("rows", drawRows);
  model.on("value", mark);
  model.on("label", name);
  name();
  rebuild();
}
