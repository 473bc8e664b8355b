// Keyboard shortcuts. Some are sent to the server, the others go to the attribution viewers.

const MODES = {o: "toggle", m: "next"}
// Elements that use keys themselves; shortcuts are ignored there.
const TYPING = "input:not([type=range], [type=checkbox], [type=radio], [type=button]), textarea, "
  + "select, [role=combobox], [role=listbox], [role=option], [role=menu], [role=spinbutton]"
const MOVING = "input, audio, video, [role=slider], [role=tab], [role=radio], [role=grid]"
const MODAL = "dialog, [role=dialog]"

export function render({model, el}) {
  const press = (event) => {
    const path = event.composedPath().filter((node) => node instanceof Element)
    const within = (selector) => path.some((node) => node.matches(selector))
    const modified = event.ctrlKey || event.altKey || event.metaKey
    const typing = within(TYPING) || path.some((node) => node.isContentEditable)
    if (!model.enabled || modified || typing || event.repeat || event.isComposing
      || event.defaultPrevented) {
      return
    }
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key
    if (key in MODES) {
      window.dispatchEvent(new CustomEvent("xai-tf-mode", {detail: MODES[key]}))
    } else if (model.esm_constants.keys.includes(key) && !within(MODAL)
      && !(key.startsWith("Arrow") && within(MOVING))) {
      event.preventDefault()
      model.send_msg(key)
    }
  }
  document.addEventListener("keydown", press)
  model.on("remove", () => document.removeEventListener("keydown", press))
  el.setAttribute("aria-hidden", "true")
}
