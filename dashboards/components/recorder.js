// Record from the microphone and write a WAV file: uncompressed, as it was heard.

import {sender} from "../_resources/js/chunked_upload.js"

// Runs in the browser's sound thread: hands over what it hears, 128 samples at a time.
const LISTENER = `registerProcessor("listener", class extends AudioWorkletProcessor {
  process([[heard]]) {
    if (heard) { this.port.postMessage(heard.slice()) }
    return true
  }
})`

const PROBLEMS = {
  NotAllowedError: "The browser may not use the microphone. "
    + "Allow it beside the address of this page, then record again.",
  NotFoundError: "There is no microphone. Connect one, or drop a sound file instead.",
  NotReadableError: "Another program holds the microphone. Close it, then record again.",
}
const INSECURE = "A browser records only on https or localhost. "
  + "Open the page there, or drop a sound file instead."

export function render({model, el}) {
  const send = sender(model, () => {})
  const button = document.createElement("button")
  button.type = "button"
  const level = document.createElement("meter")
  level.max = 1
  level.setAttribute("aria-label", "Loudness")
  const said = document.createElement("p")
  said.setAttribute("role", "status")
  let recording = null

  const show = (text) => {
    button.textContent = recording ? "Stop" : "Record from the microphone"
    button.classList.toggle("recording", recording !== null)
    level.hidden = recording === null
    said.textContent = text
  }
  const stop = () => {
    const {pieces, context, stream} = recording
    recording = null
    stream.getTracks().forEach((track) => track.stop())
    context.close()
    const length = pieces.reduce((sum, piece) => sum + piece.length, 0)
    if (length === 0) {
      show("Nothing was heard. Record again.")
      return
    }
    send(new File([wavOf(pieces, length, context.sampleRate)], "recording.wav"))
    show(`Recorded ${(length / context.sampleRate).toFixed(1)} s.`)
  }
  const start = async () => {
    if (!navigator.mediaDevices?.getUserMedia) {
      show(INSECURE)
      return
    }
    button.disabled = true
    try {
      recording = await listen((heard) => {
        if (recording === null) {
          return // stopped, with some still on its way
        }
        recording.pieces.push(heard)
        recording.length += heard.length
        level.value = heard.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
        const seconds = recording.length / recording.context.sampleRate
        if (seconds >= model.seconds) {
          stop()
        } else if (Math.floor(seconds) > recording.told) {
          // Once a second is enough for a screen reader.
          recording.told = Math.floor(seconds)
          said.textContent = `Recording: ${recording.told} s of at most ${model.seconds} s`
        }
      })
      show("Recording")
    } catch (error) {
      show(PROBLEMS[error.name] ?? `The microphone cannot be used: ${error.message}`)
    } finally {
      button.disabled = false
    }
  }
  button.addEventListener("click", () => recording ? stop() : start())
  model.on("remove", () => {
    recording?.stream.getTracks().forEach((track) => track.stop())
    recording?.context.close()
  })
  show("")
  el.append(button, level, said)
}

async function listen(hear) {
  // Browsers "improve" speech unless told not to, and what they do is what a detector looks for.
  const stream = await navigator.mediaDevices.getUserMedia({
    audio: {echoCancellation: false, noiseSuppression: false, autoGainControl: false},
  })
  const context = new AudioContext()
  const address = URL.createObjectURL(new Blob([LISTENER], {type: "text/javascript"}))
  await context.audioWorklet.addModule(address)
  URL.revokeObjectURL(address)
  const listener = new AudioWorkletNode(context, "listener", {
    numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit",
  })
  context.createMediaStreamSource(stream).connect(listener)
  listener.port.onmessage = ({data}) => hear(data)
  return {stream, context, pieces: [], length: 0, told: 0}
}

function wavOf(pieces, length, rate) {
  const bytes = new ArrayBuffer(44 + 2 * length)
  const view = new DataView(bytes)
  const write = (at, text) => {
    [...text].forEach((sign, i) => view.setUint8(at + i, sign.charCodeAt(0)))
  }
  write(0, "RIFF")
  view.setUint32(4, 36 + 2 * length, true)
  write(8, "WAVEfmt ")
  view.setUint32(16, 16, true)
  view.setUint16(20, 1, true) // plain numbers
  view.setUint16(22, 1, true) // channels
  view.setUint32(24, rate, true)
  view.setUint32(28, 2 * rate, true)
  view.setUint16(32, 2, true)
  view.setUint16(34, 16, true) // bits
  write(36, "data")
  view.setUint32(40, 2 * length, true)
  let at = 44
  for (const piece of pieces) {
    for (const value of piece) {
      view.setInt16(at, Math.round(Math.max(-1, Math.min(1, value)) * 32767), true)
      at += 2
    }
  }
  return bytes
}
