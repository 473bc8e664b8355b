"""A visitor's session: all of their state, and what can be taken home of it."""

from __future__ import annotations

import asyncio
from typing import Any

import param

from dashboards.gallery import GALLERY
from dashboards.links import TABS, Known, View, from_query, to_query
from dashboards.report import ReportItem, session_report
from dashboards.service.requests import Bundle, Describe, Explain, Predict
from dashboards.service.service import Service
from dashboards.state.bench import Bench, is_medical
from dashboards.state.comparison import Comparison
from dashboards.state.depth import Depth
from dashboards.state.explorer import NOTHING, Explorer
from dashboards.state.narrator import Narrator
from dashboards.uploads import Uploads
from xai_tf.classifier import card_beside
from xai_tf.errors import InputError
from xai_tf.explanation import Explanation
from xai_tf.narration import facts, tell


class Session(param.Parameterized):
    """All that one visitor has.

    Attributes:
        tab: the page that is looked at, one of `links.TABS`.
        language: "en" or "fr", of the text in words.
    """

    tab = param.Selector(default="explain", objects=list(TABS))
    language = param.Selector(default="en", objects=["en", "fr"])

    def __init__(self, service: Service, uploads: Uploads, **params: Any) -> None:
        self.service = service
        self.bench = Bench(service, uploads)
        self.explorer = Explorer(self.bench)
        self.comparison = Comparison(self.bench, self.explorer)
        self.depth = Depth(self.bench)
        self._wanted: View | None = None  # by a link, as soon as its file has been read
        super().__init__(**params)
        self.narrator = Narrator(self)
        self.bench.param.watch(self._grant, "reading")

    @param.depends("tab", watch=True)
    def _look(self) -> None:
        self.depth.active = self.tab == "layers"

    def view(self) -> View:
        """What a link to here says."""
        bench, explorer = self.bench, self.explorer
        return View(
            tab=self.tab,
            sample=bench.file.sha256 if bench.file else "",
            model=bench.model.name if bench.model else "",
            fingerprint=bench.model.sha256[:8] if bench.model else "",
            window=bench.window,
            method=explorer.method,
            target=None if explorer.target < 0 else explorer.target,
            contrast=None if explorer.contrast in (NOTHING, explorer.target) else explorer.contrast,
            layer=explorer.layer,
            seed=explorer.seed,
            settings=tuple(sorted(explorer.settings.get(explorer.method, {}).items())),
            methods=tuple(self.comparison.methods),
            language=self.language,
        )

    def link(self) -> str:
        """The query of a link that restores this view."""
        return to_query(self.view())

    def restore(self, query: str) -> None:
        """Go where a link leads, as far as it can be gone; what cannot is said."""
        gallery = {item.sha256: item for item in GALLERY}
        known = Known(self.service.models, {*gallery, *(f.sha256 for f in self.bench.files)})
        view, said = from_query(query, known)
        self.param.update(tab=view.tab, language=view.language)
        if view.model:
            self.bench.choose_model(view.model)
        if view.methods:
            self.comparison.methods = list(view.methods)
        self._wanted = view if view.sample else None
        if view.sample in gallery:
            item = gallery[view.sample]
            self.bench.show(Uploads.from_path(item.path), view.model or item.model)
        elif own := self.bench.find(view.sample):
            self.bench.show(own, view.model)
        self._grant()
        if said:
            self.bench.notice = " ".join(said)

    def _grant(self, *_: Any) -> None:
        """Ask the link's question once its file has been read."""
        view, bench = self._wanted, self.bench
        if view and bench.reading is not None and bench.file.sha256 == view.sample:
            self._wanted = None
            _ask(self.explorer, bench, view)

    def made(self) -> list[tuple[Explain, Explanation]]:
        """The explanations of this session, in the order they were made."""
        return list(self.explorer.made.values())

    async def bundle(self) -> bytes:
        """The command's bundle of the file on the bench, zipped.

        Raises:
            InputError: nothing of it has been explained yet.
        """
        bench = self.bench
        asked = tuple(
            request
            for request, _ in self.made()
            if (request.file, request.model) == (bench.file, bench.model)
        )
        if not asked:
            raise InputError("Nothing has been explained yet. Explain something first.")
        return await bench.visitor.submit(Bundle(asked), "bundle").result()

    async def report(self) -> bytes:
        """One HTML page of all that was explained in this session.

        Raises:
            InputError: nothing has been explained yet.
        """
        if not self.made():
            raise InputError("Nothing has been explained yet. Explain something first.")
        items = []
        visitor = self.bench.visitor
        groups: dict[Any, list[Explanation]] = {}
        for request, explanation in self.made():
            groups.setdefault((request.model, request.file), []).append(explanation)
        for (model, file), explanations in groups.items():
            described = await visitor.submit(Describe(model), "report model").result()
            reading = await visitor.submit(Predict(model, file), "report file").result()
            medical, card = is_medical(model), card_beside(model.path, model.sha256)
            said = tell(facts(reading, explanations, medical=medical), self.language)
            items.append(
                ReportItem(reading, tuple(explanations), described.description, said, card)
            )
        page = await asyncio.to_thread(
            session_report, items, "xai-tf: report of a session", "", language=self.language
        )
        return page.encode()

    def close(self) -> None:
        """End the session."""
        self.narrator.close()
        self.bench.close()


def _ask(explorer: Explorer, bench: Bench, view: View) -> None:
    windows, classes = len(bench.reading.samples), len(bench.reading.prediction.classes)
    if view.window < windows:
        bench.window = view.window
    target = view.target if view.target is not None and view.target < classes else -1
    contrast = view.contrast if view.contrast is not None and view.contrast < classes else -1
    known = bench.facts.feature_layers if bench.facts else None
    layer = view.layer if known is None or view.layer in known else ""
    explorer.param.update(
        method=view.method, target=target, contrast=contrast, layer=layer, seed=view.seed,
        settings={**explorer.settings, view.method: dict(view.settings)},
    )  # fmt: skip
