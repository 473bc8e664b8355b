"""A visitor's session: all of their state, and what can be taken home of it."""

from __future__ import annotations

import asyncio
from typing import Any

import param

from dashboards.files.gallery import GALLERY
from dashboards.files.uploads import Uploads
from dashboards.service.requests import (
    Bundle,
    Describe,
    Explain,
    ModelEntry,
    Part,
    Predict,
    Upload,
)
from dashboards.service.service import Service
from dashboards.state.comparison import Comparison
from dashboards.state.explanation_quality import ExplanationQuality
from dashboards.state.explorer import NOTHING, Explorer
from dashboards.state.layer_sweep import LayerSweep
from dashboards.state.links import TABS, Known, View, from_query, to_query
from dashboards.state.listener import Listener
from dashboards.state.narrator import Narrator
from dashboards.state.ranking import Ranking
from dashboards.state.workspace import Workspace, is_medical
from xai_tf.attribution.explanation import Explanation
from xai_tf.bundles.write import describe_audit
from xai_tf.classifiers.loading import card_beside
from xai_tf.errors import InputError, XaiTfError
from xai_tf.metrics.tables import describe_scores
from xai_tf.narration import facts, tell
from xai_tf.regions import audit
from xai_tf.reports import ReportItem, session_report


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
        self.workspace = Workspace(service, uploads)
        self.explorer = Explorer(self.workspace)
        self.comparison = Comparison(self.workspace, self.explorer)
        self.layer_sweep = LayerSweep(self.workspace)
        self.quality = ExplanationQuality(self.explorer)
        self.ranking = Ranking(self.comparison, self.quality)
        self.listener = Listener(self.explorer)
        self._wanted: View | None = None  # by a link, as soon as its file has been read
        self._taking = asyncio.Lock()  # what is taken home: one after the other
        super().__init__(**params)
        self.narrator = Narrator(self)
        self.workspace.param.watch(self._grant, "reading")

    @param.depends("tab", watch=True)
    def _look(self) -> None:
        self.comparison.active, self.layer_sweep.active = (
            self.tab == "compare",
            self.tab == "layers",
        )

    def view(self) -> View:
        """What a link to here says."""
        workspace, explorer = self.workspace, self.explorer
        return View(
            tab=self.tab,
            sample=workspace.file.sha256 if workspace.file else "",
            model=workspace.model.name if workspace.model else "",
            fingerprint=workspace.model.sha256[:8] if workspace.model else "",
            window=workspace.window,
            method=explorer.method,
            target=None if explorer.target < 0 else explorer.target,
            contrast=None if explorer.contrast in (NOTHING, explorer.target) else explorer.contrast,
            layer=explorer.layer,
            seed=explorer.seed,
            settings=tuple(sorted(explorer.settings.get(explorer.method, {}).items())),
            methods=tuple(self.comparison.methods),
            language=self.language,
            **self._view_of_tab(),
        )

    def _view_of_tab(self) -> dict[str, Any]:
        """What a link says of Compare or Layers, where it leads there."""
        grid, layer_sweep = self.comparison, self.layer_sweep
        if self.workspace.reading is None:
            return {}
        if self.tab == "compare":
            classes, models = tuple(grid.classes), tuple(grid.models)
            return {"across": grid.across, "classes": classes, "models": models}
        if self.tab == "layers":
            return {
                "left": layer_sweep.left,
                "right": layer_sweep.right,
                "through": layer_sweep.method,
            }
        return {}

    def link(self) -> str:
        """The query of a link that restores this view."""
        return to_query(self.view())

    def restore(self, query: str) -> None:
        """Go where a link leads, as far as it can be gone; what cannot is said."""
        gallery = {item.sha256: item for item in GALLERY}
        known = Known(self.service.models, {*gallery, *(f.sha256 for f in self.workspace.files)})
        view, said = from_query(query, known)
        self.param.update(tab=view.tab, language=view.language)
        if view.model:
            self.workspace.choose_model(view.model)
        if view.methods:
            self.comparison.methods = list(view.methods)
        self.comparison.across, self.layer_sweep.method = view.across, view.through
        self._wanted = view if view.sample else None
        if not view.sample:  # the question waits for whatever file comes next
            self.explorer.param.update(_how(self.explorer, view), layer=view.layer)
        if view.sample in gallery:
            item = gallery[view.sample]
            self.workspace.show(Uploads.from_path(item.path), view.model or item.model)
        elif own := self.workspace.find(view.sample):
            self.workspace.show(own, view.model)
        self._grant()
        if said:
            self.workspace.notice = " ".join(said)

    def _grant(self, *_: Any) -> None:
        """Ask the link's question once its file has been read."""
        view, workspace = self._wanted, self.workspace
        if view and workspace.reading is not None and workspace.file.sha256 == view.sample:
            self._wanted = None
            _ask(self.explorer, workspace, view)
            _compare(self.comparison, view)
            _follow(self.layer_sweep, view)

    def try_model(self, name: str) -> None:
        """Explain with a model, say the winner of a search; where it is not here, say so."""
        if name not in self.service.models:
            self.workspace.problem = (
                f"There is no model {name} on this server. Start the server again, with "
                "--models FOLDER if the model is not in a folder it knows."
            )
            return
        self.workspace.choose_model(name)
        self.tab = "explain"

    def made(self) -> list[tuple[Explain, Explanation]]:
        """The explanations of the files on the bench, in the order they were made."""
        on_bench = {file.sha256 for file in self.workspace.files}
        return [made for made in self.explorer.made.values() if made[0].file.sha256 in on_bench]

    def made_of_file(self) -> list[tuple[Explain, Explanation]]:
        """Those of the file that is looked at, by the model that looks."""
        shown = (self.workspace.file, self.workspace.model)
        return [made for made in self.made() if (made[0].file, made[0].model) == shown]

    async def bundle(self) -> bytes:
        """The command's bundle of the file on the bench, zipped.

        Raises:
            InputError: nothing of it has been explained yet.
        """
        asked = tuple(request for request, _ in self.made_of_file())
        if not asked:
            raise InputError("Nothing has been explained yet. Explain something first.")
        async with self._taking:
            wanted = Bundle(asked, self.quality.judges_of(asked))
            return await self.workspace.visitor.submit(wanted, "bundle").result()

    async def report(self) -> bytes:
        """One HTML page of all that was explained of the files on the bench.

        What cannot be read any more is left out, and said on the page.

        Raises:
            InputError: nothing has been explained yet, or nothing of it can be read any more.
        """
        groups: dict[tuple[ModelEntry, Upload], list[tuple[Explain, Explanation]]] = {}
        for request, explanation in self.made():
            groups.setdefault((request.model, request.file), []).append((request, explanation))
        if not groups:
            raise InputError("Nothing has been explained yet. Explain something first.")
        items, missing = [], []
        async with self._taking:
            for (model, file), made in groups.items():
                try:
                    items.append(await self._report_item(model, file, made))
                except XaiTfError as error:
                    missing.append(f"{file.name} with {model.name} is left out: {error}")
            if not items:
                raise InputError(" ".join(missing))
            page = await asyncio.to_thread(
                session_report,
                items,
                "xai-tf: report of a session",
                " ".join(missing),
                language=self.language,
            )
        return page.encode()

    async def _report_item(
        self, model: ModelEntry, file: Upload, made: list[tuple[Explain, Explanation]]
    ) -> ReportItem:
        visitor, explanations, audits = self.workspace.visitor, [found for _, found in made], []
        for request, explanation in made:
            part = Part(model, file, request.window)
            try:
                regions = await visitor.submit(part, "report regions").result()
            except XaiTfError:  # the page does without, and so does the report: by its frame alone
                regions = None
            audits.append(describe_audit(audit(explanation, regions)))
        scores = describe_scores(
            explanations, [self.quality.scores_of(request) for request, _ in made]
        )
        described = await visitor.submit(Describe(model), "report model").result()
        reading = await visitor.submit(Predict(model, file), "report file").result()
        card = card_beside(model.path, model.sha256)
        said = tell(facts(reading, explanations, medical=is_medical(model)), self.language)
        return ReportItem(
            reading,
            tuple(explanations),
            described.description,
            said,
            card,
            scores=tuple(map(tuple, scores)),
            audits=tuple(audits),
        )

    def close(self) -> None:
        """End the session."""
        self.narrator.close()
        self.workspace.close()


def _ask(explorer: Explorer, workspace: Workspace, view: View) -> None:
    windows, classes = len(workspace.reading.samples), len(workspace.reading.prediction.classes)
    if view.window < windows:
        workspace.window = view.window
    target = view.target if view.target is not None and view.target < classes else -1
    contrast = view.contrast if view.contrast is not None and view.contrast < classes else -1
    known = workspace.facts.feature_layers if workspace.facts else None
    layer = view.layer if known is None or view.layer in known else ""
    explorer.param.update(_how(explorer, view), target=target, contrast=contrast, layer=layer)


def _how(explorer: Explorer, view: View) -> dict[str, Any]:
    """The part of a question that is about no file and no model."""
    settings = {**explorer.settings, view.method: dict(view.settings)}
    return {"method": view.method, "seed": view.seed, "settings": settings}


def _compare(grid: Comparison, view: View) -> None:
    """Compare what a link compares, as far as it can be compared here."""
    num_classes = len(grid.workspace.reading.prediction.classes)
    alike = [model.name for model in grid.comparable()]
    classes = [label for label in view.classes if label < num_classes]
    models = [name for name in view.models if name in alike]
    grid.param.update(classes=classes or grid.classes, models=models or grid.models)


def _follow(layer_sweep: LayerSweep, view: View) -> None:
    """Follow the models that a link follows, as far as they are here."""
    names = [model.name for model in layer_sweep.choices()]
    left = view.left if view.left in names else layer_sweep.left
    right = (
        view.right if view.right in ("", *names) else layer_sweep.right
    )  # None: the page's choice
    layer_sweep.param.update(left=left, right=right)
