// Boxes and strokes that are drawn on the picture; each is sent when it is finished.
import {clamp, make} from "./dom.js"

const BRUSH = 0.03 // radius, as a share of the width
const LEAST = 0.01 // side of a box below which it was a click
const SPACE = "http://www.w3.org/2000/svg"

function draw(shape) {
  if (shape.length === 4) {
    const [left, top, right, bottom] = shape
    const box = document.createElementNS(SPACE, "rect")
    const sides = {
      x: Math.min(left, right), y: Math.min(top, bottom),
      width: Math.abs(right - left), height: Math.abs(bottom - top),
    }
    Object.entries(sides).forEach(([name, value]) => box.setAttribute(name, value))
    return box
  }
  const [radius, ...points] = shape
  const line = document.createElementNS(SPACE, "polyline")
  line.setAttribute("points", points.join(" "))
  line.style.vectorEffect = "none" // as wide as what it hides
  line.style.strokeWidth = 2 * radius
  return line
}

export function addDrawing(model, group, frame) {
  const marks = document.createElementNS(SPACE, "svg")
  marks.setAttribute("class", "marks")
  marks.setAttribute("viewBox", "0 0 1 1")
  marks.setAttribute("preserveAspectRatio", "none")
  marks.setAttribute("aria-hidden", "true")
  const sheet = make("div", {class: "sheet"})
  frame.append(marks, sheet)
  let shape = null

  const show = () => {
    marks.replaceChildren(...[...model.shapes, ...(shape ? [shape] : [])].map(draw))
  }
  const at = (event) => {
    const box = frame.getBoundingClientRect()
    return [
      clamp((event.clientX - box.left) / box.width, 0, 1),
      clamp((event.clientY - box.top) / box.height, 0, 1),
    ]
  }
  const choose = () => {
    sheet.hidden = !model.tool
    if (model.tool) {
      group.set({zoom: 1, x: 0.5, y: 0.5}) // shapes are shares of the whole picture
    }
  }
  sheet.addEventListener("pointerdown", (event) => {
    sheet.setPointerCapture(event.pointerId)
    const [x, y] = at(event)
    shape = model.tool === "box" ? [x, y, x, y] : [BRUSH, x, y]
    show()
  })
  sheet.addEventListener("pointermove", (event) => {
    if (shape === null) {
      return
    }
    const [x, y] = at(event)
    shape = model.tool === "box" ? [shape[0], shape[1], x, y] : [...shape, x, y].slice(0, 2001)
    show()
  })
  sheet.addEventListener("pointerup", () => {
    const done = shape
    shape = null
    const small = done?.length === 4
      && Math.min(Math.abs(done[2] - done[0]), Math.abs(done[3] - done[1])) < LEAST
    if (done && !small) {
      // A stroke of one point has three numbers, which the server takes for none.
      model.send_msg({shape: done.length === 3 ? [...done, done[1], done[2]] : done})
    }
    show()
  })
  sheet.addEventListener("pointercancel", () => { shape = null; show() })
  model.on("shapes", show)
  model.on("tool", choose)
  show()
  choose()
}
