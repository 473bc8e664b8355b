// Shows a bar while the server cannot be reached, and loads the page again when it can.

import {make, t} from "../_resources/js/dom.js"

const LOST = t("The connection to the server is lost. Trying again ...")
const SILENT = t("The server does not answer. Trying again ...")
const AGAIN = t(
  "The connection was lost again right after the page was loaded. Next try in 30 seconds.")
const FIRST = 1000 // milliseconds before the first try; each further one waits twice as long
const LONGEST = 8000
const PATIENCE = 10000 // how long an answer may take
const HEARTBEAT = 15000 // between two looks while all is well: a cable that is cut says nothing
// A page that loses its connection as soon as it is loaded must not be loaded in a tight loop.
const LOADED = "xai-tf-loaded-again"
const CALM = 30000

const sleep = (milliseconds) => new Promise((done) => { setTimeout(done, milliseconds) })

// Whether it is our server that answers: a proxy in front of it answers, too, while it is down.
async function answers() {
  try {
    const signal = AbortSignal.timeout(PATIENCE)
    const response = await fetch("alive", {cache: "no-store", signal})
    return (await response.json()).alive === true
  } catch {
    return false
  }
}

function loadAgain() {
  sessionStorage.setItem(LOADED, Date.now())
  location.reload()
}

export function render({model, el}) {
  const text = make("span", {role: "alert"})
  const button = make("button", {type: "button"}, t("Try now"))
  const bar = make("div", {hidden: "", style: `position: fixed; inset: 0 0 auto; z-index: 100000;
    padding: 10px 16px; gap: 16px; align-items: center; justify-content: center;
    background: #8c1d18; color: #fff; font: 500 1rem/1.4 system-ui, sans-serif`}, text, button)
  button.style.cssText = `font: inherit; color: inherit; background: transparent;
    border: 1px solid currentColor; border-radius: 8px; padding: 4px 12px; cursor: pointer`
  document.body.append(bar)
  const say = (words) => {
    bar.hidden = words === ""
    bar.style.display = words === "" ? "none" : "flex"
    if (text.textContent !== words) text.textContent = words
  }

  let closed = false // the session on the server is lost
  let trying = false
  let hurry = () => {}
  const pause = (milliseconds) => Promise.race(
    [sleep(milliseconds), new Promise((done) => { hurry = done })])

  const tryAgain = async () => {
    if (trying) return
    trying = true
    const since = Date.now() - Number(sessionStorage.getItem(LOADED) ?? 0)
    if (closed && since < CALM) {
      say(AGAIN)
      await pause(CALM)
    }
    for (let wait = FIRST; ; wait = Math.min(2 * wait, LONGEST)) {
      say(closed ? LOST : SILENT)
      await pause(wait)
      if (await answers()) {
        if (closed) return loadAgain()
        say("") // it was only silent for a while
        trying = false
        return
      }
    }
  }
  const look = async () => {
    if (!document.hidden && !trying && !await answers()) tryAgain()
  }

  model.document.on_event("connection_lost", () => {
    closed = true
    tryAgain()
  })
  button.addEventListener("click", () => hurry())
  const heart = setInterval(look, HEARTBEAT)
  window.addEventListener("offline", look)
  window.addEventListener("online", () => hurry())
  document.addEventListener("visibilitychange", look)
  model.on("remove", () => {
    clearInterval(heart)
    bar.remove()
    window.removeEventListener("offline", look)
    document.removeEventListener("visibilitychange", look)
  })
  el.setAttribute("aria-hidden", "true")
}
