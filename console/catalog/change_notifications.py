"""Change notices of a store, where its file system gives any, and how far they reach."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from console.files.roots import file_system_of, is_remote, passed_links
from console.os_errors import as_system_error, why

if TYPE_CHECKING:
    from console.catalog.observer import InotifyObserver, Noticed, Unseen


@dataclass(frozen=True, slots=True)
class Coverage:
    """How changes are noticed: `mode` is "events", "partly" or "polling"; `text` says it in a sentence."""

    mode: str
    directories: int
    watched: int
    text: str


class Noticing:
    """The observer of the tree that the path `given` leads to, started and stopped as the store comes and goes, by one
    thread.

    `noticed` is told where to look, `unseen` beneath which directory something hidden changed, `lost` that notices were
    lost and `turned` that a link on the way to the store was touched, all on the observer's threads.
    """

    def __init__(
        self,
        given: Path,
        noticed: Noticed,
        lost: Callable[[], None],
        turned: Callable[[], None] = lambda: None,
        unseen: Unseen = lambda _: None,
    ) -> None:
        self._given = given
        self._turned = turned
        self._unseen = unseen
        self._noticed = noticed
        self._lost = lost
        self._notices: InotifyObserver | None = None
        self._why_polling = ""
        self._never = ""
        """Why it is not tried again: each time costs descriptors."""

    @property
    def alive(self) -> bool:
        """Whether notices come."""
        return self._notices is not None and self._notices.alive()

    @property
    def died(self) -> bool:
        """Whether they came and ended by themselves."""
        return self._notices is not None and not self._notices.alive()

    def start(self, root: Path) -> bool:
        """Begin at `root`, anew where they came before; whether there are any."""
        self.stop()
        if self._never:
            return False
        kind = file_system_of(root)
        if is_remote(kind):
            self._why_polling = f"on {kind}, other machines' changes make no notice"
            return False
        from console.catalog.observer import InotifyObserver

        notices = InotifyObserver(root, self._noticed, self._lost, self._unseen)
        try:
            self._why_polling = notices.start() or ""
        except OSError as error:
            self._why_polling = f"no change notices: {why(error)}"
        except RuntimeError as error:
            system = as_system_error(error)
            if system is None:
                raise
            self._why_polling = self._never = f"no change notices: {why(system)}"
        if not self._why_polling:
            notices.watch_links(passed_links(self._given), self._turned)
            self._notices = notices
        return self._notices is not None

    def stop(self) -> None:
        """End them; harmless where there are none."""
        notices, self._notices = self._notices, None
        if notices is not None:
            notices.stop()

    def coverage(self, directories: int) -> Coverage:
        """How far they reach in a store of so many directories."""
        if self._notices is None:
            text = f"{self._why_polling}; the store is compared with the disk regularly"
            return Coverage("polling", directories, 0, text)
        watched = min(directories, self._notices.watches())
        if watched < directories:
            text = f"{watched} of {directories} directories have change notices, the rest is compared regularly"
            return Coverage("partly", directories, watched, text)
        return Coverage("events", directories, watched, f"all {directories} directories have change notices")
