// A field for files: files that are dropped, chosen or pasted are sent at once. A field for folders takes a .zip, or a
// folder whose files are named by their path.

import {make, t} from "../_resources/js/dom.js"
import {sender} from "../_resources/js/chunked_upload.js"

// The files of dropped folders, and their paths.
async function filesOf(items) {
  const entries = [...items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry)
  const [files, paths] = [[], []]
  while (entries.length > 0) {
    const entry = entries.shift()
    if (entry.isDirectory) {
      const reader = entry.createReader()
      let some
      do { // a browser gives a hundred at a time
        some = await new Promise((done, failed) => reader.readEntries(done, failed))
        entries.push(...some)
      } while (some.length > 0)
    } else {
      files.push(await new Promise((done, failed) => entry.file(done, failed)))
      paths.push(entry.fullPath.slice(1))
    }
  }
  return [files, paths]
}

export function render({model, el}) {
  const folders = Boolean(model.esm_constants.folders)
  const input = make("input", folders ? {type: "file", accept: ".zip"} : {type: "file", multiple: ""})
  const text = folders ? t("Choose a .zip, or drop it or its folder here") : t("Choose files, or drop them here")
  const labels = [make("label", {}, input, text)]
  const inputs = [input]
  if (folders) {
    inputs.push(make("input", {type: "file", webkitdirectory: ""}))
    labels.push(make("label", {class: "folder"}, inputs[1], t("Choose a folder")))
  }
  const row = make("div", {class: "sending"})
  const field = make("div", {class: folders ? "field folders" : "field"}, ...labels, row)

  const sendAll = sender(model, (files, share) => {
    row.replaceChildren()
    if (files.length > 0) {
      const [{name}, ...more] = files
      const text = more.length ? t("{name} and {count} more", {name, count: more.length}) : name
      const bar = make("progress", {value: share, "aria-label": t("Uploading {name}", {name})})
      row.append(make("span", {}, text), bar)
    }
  })

  const send = (files, paths) => {
    if (folders && files.length > model.max_files) {
      model.send_msg({too_many: files.length})
    } else {
      sendAll(files, paths)
    }
  }

  for (const each of inputs) {
    each.addEventListener("change", () => {
      send([...each.files])
      each.value = "" // so that the same file can be chosen again
    })
  }
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
  field.addEventListener("drop", async (event) => {
    event.preventDefault()
    field.classList.remove("over")
    const plain = [...event.dataTransfer.files]
    const [files, paths] = folders ? await filesOf(event.dataTransfer.items) : [[], []]
    if (files.length > 0) {
      send(files, paths)
    } else {
      send(plain)
    }
  })
  el.append(field)
}
