// A button with a word, a color and an icon. The icon differs in shape, so color is never needed.
const ICONS = { not_supported: "✕", partly_supported: "!", well_supported: "✓" };

export function render({ model }) {
  const button = document.createElement("button");
  const icon = document.createElement("span");
  const word = document.createElement("span");
  button.type = "button";
  icon.className = "icon";
  icon.setAttribute("aria-hidden", "true");
  button.append(icon, word);
  button.addEventListener("click", () => model.send_msg("press"));

  const draw = () => {
    button.hidden = !model.level;
    button.className = `verdict-button ${model.level}`;
    button.title = model.description;
    button.setAttribute("aria-label", `${model.label}: ${model.word}`);
    icon.textContent = ICONS[model.level] ?? "";
    word.textContent = model.word;
  };
  for (const name of ["level", "word", "label", "description"]) model.on(name, draw);
  draw();
  return button;
}
