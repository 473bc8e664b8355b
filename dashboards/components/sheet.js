// The handle of a sheet: the panel that holds it is `open` or not.
import {t} from "../_resources/js/dom.js"

export function render({model, el}) {
  const style = document.createElement("style")
  style.textContent = `
    button { all: unset; display: none; width: 100%; height: 20px; text-align: center; cursor: pointer; }
    button::before { content: ""; display: inline-block; width: 44px; height: 5px; border-radius: 3px;
      background: currentColor; opacity: 0.4; }
    button:focus-visible { outline: 3px solid var(--panel-primary-color, Highlight); outline-offset: -3px; }
    @media (max-width: 1000px) { button { display: block; } }`
  const handle = document.createElement("button")
  handle.type = "button"
  el.append(style, handle)
  let sheet = null
  const set = (open) => {
    sheet?.classList.toggle("open", open)
    handle.setAttribute("aria-expanded", open)
    handle.setAttribute("aria-label", open ? t("Close the panel") : t("Open the panel"))
  }
  handle.addEventListener("click", (event) => {
    event.stopPropagation()
    set(!sheet?.classList.contains("open"))
  })
  model.on("opened", () => set(true))
  // The panel holds this component only after it was drawn.
  requestAnimationFrame(() => {
    let node = el
    while (node && !node.classList?.contains("panel")) {
      node = node.parentElement ?? node.getRootNode().host
    }
    sheet = node
    sheet?.addEventListener("click", () => {
      if (!sheet.classList.contains("open")) {
        set(true)
      }
    })
    set(false)
  })
}
