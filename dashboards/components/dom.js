// Helpers that create elements. Text is never parsed as markup, as names come from visitors.

// The page brings the translations of the texts in these files; see `dashboards/language.py`.
const texts = JSON.parse(document.documentElement.dataset.texts || "{}")
const language = document.documentElement.lang || "en"

// A text in the language of the page, with values in place of its {names}.
export function t(text, values = {}) {
  return (texts[text] ?? text).replace(/\{(\w+)\}/g, (_, name) => values[name])
}

// A number as the language of the page writes it.
export function number(value, digits, style = "decimal") {
  const options = {style, minimumFractionDigits: digits, maximumFractionDigits: digits}
  return value.toLocaleString(language, {...options, useGrouping: false})
}

// A number that is written in English, as the language of the page writes it.
export const written = (text) => text.replace(".", (0.5).toLocaleString(language)[1])

export function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    node.setAttribute(name, value)
  }
  node.append(...children)
  return node
}

// Panel drops what is said before the page is drawn.
export function whenDrawn(model, act) {
  if (model.document.is_idle) act()
  else model.document.idle.connect(act)
}

// An element at the end of another one.
export function add(parent, tag, className, text) {
  const element = parent.appendChild(document.createElement(tag))
  element.className = className
  if (text !== undefined) element.textContent = text
  return element
}

const ICONS = {
  play: "M8 5v14l11-7z",
  pause: "M6 5h4v14H6zM14 5h4v14h-4z",
  enlarge: "M5 14H3v7h7v-2H5zM3 10h2V5h5V3H3zM19 19h-5v2h7v-7h-2zM14 3v2h5v5h2V3z",
  box: "M3 3h4v2H5v2H3zM17 3h4v4h-2V5h-2zM3 17h2v2h2v2H3zM19 17h2v4h-4v-2h2zM9 3h6v2H9zM9 19h6v2H9zM3 9h2v6H3zM19 9h2v6h-2z",
  brush: "M7 14c-1.7 0-3 1.3-3 3 0 1.3-1.2 2-2 2 .9 1.2 2.5 2 4 2 2.2 0 4-1.8 4-4 0-1.7-1.3-3-3-3zM20.7 4.6l-1.3-1.3a1 1 0 0 0-1.400 0L9 12.2 11.800 15l8.900-9a1 1 0 0 0 0-1.400z",
  close: "M19 6.4 17.6 5 12 10.6 6.4 5 5 6.4l5.6 5.6L5 17.6 6.4 19l5.6-5.6 5.6 5.6 1.4-1.4-5.6-5.6z",
}

export function icon(name) {
  const space = "http://www.w3.org/2000/svg"
  const drawing = document.createElementNS(space, "svg")
  drawing.setAttribute("viewBox", "0 0 24 24")
  drawing.setAttribute("aria-hidden", "true")
  const path = document.createElementNS(space, "path")
  path.setAttribute("d", ICONS[name])
  drawing.append(path)
  return drawing
}

export const clamp = (value, low, high) => Math.min(high, Math.max(low, value))
