// A sound with the browser's controls. It announces on the page that it plays, so that others stop.
const PLAYS = "xai-tf-plays";

export function render({ model, el }) {
  const audio = document.createElement("audio");
  audio.controls = true;
  audio.style.width = "100%";
  el.append(audio);

  const load = () => {
    audio.pause();
    audio.hidden = !model.sound;
    if (!model.sound) {
      audio.removeAttribute("src");
      return;
    }
    audio.src = model.sound;
  };
  const start = () => {
    load();
    if (model.sound) audio.play().catch(() => {}); // some browsers require a click on the player
  };
  const name = () => audio.setAttribute("aria-label", model.label);
  const yieldTo = (event) => {
    if (event.detail !== audio) audio.pause();
  };

  audio.addEventListener("play", () => {
    document.dispatchEvent(new CustomEvent(PLAYS, { detail: audio }));
  });
  document.addEventListener(PLAYS, yieldTo);
  model.on("sound", start);
  model.on("label", name);
  name();
  load(); // without playing, as it may be drawn again when its tab is reopened
  return () => {
    audio.pause();
    document.removeEventListener(PLAYS, yieldTo);
  };
}
