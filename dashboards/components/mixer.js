// Toggle buttons for the parts of a sound, and to solo or mute its regions.
import {add, t, whenDrawn} from "../_resources/js/dom.js"

const WAYS = [["solo", t("Solo")], ["mute", t("Mute")]];

export function render({ model, el }) {
  const box = add(el, "div", "mixer");
  const parts = add(box, "div", "parts");
  parts.setAttribute("role", "group");
  parts.setAttribute("aria-label", t("Part to play"));
  const scroll = add(box, "div", "scroll");
  let buttons = [];

  const press = (part, number) => whenDrawn(model, () => model.send_msg({ part, number }));

  const addButton = (parent, part, number, label, name) => {
    const button = add(parent, "button", "", label);
    button.type = "button";
    if (name) button.setAttribute("aria-label", name);
    button.addEventListener("click", () => press(part, number));
    buttons.push({ button, part, number });
  };

  const mark = () => {
    for (const { button, part, number } of buttons) {
      const pressed = part === model.part && (number === 0 || model.chosen.includes(number));
      button.setAttribute("aria-pressed", pressed);
      button.disabled = model.disabled;
    }
  };

  const drawParts = () => {
    buttons = buttons.filter(({ number }) => number > 0);
    parts.replaceChildren();
    for (const { value, label } of model.parts) addButton(parts, value, 0, label);
    mark();
  };

  const drawRegions = () => {
    buttons = buttons.filter(({ number }) => number === 0);
    scroll.replaceChildren();
    if (model.regions.length) {
      const table = add(scroll, "table", "");
      add(table, "caption", "", t("Strongest regions of the map"));
      const head = add(add(table, "thead", ""), "tr", "");
      for (const text of [t("Region"), t("Share of the evidence"), t("Play alone or mute")]) {
        add(head, "th", "", text).scope = "col";
      }
      const body = add(table, "tbody", "");
      model.regions.forEach(({ where, share }, place) => {
        const row = add(body, "tr", "");
        add(row, "th", "", where).scope = "row";
        add(row, "td", "", share);
        const cell = add(row, "td", "");
        for (const [part, label] of WAYS) {
          addButton(cell, part, place + 1, label, t("{name}: {meaning}", {name: label, meaning: where}));
        }
      });
    }
    mark();
  };

  model.on("parts", drawParts);
  model.on("regions", drawRegions);
  for (const name of ["part", "chosen", "disabled"]) model.on(name, mark);
  drawParts();
  drawRegions();
}
