// Regions with their share of the evidence: pointing at a row shows it, its button hides it.
import {make, t} from "../_resources/js/dom.js"

export function render({model, el}) {
  const box = make("div", {class: "box"})
  el.append(box)
  const point = (value) => {
    if (model.pointed !== value) {
      model.pointed = value
    }
  }
  const row = (item) => {
    const hidden = model.hidden.includes(item.value)
    const bar = make("span", {class: "bar", "aria-hidden": "true"})
    const fill = make("span", {class: "fill"})
    fill.style.width = `${100 * item.share}%`
    const area = make("span", {class: "area"})
    area.style.left = `${100 * item.area}%`
    bar.append(fill, area)
    const button = make("button", {type: "button", "aria-pressed": hidden}, hidden ? t("Show") : t("Hide"))
    const name = item.label
    button.setAttribute("aria-label", hidden ? t("Show {name}", {name}) : t("Hide {name}", {name}))
    button.title = hidden ? t("Show it again") : t("Hide it, and predict again")
    button.addEventListener("click", () => model.send_msg({hide: item.value}))
    const words = make("span", {class: "words"}, make("b", {}, item.label), ` ${item.text}`)
    if (item.note) {
      words.append(make("span", {class: item.alarm ? "alarm" : "note"}, item.note))
    }
    const line = make("li", {class: item.alarm ? "alarmed" : ""}, words, button, bar)
    line.addEventListener("pointerenter", () => point(item.value))
    line.addEventListener("focusin", () => point(item.value))
    return line
  }
  const draw = () => {
    const groups = [...new Set(model.items.map((item) => item.group))]
    box.replaceChildren(...groups.flatMap((group) => [
      make("h3", {}, group),
      make("ul", {"aria-label": t("{name}: {meaning}", {name: model.label, meaning: group})},
        ...model.items.filter((item) => item.group === group).map(row)),
    ]))
  }
  box.addEventListener("pointerleave", () => point(""))
  box.addEventListener("focusout", (event) => !box.contains(event.relatedTarget) && point(""))
  model.on(["items", "hidden", "label"], draw)
  draw()
}
