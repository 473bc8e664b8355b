// The methods as a strip of tiles: click to show or compute, point to preview, Stop in place.
import {make, t} from "../_resources/js/dom.js"

const HOVER = 150 // milliseconds before a tile is previewed
const RING = 94.2 // circumference of the ring: 2 * pi * 15

function ring(share) {
  const space = "http://www.w3.org/2000/svg"
  const drawing = document.createElementNS(space, "svg")
  drawing.setAttribute("viewBox", "0 0 36 36")
  drawing.setAttribute("class", share < 0 ? "ring waiting" : "ring")
  drawing.setAttribute("aria-hidden", "true")
  for (const name of ["track", "share"]) {
    const circle = document.createElementNS(space, "circle")
    for (const [key, value] of Object.entries({cx: 18, cy: 18, r: 15, class: name})) {
      circle.setAttribute(key, value)
    }
    drawing.append(circle)
  }
  drawing.lastChild.style.strokeDasharray = `${RING * (share < 0 ? 0.25 : share)} ${RING}`
  return drawing
}

function tile(model, item) {
  const running = item.value === model.running
  const picture = make("span", {class: "picture"})
  if (item.picture) {
    picture.append(make("img", {src: item.picture, alt: ""}))
  }
  if (running) {
    picture.append(ring(model.progress))
  }
  const button = make("button", {type: "button", class: "tile"}, picture)
  const name = make("span", {class: "name"}, item.label)
  button.append(name, make("span", {class: "badge"}, running ? t("running") : item.badge ?? ""))
  button.dataset.value = item.value
  button.setAttribute("aria-disabled", Boolean(item.disabled)) // and can still be reached by keys
  button.title = [item.label, item.note].filter(Boolean).join(": ")
  button.setAttribute("aria-pressed", item.value === model.value)
  if (item.star) {
    picture.append(make("span", {class: "star", title: t("Recommended"), "aria-hidden": "true"}, "★"))
    name.append(make("span", {class: "hidden"}, t(", recommended")))
  }
  const box = make("div", {class: "cell"}, button)
  if (running) {
    const stop = make("button", {type: "button", class: "stop", "aria-label": t("Stop {name}", {name: item.label})}, t("Stop"))
    stop.addEventListener("click", () => { model.stops += 1 })
    box.append(stop)
  }
  return box
}

export function render({model, el}) {
  const strip = make("div", {class: "strip", role: "toolbar"})
  el.append(strip)
  let timer = 0
  const buttons = () => [...strip.querySelectorAll(".tile")]

  const preview = (value) => {
    clearTimeout(timer)
    timer = setTimeout(() => { model.hovered = value }, value ? HOVER : 0)
  }
  // Only tiles that changed are replaced, so that a click is not lost while others are updated.
  let cells = new Map()
  const draw = () => {
    const focused = strip.getRootNode().activeElement?.dataset?.value
    strip.setAttribute("aria-label", model.label)
    const next = model.items.map((item) => {
      const key = JSON.stringify([item, item.value === model.running])
      const old = cells.get(item.value)
      return old?.key === key ? old : {key, value: item.value, box: tile(model, item)}
    })
    cells = new Map(next.map((cell) => [cell.value, cell]))
    next.forEach(({box}, number) => {
      const shown = strip.children[number]
      if (shown === undefined) {
        strip.append(box)
      } else if (shown !== box) {
        shown.replaceWith(box)
      }
    })
    while (strip.children.length > next.length) {
      strip.lastChild.remove()
    }
    const stop = buttons().find((b) => b.dataset.value === (focused ?? model.value)) ?? buttons()[0]
    buttons().forEach((button) => {
      button.tabIndex = button === stop ? 0 : -1
      button.setAttribute("aria-pressed", button.dataset.value === model.value)
    })
    if (focused && strip.getRootNode().activeElement?.dataset?.value !== focused) {
      stop?.focus()
    }
  }
  const mark = () => {
    for (const button of buttons()) {
      const chosen = button.dataset.value === model.value
      button.setAttribute("aria-pressed", chosen)
      if (chosen) {
        const {offsetLeft, offsetWidth} = button.parentNode
        const hidden = offsetLeft < strip.scrollLeft
          || offsetLeft + offsetWidth > strip.scrollLeft + strip.clientWidth
        if (hidden) {
          strip.scrollLeft = offsetLeft - strip.clientWidth / 2
        }
      }
    }
  }
  strip.addEventListener("click", (event) => {
    const button = event.target.closest(".tile")
    if (button && button.getAttribute("aria-disabled") !== "true") {
      model.send_msg({chosen: button.dataset.value})
      preview("")
    }
  })
  strip.addEventListener("pointerover", (event) => {
    const button = event.target.closest(".tile")
    preview(event.pointerType === "mouse" && button ? button.dataset.value : "")
  })
  strip.addEventListener("pointerleave", () => preview(""))
  strip.addEventListener("keydown", (event) => {
    const step = {ArrowRight: 1, ArrowLeft: -1}[event.key]
    const all = buttons()
    const at = all.indexOf(event.target)
    if (step && at >= 0) {
      event.preventDefault()
      event.stopPropagation()
      all.forEach((button) => { button.tabIndex = -1 })
      const next = all[(at + step + all.length) % all.length]
      next.tabIndex = 0
      next.focus()
    }
  })
  model.on("items", draw)
  model.on("label", draw)
  model.on("running", draw)
  model.on("value", mark)
  model.on("progress", () => {
    const old = strip.querySelector(".ring")
    old?.replaceWith(ring(model.progress))
  })
  draw()
}
