"""A visitor's session: all of their state, and the files they can download."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import param

from dashboards.files.gallery import GALLERY
from dashboards.files.uploads import Uploads
from dashboards.language import mark, t
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
from dashboards.state.overview import Overview
from dashboards.state.ranking import Ranking
from dashboards.state.trust import Trust
from dashboards.state.what_if import WhatIfEditor
from dashboards.state.workspace import Workspace, is_medical
from xai_tf.attribution.explanation import Explanation
from xai_tf.attribution.question import Question
from xai_tf.bundles.write import describe_audit
from xai_tf.classifiers.loading import card_beside
from xai_tf.errors import InputError, XaiTfError
from xai_tf.metrics.tables import describe_scores
from xai_tf.narration import facts, narrate, narrate_maps
from xai_tf.narration.templates import LANGUAGES
from xai_tf.regions import audit
from xai_tf.reports import ReportItem, session_report
from xai_tf.trust import describe_verdict, verdicts


class Session(param.Parameterized):
    """The complete state of one visitor.

    Attributes:
        tab: the tab that is open, one of `links.TABS`.
        language: the language of the page, "en" or "fr"; a page keeps its language.
        chosen_language: the language that the link of the page asked for; "" for none.
    """

    tab: param.Selector[str] = param.Selector(default="explain", objects=list(TABS))
    language: param.Selector[str] = param.Selector(
        default="en", objects=list(LANGUAGES), constant=True
    )
    chosen_language = param.String()

    def __init__(self, service: Service, uploads: Uploads, **params: Any) -> None:
        self.service = service
        self.workspace = Workspace(service, uploads)
        self.explorer = Explorer(self.workspace)
        self.comparison = Comparison(self.workspace, self.explorer)
        self.layer_sweep = LayerSweep(self.workspace)
        self.what_if = WhatIfEditor(self.explorer)
        self.overview = Overview(self.explorer)
        self.quality = ExplanationQuality(self.explorer)
        self.trust = Trust(self.explorer, self.quality)
        self.ranking = Ranking(self.comparison, self.quality)
        self.listener = Listener(self.explorer)
        self._pending_view: View | None = None  # of a link whose file has not been read yet
        self._missing_notice = ""  # about the missing file of a link
        self._export_lock = asyncio.Lock()  # one download is prepared at a time
        super().__init__(**params)
        self.narrator = Narrator(self)
        self.workspace.param.watch(self._apply_pending_view, "reading")

    @param.depends("tab", watch=True)
    def _on_tab(self) -> None:
        self.comparison.active, self.layer_sweep.active = (
            self.tab == "compare",
            self.tab == "layers",
        )

    def view(self) -> View:
        """The view that a link to this page restores."""
        workspace, explorer = self.workspace, self.explorer
        return View(
            tab=self.tab,
            sample=workspace.file.sha256 if workspace.file else "",
            model=workspace.model.name if workspace.model else "",
            fingerprint=workspace.model.sha256[:8] if workspace.model else "",
            window=workspace.window,
            question=Question(
                explorer.method,
                target=None if explorer.target < 0 else explorer.target,
                contrast=None
                if explorer.contrast in (NOTHING, explorer.target)
                else explorer.contrast,
                layer=explorer.layer or None,
                seed=explorer.seed,
                settings=explorer.settings.get(explorer.method, {}),
            ),
            methods=tuple(self.comparison.methods),
            language=self.chosen_language,
            **self._view_of_tab(),
        )

    def _view_of_tab(self) -> dict[str, Any]:
        """The fields of a view that belong to the Compare or the Layers tab."""
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

    def link(self, language: str = "") -> str:
        """The query of a link that restores this view, in another language if one is given."""
        view = self.view()
        return to_query(replace(view, language=language or view.language))

    def restore(self, query: str) -> None:
        """Restore the view of a link as far as possible; the rest becomes a notice."""
        gallery = {item.sha256: item for item in GALLERY}
        known = Known(self.workspace.models, {*gallery, *(f.sha256 for f in self.workspace.files)})
        view, messages = from_query(query, known)
        self.param.update(tab=view.tab, chosen_language=view.language)
        if view.model:
            self.workspace.choose_model(view.model)
        if view.methods:
            self.comparison.methods = list(view.methods)
        self.comparison.across, self.layer_sweep.method = view.across, view.through
        self._pending_view = view if view.sample else None
        if not view.sample:  # the settings apply to the next file
            self.explorer.param.update(
                _question_params(self.explorer, view), layer=view.question.layer or ""
            )
        if view.sample in gallery:
            item = gallery[view.sample]
            self.workspace.show(Uploads.from_path(item.path), view.model or item.model)
        elif own := self.workspace.find(view.sample):
            self.workspace.show(own, view.model)
        self._apply_pending_view()
        if messages:
            self.workspace.notice = " ".join(messages)
        if view.sample not in known.samples:
            self._missing_notice = self.workspace.notice

    def _apply_pending_view(self, *_: Any) -> None:
        """Apply the view of a link once its file has been read."""
        view, workspace = self._pending_view, self.workspace
        if view and workspace.reading is not None and workspace.file.sha256 == view.sample:
            self._pending_view = None
            if workspace.notice == self._missing_notice:  # the file has come
                workspace.notice = ""
            _apply_question(self.explorer, workspace, view)
            _apply_comparison(self.comparison, view)
            _apply_layer_sweep(self.layer_sweep, view)

    async def try_model(self, name: str) -> None:
        """Switch to a model, such as the winner of a search; sets a problem if it is missing."""
        if name not in self.workspace.models:  # it may have been written a moment ago
            await self.workspace.available.refresh()
        if name not in self.workspace.models:
            self.workspace.problem = t(
                "There is no model {name} on this server. Put it into a folder of its models, or "
                "restart it with --models FOLDER and give the folder of the model.",
                name=name,
            )
            return
        self.workspace.choose_model(name)
        self.tab = "explain"

    def history(self) -> list[tuple[Explain, Explanation]]:
        """The explanations that the visitor saw of their files, in the order of their making."""
        current = {file.sha256 for file in self.workspace.files}
        return [
            entry
            for name, entry in self.explorer.history.items()
            if entry[0].file.sha256 in current and name not in self.explorer.unasked
        ]

    def file_history(self) -> list[tuple[Explain, Explanation]]:
        """The explanations of the current file by the current model."""
        shown = (self.workspace.file, self.workspace.model)
        return [entry for entry in self.history() if (entry[0].file, entry[0].model) == shown]

    async def bundle(self) -> bytes:
        """The bundle of the current file as a zip file, as `xai-tf explain` writes it.

        Raises:
            InputError: the file has no explanation yet.
        """
        explanations = tuple(request for request, _ in self.file_history())
        if not explanations:
            raise InputError(t("There is no explanation yet. Explain something first."))
        async with self._export_lock:
            request = Bundle(explanations, self.quality.requests_for(explanations))
            return await self.workspace.visitor.submit(request, "bundle").result()

    async def report(self) -> bytes:
        """An HTML report of all explanations of the visitor's files.

        Files that cannot be read any more are omitted, which the report mentions.

        Raises:
            InputError: there is no explanation yet, or none of the files can be read any more.
        """
        groups: dict[tuple[ModelEntry, Upload], list[tuple[Explain, Explanation]]] = {}
        for request, explanation in self.history():
            groups.setdefault((request.model, request.file), []).append((request, explanation))
        if not groups:
            raise InputError(t("There is no explanation yet. Explain something first."))
        items, missing = [], []
        async with self._export_lock:
            for (model, file), explained in groups.items():
                try:
                    items.append(await self._report_item(model, file, explained))
                except XaiTfError as error:
                    text = mark("{file} with {model} was omitted: {reason}")
                    missing.append(t(text, file=file.name, model=model.name, reason=error))
            if not items:
                raise InputError(" ".join(missing))
            page = await asyncio.to_thread(
                session_report,
                items,
                t("xai-tf session report"),
                " ".join(missing),
                language=self.language,
            )
        return page.encode()

    async def _report_item(
        self, model: ModelEntry, file: Upload, explained: list[tuple[Explain, Explanation]]
    ) -> ReportItem:
        visitor, audits, scored = self.workspace.visitor, [], []
        explanations = [explanation for _, explanation in explained]
        for request, explanation in explained:
            part = Part(model, file, request.window)
            try:
                regions = await visitor.submit(part, "report regions").result()
            except XaiTfError:  # as on the page, only the frame of the picture is audited then
                regions = None
            audits.append(audit(explanation, regions))
            scored.append(self.quality.scores_for(request))
        described = await visitor.submit(Describe(model), "report model").result()
        reading = await visitor.submit(Predict(model, file), "report file").result()
        card = card_beside(model.path, model.sha256)
        about_file = facts(reading, medical=is_medical(model))
        about_maps = facts(reading, explanations)
        return ReportItem(
            reading=reading,
            explanations=tuple(explanations),
            model=described.description,
            sentences=narrate(about_file, self.language),
            map_sentences=narrate_maps(about_maps, self.language),
            card=card,
            scores=tuple(map(tuple, describe_scores(explanations, scored))),
            audits=tuple(map(describe_audit, audits)),
            verdicts=tuple(
                describe_verdict(one, self.language)
                for one in verdicts(reading, explanations, audits, scored)
            ),
        )

    def close(self) -> None:
        """End the session."""
        self.narrator.close()
        self.overview.stop()
        self.workspace.close()


def _apply_question(explorer: Explorer, workspace: Workspace, view: View) -> None:
    windows, classes = len(workspace.reading.samples), len(workspace.reading.prediction.classes)
    if view.window < windows:
        workspace.window = view.window
    target, contrast = (
        -1 if label is None or label >= classes else label
        for label in (view.question.target, view.question.contrast)
    )
    layers = workspace.facts.feature_layers if workspace.facts else None
    layer = view.question.layer or ""
    layer = layer if layers is None or layer in layers else ""
    explorer.param.update(
        _question_params(explorer, view), target=target, contrast=contrast, layer=layer
    )


def _question_params(explorer: Explorer, view: View) -> dict[str, Any]:
    """The settings of a view that do not depend on the file or the model."""
    question = view.question
    settings = {**explorer.settings, question.method: question.given}
    return {"method": question.method, "seed": question.seed, "settings": settings}


def _apply_comparison(grid: Comparison, view: View) -> None:
    """Restore the columns of a comparison as far as they exist here."""
    num_classes = len(grid.workspace.reading.prediction.classes)
    comparable = [model.name for model in grid.comparable()]
    classes = [label for label in view.classes if label < num_classes]
    models = [name for name in view.models if name in comparable]
    grid.param.update(classes=classes or grid.classes, models=models or grid.models)


def _apply_layer_sweep(layer_sweep: LayerSweep, view: View) -> None:
    """Restore the models of the Layers tab as far as they exist here."""
    names = [model.name for model in layer_sweep.choices()]
    left = view.left if view.left in names else layer_sweep.left
    # `view.right` is None where the link leaves the choice to the page.
    right = view.right if view.right in ("", *names) else layer_sweep.right
    layer_sweep.param.update(left=left, right=right)
