// A menu: the browser's own, or a field with a list that can be searched (WAI-ARIA combobox).

import {clamp, icon, make, t, whenDrawn} from "../_resources/js/dom.js"

const LEAST = 220 // pixels below the field; with less, the list opens above it if there is more
const MOST = 340 // height of the list in pixels
const PAGE = 8 // options that a page key moves

export function render({model}) {
  const press = (text) => whenDrawn(model, () => model.send_msg({press: text}))
  return model.searchable || model.esm_constants.several ? field(model, press) : menu(model, press)
}

function menu(model, press) {
  const select = make("select", {id: "control"})
  const mark = () => { select.value = model.chosen[0] } // without one, nothing is selected
  const draw = () => {
    select.replaceChildren(...model.texts.map((text) => make("option", {value: text}, text)))
    mark()
  }
  select.addEventListener("change", () => press(select.value))
  model.on("texts", draw)
  model.on("chosen", mark)
  draw()
  return framed(model, select, select)
}

function field(model, press) {
  const {several} = model.esm_constants
  const input = make("input", {
    id: "control", type: "text", role: "combobox", autocomplete: "off", spellcheck: "false",
    "aria-autocomplete": "list", "aria-controls": "options", "aria-expanded": "false",
  })
  const list = make("ul", {id: "options", role: "listbox"})
  const status = make("p", {role: "status"})
  const popup = make("div", {class: "popup", popover: "manual"}, list, status)
  const chips = make("span", {class: "chips"})
  const inside = make("div", {class: "inside"}, chips, input)
  const box = framed(model, input, inside, popup)
  let isOpen = false
  let at = -1 // the place of the active option in the list

  const isFull = () => several && model.max_items !== null && model.chosen.length >= model.max_items

  const point = (place) => {
    list.children[at]?.classList.remove("active")
    at = list.children.length ? clamp(place, 0, list.children.length - 1) : -1
    const option = list.children[at]
    option?.classList.add("active")
    option?.scrollIntoView({block: "nearest"})
    if (option) input.setAttribute("aria-activedescendant", option.id)
    else input.removeAttribute("aria-activedescendant")
  }

  const mark = () => {
    for (const option of list.children) {
      const isChosen = model.chosen.includes(option.textContent)
      option.setAttribute("aria-selected", isChosen)
      option.setAttribute("aria-disabled", !isChosen && isFull())
    }
  }

  const fill = (typed) => {
    const wanted = typed.trim().toLowerCase()
    const texts = model.texts.filter((text) => text.toLowerCase().includes(wanted))
    list.replaceChildren(...texts.map((text, place) => {
      const option = make("li", {id: `option-${place}`, role: "option"}, text)
      option.addEventListener("click", () => choose(text))
      return option
    }))
    list.hidden = !texts.length
    mark()
    tell(wanted)
    point(wanted ? 0 : Math.max(0, texts.indexOf(model.chosen[0])))
  }

  const tell = (wanted) => {
    const full = isFull() ? t("At most {count} can be chosen.", {count: model.max_items}) : ""
    status.textContent = !list.children.length ? t("Nothing matches.")
      : full || (wanted ? t("Matches: {count}", {count: list.children.length}) : "")
    status.hidden = !status.textContent
  }

  const place = () => {
    const {left, top, bottom, width} = inside.getBoundingClientRect()
    const height = window.visualViewport?.height ?? window.innerHeight
    const upwards = height - bottom < LEAST && top > height - bottom
    popup.style.left = `${left}px`
    popup.style.width = `${width}px`
    popup.style.top = upwards ? "auto" : `${bottom + 2}px`
    popup.style.bottom = upwards ? `${window.innerHeight - top + 10}px` : "auto"
    list.style.maxHeight = `${Math.min(MOST, (upwards ? top : height - bottom) - 50)}px`
  }

  const open = (typed = "") => {
    if (!isOpen && !model.disabled) {
      isOpen = true
      popup.showPopover()
      input.setAttribute("aria-expanded", "true")
      window.addEventListener("scroll", place, true)
      window.addEventListener("resize", place)
    }
    place()
    fill(typed)
  }

  const close = () => {
    if (isOpen) {
      isOpen = false
      popup.hidePopover()
      input.setAttribute("aria-expanded", "false")
      window.removeEventListener("scroll", place, true)
      window.removeEventListener("resize", place)
      list.replaceChildren()
      point(-1)
    }
    rest()
  }

  // What the field shows while nobody searches.
  const rest = () => { input.value = several ? "" : model.chosen[0] ?? "" }

  const choose = (text) => {
    const isChosen = model.chosen.includes(text)
    if (several ? isChosen || !isFull() : !isChosen) {
      press(text)
    }
    if (several) {
      input.value = ""
    } else {
      close()
      input.value = text
    }
  }

  const drawChips = () => {
    chips.replaceChildren(...(several ? model.chosen : []).map((text) => {
      const name = t("Remove {name}", {name: text})
      // Keys take a choice back in the list, so that the field is one stop of the Tab key.
      const remove = make("button", {type: "button", tabindex: "-1", "aria-label": name})
      remove.append(icon("close"))
      remove.addEventListener("click", () => press(text))
      return make("span", {class: "chip"}, text, remove)
    }))
  }

  const keys = {
    ArrowDown: () => isOpen ? point(at + 1) : open(),
    ArrowUp: () => isOpen ? point(at - 1) : open(),
    PageDown: () => isOpen ? point(at + PAGE) : open(),
    PageUp: () => isOpen ? point(at - PAGE) : open(),
    Enter: () => isOpen ? list.children[at] && choose(list.children[at].textContent) : open(),
    Escape: () => close(),
  }
  input.addEventListener("keydown", (event) => {
    if (event.key in keys && (isOpen || event.key !== "Escape")) {
      event.preventDefault()
      event.stopPropagation()
      keys[event.key]()
    } else if (event.key === "Backspace" && several && !input.value && model.chosen.length) {
      press(model.chosen.at(-1))
    }
  })
  input.addEventListener("input", () => open(input.value))
  input.addEventListener("blur", close)
  inside.addEventListener("click", (event) => {
    if (!chips.contains(event.target)) {
      input.focus()
      input.select()
      open()
    }
  })
  // The field keeps the focus while an option is pressed.
  popup.addEventListener("mousedown", (event) => event.preventDefault())

  model.on("label", () => list.setAttribute("aria-label", model.label))
  model.on("texts", () => isOpen ? fill(input.value) : rest())
  model.on("chosen", () => {
    drawChips()
    if (isOpen) {
      mark()
      tell("")
      place()
    } else {
      rest()
    }
  })
  model.on("remove", close)
  list.setAttribute("aria-label", model.label)
  if (several) list.setAttribute("aria-multiselectable", "true")
  drawChips()
  rest()
  return box
}

// The label in the border of a control, as Material's fields have it.
function framed(model, control, ...parts) {
  const label = make("label", {for: "control"})
  const notch = make("legend")
  const draw = () => {
    label.textContent = label.title = notch.textContent = model.label
    control.disabled = model.disabled
  }
  model.on(["label", "disabled"], draw)
  draw()
  return make(
    "div", {class: "box"}, label, ...parts, make("fieldset", {"aria-hidden": "true"}, notch),
  )
}
