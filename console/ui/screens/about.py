"""Actions about a model that is named, whatever screen is open."""

from __future__ import annotations

from functools import partialmethod

from console.ui.screens.base import ArtifactScreen
from console.ui.screens.model import TAB_OF


class AboutScreen(ArtifactScreen):
    """A screen about one model that is never shown: it lends its actions, with their permissions and reasons."""

    PLACE = "model"

    def __init__(self, path: str) -> None:
        super().__init__()
        self._about = path

    @property
    def subject(self) -> str:
        """The model that was named."""
        return self._about

    @classmethod
    def _has(cls, action_id: str) -> bool:
        return action_id in TAB_OF or super()._has(action_id)

    def action_do(self, action_id: str) -> None:
        """Open the model's screen at a tab, or run what any screen about one model can do."""
        if action_id in TAB_OF:
            self.app.open_model(self._about, TAB_OF[action_id])
        else:
            super().action_do(action_id)

    def do_open(self) -> None:
        """The model's screen."""
        self.app.open_model(self._about)

    do_copies = partialmethod(ArtifactScreen.operate, "copies")
    do_accelerate = partialmethod(ArtifactScreen.operate, "accelerate")
