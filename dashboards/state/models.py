"""The models that a visitor can use: those of the server, and their own."""

from __future__ import annotations

import asyncio

import param

from dashboards.service.service import Service


class Models(param.Parameterized):
    """The models that a visitor can use, which change while the page is open.

    Attributes:
        by_name: the models of the server, then the visitor's own; replaced when they change.
        own: the visitor's own, by name; nobody else sees them.
    """

    by_name = param.Dict(default={})
    own = param.Dict(default={})

    def __init__(self, service: Service) -> None:
        self._service, self._seen = service, service.models
        self._listed = dict(service.models)
        super().__init__(by_name=self._listed)

    def follow(self) -> None:
        """Take over what changed on the server; cheap where nothing did."""
        if self._service.models is not self._seen:
            self._update()

    async def refresh(self) -> None:
        """Read the folders of models now, and take over what changed."""
        await asyncio.to_thread(self._service.refresh_models)
        self.follow()

    @param.depends("own", watch=True)
    def _update(self) -> None:
        self._seen = self._service.models
        # A model whose file was deleted stays listed on this page, which may show its answers.
        self._listed = {**self._listed, **self._seen}
        self.by_name = {**self._listed, **self.own}
