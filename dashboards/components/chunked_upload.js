// Sends files in chunks, one file after the other; a chunk is sent when the previous one has
// arrived. chunked_upload.py describes the messages and when a file is rejected.

let count = 0 // number of files sent; it identifies a file, as names are not unique
let drops = 0 // number of times that files were given, one or several at once

// Returns a function that sends the files that were given at once; those of a folder have their path as name. `show` is
// called with the files still to be sent, the current one first, and the share of it that has arrived.
export function sender(model, show) {
  const files = []

  const send = async (at) => {
    const {number, file, name, drop} = files[0]
    show(files.map(({file}) => file), at / file.size || 0)
    // No data is sent of a file that is too large; a folder cannot be read.
    const end = file.size > model.max_bytes ? 0 : at + model.esm_constants.chunk
    const data = await file.slice(at, end).arrayBuffer().catch(() => new ArrayBuffer(0))
    if (!model.document.is_idle) { // Panel drops messages that are sent before the page is drawn
      await new Promise((done) => model.document.idle.connect(done))
    }
    model.send_msg({file: number, name, size: file.size, at, data, drop})
  }
  model.on("msg:custom", ({file, next}) => {
    if (file !== files[0]?.number) {
      return // a reply to this field before it was drawn again
    }
    if (next === null) {
      files.shift()
    }
    if (files.length > 0) {
      send(next ?? 0)
    } else {
      show([], 0)
    }
  })
  return (given, paths = given.map((file) => file.webkitRelativePath || file.name)) => {
    const idle = files.length === 0
    const drop = {number: drops++, count: given.length}
    files.push(...given.map((file, at) => ({number: count++, file, name: paths[at], drop})))
    if (idle && files.length > 0) {
      send(0)
    }
  }
}
