// A field for files: files that are dropped, chosen or pasted are sent at once.

import {make, t} from "../_resources/js/dom.js"
import {sender} from "../_resources/js/chunked_upload.js"

export function render({model, el}) {
  const input = make("input", {type: "file", multiple: ""})
  const label = make("label", {}, input, t("Choose files, or drop them here"))
  const row = make("div", {class: "sending"})
  const field = make("div", {class: "field"}, label, row)

  const send = sender(model, (files, share) => {
    row.replaceChildren()
    if (files.length > 0) {
      const [{name}, ...more] = files
      const text = more.length ? t("{name} and {count} more", {name, count: more.length}) : name
      const bar = make("progress", {value: share, "aria-label": t("Uploading {name}", {name})})
      row.append(make("span", {}, text), bar)
    }
  })

  input.addEventListener("change", () => {
    send([...input.files])
    input.value = "" // so that the same file can be chosen again
  })
  field.addEventListener("paste", (event) => send([...event.clipboardData.files]))
  field.addEventListener("dragover", (event) => {
    if (event.dataTransfer.types.includes("Files")) {
      event.preventDefault() // otherwise the browser opens the file
      field.classList.add("over")
    }
  })
  field.addEventListener("dragleave", (event) => {
    field.classList.toggle("over", field.contains(event.relatedTarget))
  })
  field.addEventListener("drop", (event) => {
    event.preventDefault()
    field.classList.remove("over")
    send([...event.dataTransfer.files])
  })
  el.append(field)
}
