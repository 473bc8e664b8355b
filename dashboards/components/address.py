"""The link of the view: shown as the browser's address, and copied by a button."""

from __future__ import annotations

import param
from panel.custom import JSComponent


class Address(JSComponent):
    """Updates the browser's address, copies the link, and tells what the window is like."""

    dark = param.Boolean(doc="Whether the system of the visitor prefers dark colors.")
    narrow = param.Boolean(doc="Whether the window is so narrow that the sidebar covers the page.")
    query = param.String(doc="The query of the link, without the question mark.")

    _esm = """
export function render({ model, el }) {
  const button = document.createElement("button");
  const status = document.createElement("span");
  const style = document.createElement("style");
  style.textContent = `
    button { font: inherit; font-size: 0.875rem; color: #fff;
      background: transparent; border: 1px solid currentColor; border-radius: 8px;
      padding: 6px 12px; cursor: pointer; white-space: nowrap; }
    button:focus-visible { outline: 3px solid currentColor; outline-offset: 2px; }
    span { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }`;
  button.type = "button";
  button.textContent = "Copy link";
  status.setAttribute("role", "status");
  el.append(style, button, status);
  const link = () => {
    const url = new URL(location.href);
    url.search = model.query;
    return url.href;
  };
  const announce = (text) => {
    button.textContent = status.textContent = text;
    setTimeout(() => { button.textContent = "Copy link"; }, 4000);
  };
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(link());
      announce("Copied");
    } catch {
      announce("Copy it from the address bar");  // the clipboard needs https
    }
  });
  model.on("query", () => history.replaceState(null, "", link()));
  const narrow = matchMedia("(max-width: 899px)");
  narrow.addEventListener("change", () => { model.narrow = narrow.matches; });
  const tell = () => {
    model.narrow = narrow.matches;
    model.dark = matchMedia("(prefers-color-scheme: dark)").matches;
  };
  // Panel drops changes that are made before the page is drawn.
  if (model.document.is_idle) tell();
  else model.document.idle.connect(tell);
}
"""
