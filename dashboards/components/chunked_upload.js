// Sends files in pieces, one file after the other; a piece goes when the one before it has arrived.
// What passes between here and the server, and why a file is turned away, is said in chunked_upload.py.

let count = 0 // of the files sent; each is named by its number, for names come twice

// Returns what sends a file. `show` is called with the files still to be sent, the first of them
// under way, and the share of it that has arrived.
export function sender(model, show) {
  const files = []

  const send = async (at) => {
    const {number, file} = files[0]
    show(files.map(({file}) => file), at / file.size || 0)
    // Of a file that is too large nothing is sent, and nothing can be of a folder.
    const end = file.size > model.largest ? 0 : at + model.esm_constants.piece
    const data = await file.slice(at, end).arrayBuffer().catch(() => new ArrayBuffer(0))
    if (!model.document.is_idle) { // Panel loses what is answered before the page is drawn
      await new Promise((done) => model.document.idle.connect(done))
    }
    model.send_msg({file: number, name: file.name, size: file.size, at, data})
  }
  model.on("msg:custom", ({file, next}) => {
    if (file !== files[0]?.number) {
      return // of the same field as it was drawn before
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
  return (file) => {
    files.push({number: count++, file})
    if (files.length === 1) {
      send(0)
    }
  }
}
