// Records from the microphone to an uncompressed WAV file.

import {number, t} from "../_resources/js/dom.js"
import {sender} from "../_resources/js/chunked_upload.js"

// Runs in the browser's audio thread and passes on the input, 128 samples at a time.
const LISTENER = `registerProcessor("listener", class extends AudioWorkletProcessor {
  process([[samples]]) {
    if (samples) { this.port.postMessage(samples.slice()) }
    return true
  }
})`

const PROBLEMS = {
  NotAllowedError: t("The browser is not allowed to use the microphone. Allow it next to the address of this page, then record again."),
  NotFoundError: t("No microphone was found. Connect one, or drop a sound file instead."),
  NotReadableError: t("Another program is using the microphone. Close it, then record again."),
}
const INSECURE = t("Browsers record only on https or localhost. Open the page there, or drop a sound file instead.")

export function render({model, el}) {
  const send = sender(model, () => {})
  const button = document.createElement("button")
  button.type = "button"
  const level = document.createElement("meter")
  level.max = 1
  level.setAttribute("aria-label", t("Input level"))
  const status = document.createElement("p")
  status.setAttribute("role", "status")
  let recording = null

  const show = (text) => {
    button.textContent = recording ? t("Stop") : t("Record from the microphone")
    button.classList.toggle("recording", recording !== null)
    level.hidden = recording === null
    status.textContent = text
  }
  const stop = () => {
    const {blocks, context, stream} = recording
    recording = null
    stream.getTracks().forEach((track) => track.stop())
    context.close()
    const length = blocks.reduce((sum, block) => sum + block.length, 0)
    if (length === 0) {
      show(t("Nothing was recorded. Record again."))
      return
    }
    send([new File([wavOf(blocks, length, context.sampleRate)], "recording.wav")])
    show(t("Recorded {seconds} s.", {seconds: number(length / context.sampleRate, 1)}))
  }
  const start = async () => {
    if (!navigator.mediaDevices?.getUserMedia) {
      show(INSECURE)
      return
    }
    button.disabled = true
    try {
      recording = await listen((block) => {
        if (recording === null) {
          return // a late block after the recording was stopped
        }
        recording.blocks.push(block)
        recording.length += block.length
        level.value = block.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
        const seconds = recording.length / recording.context.sampleRate
        if (seconds >= model.seconds) {
          stop()
        } else if (Math.floor(seconds) > recording.announced) {
          // Screen readers announce the status, so it changes only once a second.
          recording.announced = Math.floor(seconds)
          status.textContent = t(
            "Recording: {seconds} s of at most {limit} s",
            {seconds: recording.announced, limit: model.seconds},
          )
        }
      })
      show(t("Recording"))
    } catch (error) {
      show(PROBLEMS[error.name] ?? t("The microphone cannot be used: {reason}", {reason: error.message}))
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
  el.append(button, level, status)
}

async function listen(onBlock) {
  // By default browsers process speech, which leaves traces that a deepfake detector reacts to.
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
  listener.port.onmessage = ({data}) => onBlock(data)
  return {stream, context, blocks: [], length: 0, announced: 0}
}

function wavOf(blocks, length, rate) {
  const bytes = new ArrayBuffer(44 + 2 * length)
  const view = new DataView(bytes)
  const write = (at, text) => {
    [...text].forEach((character, i) => view.setUint8(at + i, character.charCodeAt(0)))
  }
  write(0, "RIFF")
  view.setUint32(4, 36 + 2 * length, true)
  write(8, "WAVEfmt ")
  view.setUint32(16, 16, true)
  view.setUint16(20, 1, true) // PCM
  view.setUint16(22, 1, true) // channels
  view.setUint32(24, rate, true)
  view.setUint32(28, 2 * rate, true)
  view.setUint16(32, 2, true)
  view.setUint16(34, 16, true) // bits
  write(36, "data")
  view.setUint32(40, 2 * length, true)
  let at = 44
  for (const block of blocks) {
    for (const value of block) {
      view.setInt16(at, Math.round(Math.max(-1, Math.min(1, value)) * 32767), true)
      at += 2
    }
  }
  return bytes
}
