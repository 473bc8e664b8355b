// A picture with its overlays. The server sends the layers; mode, opacity, swipe and zoom are
// handled in the browser without a round trip.

import {clamp, icon, make, number, t, written} from "../_resources/js/dom.js"
import {addDrawing} from "../_resources/js/drawing.js"
import {addSound} from "../_resources/js/sound.js"

const MODES = {original: t("Original"), overlay: t("Overlay"), map: t("Map"), swipe: t("Swipe")}
// What the server calls the scales.
const SCALES = {"strength": t("strength"), "against ← → for": t("against ← → for")}
const ZOOMS = [1, 2, 4]
const STEP = 0.05 // step of the swipe by arrow keys, as a share of the width
const WIDE = 1.6 // aspect of a spectrogram that fills its place
const SMALL = 128 // pictures narrower than this are scaled up without smoothing

// The state shared by the viewers of a group. A viewer without a group has its own.
const groups = new Map()

function groupOf(model, view) {
  const name = model.group ? `group ${model.group}` : `viewer ${view.model.id}`
  if (!groups.has(name)) {
    const {mode, opacity} = model
    groups.set(name, {
      state: {mode, opacity, swipe: 0.5, zoom: 1, x: 0.5, y: 0.5, time: 0},
      members: new Set(),
      set(changes) {
        Object.assign(this.state, changes)
        this.members.forEach((draw) => draw(this.state))
      },
    })
  }
  return groups.get(name)
}

export function render({model, view}) {
  const group = groupOf(model, view)
  const figure = make("figure", {role: "group"})
  const pictures = addPictures(model, figure)
  const sound = addSound(model, group, pictures.frame, figure)
  const scale = addScale(model, figure)
  const controls = addControls(model, group, figure)
  addDrawing(model, group, pictures.frame)
  const handle = addSwipe(model, group, pictures.frame)
  addZoom(model, group, pictures.frame)
  const caption = figure.appendChild(make("figcaption"))

  const draw = (state) => {
    const mode = model.heatmap || !(model.original || model.full) ? state.mode : "original"
    // The axes of a sound belong to the whole picture, so it cannot be zoomed.
    const zoom = model.sound ? 1 : state.zoom
    figure.dataset.mode = mode
    figure.classList.toggle("zoomed", zoom > 1)
    for (const [name, value] of Object.entries({...state, zoom})) {
      figure.style.setProperty(`--${name}`, value)
    }
    controls.draw(state, mode)
    handle.setAttribute("aria-valuenow", Math.round(100 * state.swipe))
    sound.draw(state)
  }
  const describe = () => {
    caption.textContent = model.caption
    caption.hidden = !model.caption
    figure.setAttribute("aria-label", model.caption || t("Picture"))
    pictures.layers.setAttribute("aria-label", model.alt)
    pictures.silence.hidden = model.signal || !model.heatmap
    pictures.status.textContent = model.busy ? t("Preview: still computing") : model.note
    figure.classList.toggle("bare", !model.original && !model.full)
    figure.classList.toggle("dimmed", model.dimmed)
    figure.classList.toggle("edited", Boolean(model.edited))
    figure.classList.toggle("sounding", Boolean(model.sound))
    figure.classList.toggle("mapped", Boolean(model.heatmap) || !(model.original || model.full))
    controls.bar.hidden = !model.controls
    draw(group.state)
  }
  const shortcut = ({detail}) => {
    // A map without a picture below it has only one mode.
    if (model.heatmap && !model.cover) {
      return
    }
    const mode = detail === "next" ? next(Object.keys(MODES), group.state.mode)
      : group.state.mode === "overlay" ? "original" : "overlay"
    // Every viewer of a group receives the key; the first one changes the mode for all.
    if (group.members.values().next().value === draw) {
      group.set({mode})
    }
  }

  model.on(["original", "heatmap", "alt", "caption", "note", "signal", "busy", "controls", "full", "dimmed", "edited", "sound"], describe)
  model.on("scale", scale.draw)
  model.on("mode", () => group.set({mode: model.mode}))
  model.on("opacity", () => group.set({opacity: model.opacity}))
  window.addEventListener("xai-tf-mode", shortcut)
  model.on("remove", () => {
    group.members.delete(draw)
    window.removeEventListener("xai-tf-mode", shortcut)
    sound.remove()
  })
  group.members.add(draw)
  scale.draw()
  describe()
  return make("div", {class: model.fill ? "stage fill" : "stage"}, figure)
}

function addPictures(model, figure) {
  // The file's own picture, where it is there, stands for the model's input and its gray copy.
  const layer = (name, own = false) => {
    const image = make("img", {class: name, alt: "", draggable: "false"})
    const load = () => {
      const source = (own && model.full) || model[name]
      image.hidden = !source
      image.classList.toggle("own", own && Boolean(model.full))
      if (source && image.src !== source) {
        image.src = source
      }
    }
    model.on(own ? [name, "full"] : name, load)
    load()
    return image
  }
  const original = layer("original", true)
  original.addEventListener("load", () => {
    const {naturalWidth: width, naturalHeight: height} = original
    const aspect = model.fill && model.sound ? WIDE : width / height
    figure.closest(".stage").style.setProperty("--aspect", aspect)
    figure.classList.toggle("pixels", width < SMALL)
  })
  const over = make("div", {class: "over"}, layer("gray", true), layer("cover"), layer("outlines"))
  const layers = make(
    "div", {class: "layers", role: "img"}, original, over, layer("heatmap"), layer("edited"),
    layer("highlight"), addPlaces(model),
  )
  const silence = make("p", {class: "silence"}, t("no signal"))
  const status = make("p", {class: "status", role: "status"})
  const frame = make("div", {class: "frame"}, layers, silence, status)
  figure.append(make("div", {class: "plot"}, frame))
  return {frame, layers, silence, status}
}

// Outlines with the numbers of the sentences that tell of them.
function addPlaces(model) {
  const places = make("div", {class: "places"})
  const draw = () => {
    places.replaceChildren(...model.places.map(([name, ...box]) => {
      const place = make("span", {class: "place"}, make("b", {}, name))
      const sides = ["left", "top", "width", "height"]
      sides.forEach((side, at) => { place.style[side] = `${100 * box[at]}%` })
      return place
    }))
  }
  model.on("places", draw)
  draw()
  return places
}

function addScale(model, figure) {
  const bar = make("div", {class: "bar"})
  const ticks = make("div", {class: "ticks", "aria-hidden": "true"})
  const title = make("div", {class: "title"})
  const scale = figure.appendChild(make("div", {class: "scale"}, bar, ticks, title))
  const draw = () => {
    scale.hidden = !model.scale.colors
    if (scale.hidden) {
      return
    }
    bar.style.background = `linear-gradient(to right, ${model.scale.colors.join(", ")})`
    title.textContent = SCALES[model.scale.title] ?? model.scale.title
    ticks.replaceChildren(...model.scale.ticks.map(([share, text]) => {
      const tick = make("span", {}, written(text))
      tick.style.left = `${100 * share}%`
      return tick
    }))
  }
  return {draw}
}

function addControls(model, group, figure) {
  const button = (label, click) => {
    const element = make("button", {type: "button"}, label)
    element.addEventListener("click", click)
    return element
  }
  const modes = Object.entries(MODES).map(([mode, title]) => {
    const element = button(title, () => group.set({mode}))
    element.dataset.mode = mode
    return element
  })
  const slider = make("input", {
    type: "range", min: 0, max: 100, step: 5, "aria-label": t("Opacity of the map"),
  })
  slider.addEventListener("input", () => group.set({opacity: slider.value / 100}))
  const label = make("span", {"aria-hidden": "true"}, t("Opacity"))
  const percent = make("output")
  const zoom = button("1×", () => {
    const level = next(ZOOMS, group.state.zoom)
    group.set(level > 1 ? {zoom: level} : {zoom: 1, x: 0.5, y: 0.5})
  })
  zoom.addEventListener("keydown", (event) => {
    const step = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]}
    if (group.state.zoom > 1 && event.key in step) {
      event.preventDefault()
      const {x, y} = group.state
      const [right, down] = step[event.key]
      group.set({x: clamp(x + right / 10, 0, 1), y: clamp(y + down / 10, 0, 1)})
    }
  })
  zoom.classList.add("zoom")
  const bar = figure.appendChild(make(
    "div", {class: "controls"},
    make("div", {class: "modes", role: "group", "aria-label": t("View")}, ...modes),
    make("div", {class: "tools"}, zoom, addEnlarge(figure, button)),
    addTools(model, button),
    make("div", {class: "opacity"}, label, slider, percent),
  ))
  const draw = (state, mode) => {
    modes.forEach((button) => button.setAttribute("aria-pressed", button.dataset.mode === mode))
    slider.value = 100 * state.opacity
    slider.disabled = !["overlay", "swipe"].includes(mode)
    percent.textContent = number(state.opacity, 0, "percent")
    zoom.textContent = `${state.zoom}×`
    zoom.setAttribute(
      "aria-label", t("Zoom, now {zoom} times; arrow keys move the picture", {zoom: state.zoom}),
    )
  }
  return {bar, draw}
}

// What the pointer hides: a second press of a tool puts it away.
function addTools(model, button) {
  const labels = {
    box: [t("Hide with the box"), t("Hide a part with the box, and see whether the answer changes")],
    brush: [
      t("Hide with the brush"), t("Hide a part with the brush, and see whether the answer changes"),
    ],
  }
  const tools = Object.entries(labels).map(([tool, [label, title]]) => {
    const element = button("", () => { model.tool = model.tool === tool ? "" : tool })
    element.append(icon(tool))
    element.title = title
    element.setAttribute("aria-label", label)
    element.dataset.tool = tool
    return element
  })
  const group = make("div", {class: "pens", role: "group", "aria-label": t("What if")}, ...tools)
  const draw = () => {
    group.hidden = !model.editable
    tools.forEach((element) => {
      element.setAttribute("aria-pressed", element.dataset.tool === model.tool)
    })
  }
  model.on(["tool", "editable"], draw)
  draw()
  return group
}

function addEnlarge(figure, button) {
  const dialog = make("dialog", {"aria-label": t("Enlarged picture")})
  const label = () => {
    toggle.replaceChildren(icon(dialog.open ? "close" : "enlarge"))
    toggle.setAttribute("aria-label", dialog.open ? t("Close") : t("Enlarge"))
  }
  const toggle = button("", () => {
    if (dialog.open) {
      dialog.close()
      return
    }
    figure.before(dialog)
    dialog.append(figure)
    dialog.showModal()
    label()
    toggle.focus()
  })
  dialog.addEventListener("close", () => {
    dialog.replaceWith(figure)
    label()
    toggle.focus()
  })
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close())
  toggle.classList.add("enlarge")
  label()
  return toggle
}

function addSwipe(model, group, frame) {
  const handle = frame.appendChild(make("div", {
    class: "handle", role: "slider", tabindex: "0",
    "aria-label": t("Swipe: original on the left, map on the right"),
    "aria-valuemin": 0, "aria-valuemax": 100,
  }))
  const drag = (event) => group.set({swipe: shareOf(event, frame).x})
  handle.addEventListener("pointerdown", (event) => {
    handle.setPointerCapture(event.pointerId)
    handle.addEventListener("pointermove", drag)
  })
  handle.addEventListener("lostpointercapture", () => {
    handle.removeEventListener("pointermove", drag)
  })
  handle.addEventListener("keydown", (event) => {
    const {swipe} = group.state
    const targets = {ArrowLeft: swipe - STEP, ArrowRight: swipe + STEP, Home: 0, End: 1}
    if (event.key in targets) {
      event.preventDefault()
      group.set({swipe: clamp(targets[event.key], 0, 1)})
    }
  })
  return handle
}

// A click zooms in at the pointer, dragging moves the zoomed picture. With a sound, a click seeks
// instead.
function addZoom(model, group, frame) {
  let from = null
  const layers = frame.firstChild
  layers.addEventListener("pointerdown", (event) => {
    if (model.sound || event.button !== 0) {
      return
    }
    layers.setPointerCapture(event.pointerId)
    from = {...shareOf(event, frame), origin: {...group.state}, moved: false}
  })
  layers.addEventListener("pointermove", (event) => {
    if (from === null) {
      return
    }
    const {x, y} = shareOf(event, frame)
    from.moved ||= Math.hypot(x - from.x, y - from.y) > 0.02
    if (from.moved && from.origin.zoom > 1) {
      const per = 1 - from.origin.zoom
      group.set({
        x: clamp(from.origin.x + (x - from.x) / per, 0, 1),
        y: clamp(from.origin.y + (y - from.y) / per, 0, 1),
      })
    }
  })
  layers.addEventListener("pointerup", () => {
    if (from !== null && !from.moved) {
      group.set(magnified(group.state, from))
    }
    from = null
  })
  layers.addEventListener("pointercancel", () => { from = null })
}

// The next zoom level, with the point at (x, y) of the frame staying in place.
function magnified(state, {x, y}) {
  const zoom = next(ZOOMS, state.zoom)
  if (zoom === 1) {
    return {zoom, x: 0.5, y: 0.5}
  }
  const origin = (share, center) => {
    const inPicture = center + (share - center) / state.zoom
    return clamp((share - inPicture * zoom) / (1 - zoom), 0, 1)
  }
  return {zoom, x: origin(x, state.x), y: origin(y, state.y)}
}

function shareOf(event, frame) {
  const box = frame.getBoundingClientRect()
  return {
    x: clamp((event.clientX - box.left) / box.width, 0, 1),
    y: clamp((event.clientY - box.top) / box.height, 0, 1),
  }
}

function next(values, value) {
  return values[(values.indexOf(value) + 1) % values.length]
}
