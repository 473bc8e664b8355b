// Radio buttons with pictures, bars and notes: one tab stop, arrow keys move (WAI-ARIA radio group).
import {add, whenDrawn} from "../_resources/js/dom.js"

function content(button, item) {
  if (item.picture) {
    const picture = add(button, "img", "picture");
    picture.src = item.picture;
    picture.alt = "";
  }
  const words = add(button, "span", "words");
  const line = add(words, "span", "line");
  add(line, "span", "label", item.label);
  if (item.badge) add(line, "span", "badge", item.badge);
  if (typeof item.share === "number") {
    const bar = add(words, "span", "bar");
    add(bar, "span", "fill").style.width = `${Math.max(0, Math.min(1, item.share)) * 100}%`;
  }
  if (item.note) add(words, "span", "note", item.note);
}

export function render({ model, el }) {
  const group = add(el, "div", "choices");
  group.setAttribute("role", "radiogroup");
  let buttons = [];

  const mark = () => {
    const chosen = buttons.find((button) => button.dataset.value === model.value);
    const stop = chosen ?? buttons.find((button) => !button.disabled);
    for (const button of buttons) {
      button.setAttribute("aria-checked", button === chosen);
      button.tabIndex = button === stop ? 0 : -1;
    }
  };

  const choose = (button) => {
    if (!button || button.disabled) return;
    button.focus();
    whenDrawn(model, () => {
      model.value = button.dataset.value;
      mark();
    });
  };

  const made = (value) => {
    const button = document.createElement("button");
    button.className = "choice";
    button.type = "button";
    button.dataset.value = value;
    button.setAttribute("role", "radio");
    button.addEventListener("click", () => choose(button));
    return button;
  };

  const draw = () => {
    const focused = buttons.findIndex((button) => button.matches(":focus"));
    group.className = `choices ${model.layout}`;
    group.setAttribute("aria-label", model.label);
    // A button stays the same one: a press that has begun must not end on another.
    const known = new Map(buttons.map((button) => [button.dataset.value, button]));
    buttons = model.items.map((item) => {
      const button = known.get(item.value) ?? made(item.value);
      button.disabled = Boolean(item.disabled);
      button.replaceChildren();
      content(button, item);
      return button;
    });
    if (buttons.length !== group.children.length || buttons.some((b, i) => b !== group.children[i]))
      group.replaceChildren(...buttons);
    mark();
    if (focused >= 0) buttons[Math.min(focused, buttons.length - 1)]?.focus();
  };

  group.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    const open = buttons.filter((button) => !button.disabled);
    const at = open.findIndex((button) => button.matches(":focus"));
    choose(open[(at + step + open.length) % open.length]);
  });

  for (const name of ["items", "layout", "label"]) model.on(name, draw);
  model.on("value", mark);
  draw();
}
