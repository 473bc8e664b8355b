// The sound of a spectrogram: player, cursor, axes, and a readout of time and frequency.

import {clamp, icon, make, number, t, written} from "./dom.js"

const STEP = 0.05 // step of an arrow key, as a share of the sound
const ROUND = 10 // the position is announced in tenths of a second

const PLAYS = "xai-tf-plays" // event for the players of other components

let playing = null // only one sound plays at a time
document.addEventListener(PLAYS, ({detail}) => detail !== playing && playing?.pause())

export function addSound(model, group, frame, figure) {
  const audio = new Audio()
  const play = make("button", {type: "button", class: "play"})
  const clock = make("span", {class: "clock"})
  const note = make("p", {class: "note"})
  const readout = make("span", {class: "readout", "aria-hidden": "true"})
  const player = make("div", {class: "player"}, play, clock, readout)
  const position = make("div", {
    class: "position", role: "slider", tabindex: "0", "aria-label": t("Position in the sound"),
  })
  const cursor = make("div", {class: "cursor"})
  frame.append(cursor, position)
  figure.append(player, note)
  addAxes(model, frame, position, readout)

  const seek = (share) => {
    if (audio.duration) {
      audio.currentTime = share * audio.duration
    }
    group.set({time: share})
  }
  const toggle = () => audio.paused ? audio.play().catch(refused) : audio.pause()
  const refused = () => { clock.textContent = t("This browser cannot play the sound.") }
  const follow = () => {
    if (!audio.paused) {
      group.set({time: audio.currentTime / audio.duration})
      requestAnimationFrame(follow)
    }
  }
  const label = () => {
    play.replaceChildren(icon(audio.paused ? "play" : "pause"))
    play.setAttribute("aria-label", audio.paused ? t("Play") : t("Pause"))
  }

  play.addEventListener("click", toggle)
  audio.addEventListener("play", () => {
    if (playing !== audio) {
      playing?.pause()
    }
    playing = audio
    document.dispatchEvent(new CustomEvent(PLAYS, {detail: audio}))
    label()
    follow()
  })
  audio.addEventListener("pause", label)
  audio.addEventListener("ended", () => group.set({time: 1}))
  position.addEventListener("pointerdown", (event) => {
    const box = frame.getBoundingClientRect()
    seek(clamp((event.clientX - box.left) / box.width, 0, 1))
  })
  position.addEventListener("keydown", (event) => {
    const {time} = group.state
    const targets = {ArrowLeft: time - STEP, ArrowRight: time + STEP, Home: 0, End: 1}
    if (event.key === " ") {
      event.preventDefault()
      toggle()
    } else if (event.key in targets) {
      event.preventDefault()
      seek(clamp(targets[event.key], 0, 1))
    }
  })

  const draw = ({time}) => {
    const [start, end] = model.span
    const now = start + time * (end - start)
    cursor.style.left = `${100 * time}%`
    const text = t("{now} s of {end} s", {now: number(now, 2), end: number(end, 2)})
    clock.textContent = text
    for (const [name, value] of [["min", start], ["max", end], ["now", now]]) {
      position.setAttribute(`aria-value${name}`, Math.round(value * ROUND) / ROUND)
    }
    position.setAttribute("aria-valuetext", t("{now} seconds", {now: number(now, 1)}))
  }
  const load = () => {
    audio.pause()
    if (model.sound) {
      audio.src = model.sound
    } else {
      audio.removeAttribute("src")
    }
    for (const part of [player, position, cursor]) {
      part.hidden = !model.sound
    }
    group.set({time: 0})
  }
  const warn = () => {
    note.textContent = model.sound_note
    note.hidden = !model.sound_note
  }
  model.on("sound", load)
  model.on("sound_note", warn)
  model.on("span", () => draw(group.state))
  load()
  warn()
  label()
  return {draw, remove: () => audio.pause()}
}

function addAxes(model, frame, position, readout) {
  const plot = frame.parentNode
  const axes = {x: make("div", {class: "axis x"}), y: make("div", {class: "axis y"})}
  plot.append(axes.y, axes.x)
  const draw = () => {
    plot.classList.toggle("scaled", Boolean(model.axes.x))
    for (const [name, axis] of Object.entries(axes)) {
      const {title, ticks} = model.axes[name] ?? {title: "", ticks: []}
      axis.replaceChildren(make("span", {class: "title"}, title === "seconds" ? t("seconds") : title), ...ticks.map(([share, text]) => {
        const tick = make("span", {class: "tick"}, written(text))
        tick.style[name === "x" ? "left" : "bottom"] = `${100 * share}%`
        return tick
      }))
    }
  }
  position.addEventListener("pointermove", (event) => {
    if (!model.axes.x) {
      return
    }
    const box = frame.getBoundingClientRect()
    const seconds = valueAt(model.axes.x.ticks, (event.clientX - box.left) / box.width)
    const hertz = valueAt(model.axes.y.ticks, (box.bottom - event.clientY) / box.height)
    readout.textContent = `${Math.round(hertz)} Hz, ${number(seconds, 2)} s`
  })
  position.addEventListener("pointerleave", () => { readout.textContent = "" })
  model.on("axes", draw)
  draw()
}

// The value of an axis at a share of its length, interpolated linearly between ticks. On a mel axis
// this is exact below 1 kHz and within 2% above.
function valueAt(ticks, share) {
  const after = ticks.findIndex(([place]) => place > share)
  const right = after === -1 ? ticks.length - 1 : Math.max(after, 1)
  const [[from, low], [to, high]] = [ticks[right - 1], ticks[right]]
  return Math.max(0, Number(low) + (Number(high) - Number(low)) * (share - from) / (to - from))
}
