"""The page: a session and its views. It can also be run by `panel serve dashboards/app.py`."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any
from urllib.parse import urlencode

import panel as pn
import panel_material_ui as pmui
from panel.util import edit_readonly
from panel_material_ui.template.base import BASE_TEMPLATE

from dashboards.components.connection import Connection
from dashboards.components.shortcuts import Shortcuts
from dashboards.files.own_models import OwnModels
from dashboards.files.own_sets import OwnSets
from dashboards.files.uploads import open_uploads, uploads_folder
from dashboards.language import language, mark, set_language, t, wanted_language
from dashboards.server.addresses import visitors_bring_models
from dashboards.server.settings import ServeSettings, default_searches
from dashboards.server.visitors import current_visitor
from dashboards.service.requests import Explain
from dashboards.service.service import Service
from dashboards.state.errors import ErrorStudy
from dashboards.state.links import TABS
from dashboards.state.own_model import OwnModel
from dashboards.state.own_sets import OwnLabeled
from dashboards.state.session import Session
from dashboards.state.training import TrainingDesk
from dashboards.state.tuning import TuningRuns
from dashboards.views.compare import ComparePage
from dashboards.views.downloads import DownloadsView
from dashboards.views.errors import ErrorsView
from dashboards.views.explain import ExplainPage, PictureView
from dashboards.views.filmstrip import FilmstripView
from dashboards.views.help import HelpView
from dashboards.views.layer_sweep import LayerSweepPage
from dashboards.views.link import LinkView
from dashboards.views.listen import ListenView
from dashboards.views.method import MethodView
from dashboards.views.model_facts import ModelFactsView
from dashboards.views.narration import NarrationView
from dashboards.views.overview import OverviewView
from dashboards.views.own_model import OwnModelView
from dashboards.views.prediction import PredictionView
from dashboards.views.ranking import RankingView
from dashboards.views.regions import RegionsView
from dashboards.views.sidebar import FilesView, InputView, NoticesView
from dashboards.views.strip import StripView
from dashboards.views.theme import THEMES
from dashboards.views.trust import TrustView, VerdictBadge
from dashboards.views.tuning import TuningView
from dashboards.views.view import Later
from dashboards.views.what_if import WhatIfView
from xai_tf.attribution.methods import METHODS

TITLES = {
    "explain": mark("Explain"),
    "compare": mark("Compare"),
    "layers": mark("Layers"),
    "errors": mark("Errors"),
    "tuning": mark("Tuning"),
}
FILE_TABS = ("explain", "compare", "layers")
# Explain fills the screen; without this, no card of another tab would be higher than the screen.
WHOLE = ":host { max-height: none !important; }"
FOLLOW = 2000  # milliseconds between two looks at what changed on the server


def create_app(service: Service, settings: ServeSettings) -> pmui.Page:
    """A visitor's page: their own session on the shared service."""
    pn.extension("tabulator")
    if pn.state.curdoc:
        accepted = pn.state.headers.get("Accept-Language", "")
        set_language(pn.state.curdoc, wanted_language(pn.state.session_args, accepted))
    pn.config.respect_explicit_sizing = True  # else Panel warns of each stretched child
    folder, visitor = uploads_folder(settings.cache), current_visitor()
    uploads = open_uploads(folder, settings.limits, visitor)
    session = Session(service, uploads, language=language())
    tabs = _tabs(session, settings)
    help_view = HelpView()
    keys = Shortcuts(on_key=_keys(session, help_view))
    help_button = pmui.IconButton(icon="help", description=t("Help and keyboard shortcuts"))
    help_button.on_click(lambda _: help_view.open())
    workspace, link = session.workspace, LinkView(session=session)
    page = pmui.Page(
        title="xai-tf",
        header=[pn.layout.HSpacer(), link, help_button],
        sidebar=[
            pn.Column(
                FilesView(workspace=workspace),
                OverviewView(overview=session.overview),
                InputView(workspace=workspace),
                *_own_model(session, settings),
                margin=(4, 10),
            ),
        ],
        sidebar_width=260,
        sidebar_resizable=False,  # its handle has an invalid ARIA label
        main=[NoticesView(workspace=workspace), tabs, help_view, keys, Connection()],
        theme_config=THEMES,
        template=_template(),
        sx={
            # The template's busy bar has no accessible name; our own progress bars have one.
            "& header .MuiLinearProgress-root": {"display": "none"},
            "& header .title": {"whiteSpace": "nowrap", "fontSize": "clamp(1rem, 4.6vw, 1.5rem)"},
        },
    )
    with edit_readonly(page):  # the default follows a global state, which would hold every page
        page.busy = pn.rx(False)
    # On a phone the sidebar covers the page, so it closes once a file was chosen.
    workspace.param.watch(lambda _: link.narrow and page.param.update(sidebar_open=False), "file")
    # Files and samples mean nothing where searches and whole sets are looked at.
    session.param.watch(
        lambda event: page.param.update(sidebar_open=event.new in FILE_TABS and not link.narrow),
        "tab",
    )
    link.on_dark(lambda: page.param.update(dark_theme=True))
    if pn.state.curdoc:
        pn.state.add_periodic_callback(workspace.available.follow, FOLLOW)
        if query := urlencode(pn.state.session_args, doseq=True):
            session.restore(query)
        pn.state.on_session_destroyed(lambda _: session.close())
    return page


def _template() -> str:
    """Panel's template, which is in English, with the language of the page and its texts."""
    environment = BASE_TEMPLATE.environment
    source, *_ = environment.loader.get_source(environment, BASE_TEMPLATE.name)
    ours = '<html lang="{{ language or "en" }}" data-texts="{{ texts | default("{}") | e }}"'
    return source.replace('<html lang="en"', ours, 1)


def _own_model(session: Session, settings: ServeSettings) -> list[OwnModelView]:
    """The card for a visitor's own models, where the host allows it."""
    if not visitors_bring_models(settings):
        return []
    workspace = session.workspace
    models = OwnModels(workspace.uploads.folder, settings.model_bytes)
    return [OwnModelView(own=OwnModel(workspace, models))]


def _tabs(session: Session, settings: ServeSettings) -> pmui.Tabs:
    """The tabs; each one is built when it is first opened, as most visitors open only a few."""
    pages = _pages(session, settings)
    shown = {
        name: Later(
            lambda build=pages[name]: [build()],
            sizing_mode="stretch_width",
            stylesheets=[] if name == "explain" else [WHOLE],
        )
        for name in TABS
    }
    tabs = pmui.Tabs(
        *((t(TITLES[name]), shown[name]) for name in TABS),
        dynamic=True,
        sizing_mode="stretch_width",
    )

    def open_tab(*_: Any) -> None:
        shown[session.tab].fill()
        tabs.active = TABS.index(session.tab)

    session.param.watch(open_tab, "tab")
    tabs.param.watch(lambda event: setattr(session, "tab", TABS[event.new]), "active")
    open_tab()
    return tabs


def _pages(session: Session, settings: ServeSettings) -> dict[str, Callable[[], Any]]:
    """The functions that build the view of each tab, by name."""
    visitor = session.workspace.visitor

    @cache
    def own_labeled() -> OwnLabeled:
        uploads = session.workspace.uploads
        own = OwnLabeled(OwnSets(uploads.folder, uploads.limits))
        if pn.state.curdoc:
            pn.state.on_session_destroyed(lambda _: own.close())
        return own

    def explain() -> ExplainPage:
        return explain_page(session)

    def errors() -> ErrorsView:
        study = ErrorStudy(visitor, session.workspace.models, settings.data, own_labeled())
        available = session.workspace.available
        session.param.watch(lambda event: setattr(study, "active", event.new == "errors"), "tab")
        available.param.watch(lambda event: study.param.update(models=event.new), "by_name")
        study.param.watch(lambda event: _open_in_explain(session, event.new), "open_request")
        return ErrorsView(study=study)

    def tuning() -> TuningView:
        trainings, folders = session.service.trainings, settings.searches
        if trainings is not None:  # searches that are started here go to the user's own
            folders = (*folders, *default_searches())
        runs = TuningRuns(visitor, dict.fromkeys(folders))
        desk = (
            None if trainings is None else TrainingDesk(trainings, settings.data, own=own_labeled())
        )

        async def try_model(event: Any) -> None:
            await session.try_model(event.obj.model)

        for owner in filter(None, (runs, desk)):
            owner.param.watch(try_model, "open_model")
        if desk is not None and pn.state.curdoc:
            pn.state.on_session_destroyed(lambda _: desk.give_up_plan())
        return TuningView(runs=runs, desk=desk)

    return {
        "explain": explain,
        "compare": lambda: ComparePage(
            comparison=session.comparison,
            extras=[RankingView(ranking=session.ranking)],
        ),
        "layers": lambda: LayerSweepPage(layer_sweep=session.layer_sweep),
        "errors": errors,
        "tuning": tuning,
    }


def explain_page(session: Session) -> ExplainPage:
    """The Explain tab, with its views connected."""
    explorer, workspace, editor = session.explorer, session.workspace, session.what_if
    picture = PictureView(explorer=explorer, editor=editor)
    regions = RegionsView(quality=session.quality, editor=editor)
    badge = VerdictBadge(trust=session.trust)
    regions.param.watch(lambda event: setattr(picture, "highlight", event.new), "highlight")

    def why() -> list[Any]:
        return [
            NarrationView(narrator=session.narrator),
            WhatIfView(editor=editor),
            regions,
            ListenView(listener=session.listener),
        ]

    def trust() -> list[Any]:
        view = TrustView(
            trust=session.trust,
            actions={
                "hide_region": lambda reason: editor.toggle_region(*reason.region),
                "another_model": lambda _: workspace.find_model(),
            },
        )
        view.param.watch(lambda event: regions.point(event.new), "shown_region")
        return [view]

    def settings() -> list[Any]:
        return [
            PredictionView(explorer=explorer),
            MethodView(explorer=explorer),
            ModelFactsView(workspace=workspace),
        ]

    page = ExplainPage(
        strip=StripView(workspace=workspace, extras=[badge]),
        picture=picture,
        film=FilmstripView(explorer=explorer),
        tabs={t("Why"): why, t("Trust"): trust, t("Settings"): settings},
        footer=DownloadsView(session=session),
    )
    badge.param.watch(lambda _: page.open(t("Trust")), "pressed")
    return page


def _keys(session: Session, help_view: HelpView) -> Callable[[str], None]:
    methods = list(METHODS)

    def press(key: str) -> None:
        if key == "?":
            help_view.open()
        elif key in ("ArrowLeft", "ArrowRight"):
            session.workspace.step(1 if key == "ArrowRight" else -1)
        elif key.isdecimal() and 1 <= int(key) <= len(methods):
            session.explorer.choose(methods[int(key) - 1])

    return press


def _open_in_explain(session: Session, request: Explain | None) -> None:
    """Open a file of the Errors tab in the Explain tab."""
    if request is not None:
        session.workspace.show(request.file, request.model.name)
        session.tab = "explain"


# Run by `panel serve dashboards/app.py`, without our request guard, login and limits.
if pn.state.served:
    from dashboards.server.start import default_service

    create_app(*default_service()).servable()
