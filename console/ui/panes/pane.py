"""The base of every tab of the model screen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.containers import Vertical
from textual.scroll_view import ScrollView

from console.ui.rows import Row

if TYPE_CHECKING:
    from console.engine.api import EngineApi
    from console.engine.mirror import Mirror

_NOT_HERE = {"open": "nothing to open here", "rollback": "choose an older version under versions"}
"""Actions that only some tabs allow, and the word of the others."""


class Pane(Vertical):
    """One tab about the model at `path`; made when it is first looked at, kept and told of changes while it is open."""

    NAME: ClassVar[str] = ""
    """The tab's name, and behind `tab-` the id of the action that opens it."""
    ACTIONS: ClassVar[tuple[str, ...]] = ()
    """Actions of the table that make sense under this tab alone: its own `do_<id>` methods."""

    def __init__(self, engine: EngineApi, mirror: Mirror, path: str) -> None:
        super().__init__(id=self.NAME)
        self._engine = engine
        self._mirror = mirror
        self._path = path

    @property
    def columns(self) -> Sequence[ScrollView]:
        """The parts that scroll, those that are hidden now included."""
        return ()

    @property
    def moments(self) -> Iterable[float]:
        """Times that are shown as "so long ago", beside those of the model."""
        return ()

    async def fetch(self) -> None:
        """Have the mirror hold what this tab reads."""

    def revise(self, row: Row | None) -> None:
        """Bring the tab up to date with what is known of the model."""
        raise NotImplementedError

    def rest(self) -> None:
        """Out of sight: nothing moves."""

    def can(self, action: str) -> bool | None:
        """Whether an action makes sense now; None where the model's state alone decides."""
        return False if action in _NOT_HERE else None

    def why_not(self, action: str) -> str:
        """In a word, why an action that this tab says no to makes no sense now."""
        return _NOT_HERE[action]

    def close_line(self) -> bool:
        """Put the line away that is typed on; whether there was one."""
        return False
