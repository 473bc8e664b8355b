// A confusion matrix: one tab stop, arrow keys move, each cell is a toggle button.
import {add, number, t} from "../_resources/js/dom.js"

const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

export function render({ model, el }) {
  const box = add(el, "div", "box");
  let cells = [];
  let stop = [0, 0];

  const isChosen = (row, column) => model.value[0] === row && model.value[1] === column;

  const mark = () => {
    cells.forEach((line, row) => line.forEach((button, column) => {
      button.setAttribute("aria-pressed", isChosen(row, column));
      button.tabIndex = row === stop[0] && column === stop[1] ? 0 : -1;
    }));
  };

  const choose = (row, column) => {
    stop = [row, column];
    model.value = isChosen(row, column) ? [] : [row, column];
    mark();
  };

  const move = (event, row, column) => {
    const step = STEPS[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    const last = cells.length - 1;
    stop = [row + step[0], column + step[1]].map((at) => Math.min(last, Math.max(0, at)));
    mark();
    cells[stop[0]][stop[1]].focus();
  };

  // Counts change with a slider; the buttons are reused so that the focus is not lost.
  const fill = () => {
    model.counts.forEach((line, row) => {
      const total = line.reduce((sum, count) => sum + count, 0);
      line.forEach((count, column) => {
        const button = cells[row]?.[column];
        if (!button) return;
        const share = total ? count / total : 0;
        const [truth, predicted] = [model.classes[row], model.classes[column]];
        button.firstChild.textContent = count;
        button.lastChild.textContent = total ? number(share, 0, "percent") : "–";
        button.style.setProperty("--share", `${Math.round(Math.sqrt(share) * 55)}%`);
        const values = {truth, predicted, count};
        button.setAttribute("aria-label", count === 1
          ? t("true class {truth}, predicted {predicted}: {count} file", values)
          : t("true class {truth}, predicted {predicted}: {count} files", values));
      });
    });
  };

  const draw = () => {
    box.replaceChildren();
    cells = [];
    stop = [0, 0];
    add(box, "p", "", t("Rows: true class. Columns: predicted class. Percentages are of the row."));
    const table = add(box, "table", model.classes.length > 6 ? "many" : "");
    table.setAttribute("aria-label", t("Confusion matrix"));
    const head = add(add(table, "thead", ""), "tr", "");
    add(head, "td", "");
    for (const name of model.classes) {
      const cell = add(head, "th", "");
      cell.scope = "col";
      cell.title = name;
      add(cell, "span", "", name);
    }
    const body = add(table, "tbody", "");
    model.classes.forEach((name, row) => {
      const line = add(body, "tr", "");
      const first = add(line, "th", "", name);
      first.scope = "row";
      first.title = name;
      cells.push(model.classes.map((_, column) => {
        const button = add(add(line, "td", ""), "button", row === column ? "right" : "wrong");
        button.type = "button";
        add(button, "span", "count");
        add(button, "span", "share");
        button.addEventListener("click", () => choose(row, column));
        button.addEventListener("keydown", (event) => move(event, row, column));
        return button;
      }));
    });
    fill();
    mark();
  };

  model.on("classes", draw);
  model.on("counts", fill);
  model.on("value", mark);
  draw();
}
