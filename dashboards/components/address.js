// The link of the view: shown as the browser's address, and copied by a button; and the same view
// in the other language.

import {make, t, whenDrawn} from "../_resources/js/dom.js"

const DRAWER = '.MuiDrawer-paper[role="dialog"]:not([aria-label])'
const STYLE = `
  button, a { font: inherit; font-size: 0.875rem; color: #fff; white-space: nowrap; }
  button { background: transparent; border: 1px solid currentColor; border-radius: 8px;
    padding: 6px 12px; cursor: pointer; }
  a { padding: 6px 0; margin-right: 14px; }
  :focus-visible { outline: 3px solid currentColor; outline-offset: 2px; }
  span { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }`

export function render({model, el}) {
  const button = make("button", {type: "button"}, t("Copy link"))
  const status = make("span", {role: "status"})
  const language = make("a", {lang: model.language, hreflang: model.language}, model.language_name)
  el.append(make("style", {}, STYLE), language, button, status)
  const link = (query) => {
    const url = new URL(location.href)
    url.search = query
    return url.href
  }
  const announce = (text) => {
    button.textContent = status.textContent = text
    setTimeout(() => { button.textContent = t("Copy link") }, 4000)
  }
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(link(model.query))
      announce(t("Copied"))
    } catch {
      announce(t("Copy it from the address bar")) // the clipboard needs https
    }
  })
  model.on("query", () => history.replaceState(null, "", link(model.query)))
  const point = () => { language.href = link(model.translated) }
  model.on("translated", point)
  point()
  const narrow = matchMedia("(max-width: 899px)")
  narrow.addEventListener("change", () => { model.narrow = narrow.matches })
  const tell = () => {
    model.narrow = narrow.matches
    model.dark = matchMedia("(prefers-color-scheme: dark)").matches
  }
  // On a phone the template draws the sidebar as a dialog, which has no name of its own.
  const nameDrawers = () => {
    for (let root = el.getRootNode(); root; root = root.host?.getRootNode()) {
      const look = () => {
        for (const drawer of root.querySelectorAll(DRAWER)) {
          drawer.setAttribute("aria-label", t("Files"))
        }
      }
      new MutationObserver(look).observe(root, {childList: true, subtree: true})
      look()
    }
  }
  let named = false
  whenDrawn(model, () => {
    tell()
    if (!named) nameDrawers()
    named = true
  })
}
