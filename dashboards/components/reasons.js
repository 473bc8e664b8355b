// A list of reasons with buttons. Text is never parsed as markup, as names come from visitors.
import {add} from "../_resources/js/dom.js"

const ICONS = { doubtful: "✕", caution: "!", unchecked: "?", supported: "✓" };

export function render({ model }) {
  const list = document.createElement("ul");

  const item = (reason, number) => {
    const row = add(list, "li", `reason ${reason.severity}`);
    const icon = add(row, "span", "icon", ICONS[reason.severity]);
    icon.setAttribute("role", "img");
    icon.setAttribute("aria-label", reason.word);
    const words = add(row, "div", "words");
    add(words, "span", "text", reason.text);
    for (const name of ["region", "remedy"]) {
      if (!reason[name]) continue;
      const button = add(words, "button", "", reason[name]);
      button.type = "button";
      button.addEventListener("click", () => model.send_msg({ button: name, number }));
    }
  };

  const draw = () => {
    const buttons = () => [...list.querySelectorAll("button")];
    const root = list.getRootNode();
    const focused = buttons().indexOf(root.activeElement);
    list.setAttribute("aria-label", model.label);
    list.replaceChildren();
    model.items.forEach(item);
    if (focused >= 0) buttons()[Math.min(focused, buttons().length - 1)]?.focus();
  };
  for (const name of ["items", "label"]) model.on(name, draw);
  draw();
  return list;
}
