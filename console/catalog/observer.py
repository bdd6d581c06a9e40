"""Change notices of one directory tree: watchdog's inotify observer, told to say which directories are worth a look."""

from __future__ import annotations

import errno
import logging
import os
import warnings
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from watchdog import events
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

from console.config import STORE_DIR
from console.files.filename_rules import is_hidden

Noticed = Callable[[str, str, bool | None], None]
"""Called with a directory of the store, a name in it that changed, and whether that file is now surely at rest (True),
was surely written to (False) or neither (None)."""

Unseen = Callable[[str], None]
"""Called with the directory of the store beneath which something hidden changed."""

_LOGGER = "watchdog"
_WANTED = (
    "FileCreatedEvent FileModifiedEvent FileClosedEvent FileMovedEvent FileDeletedEvent FileAttribEvent "
    "DirCreatedEvent DirMovedEvent DirDeletedEvent DirAttribEvent"
)


class InotifyObserver:
    """The observer of one tree, from `start` to `stop`. `noticed` and `lost` are called on its threads."""

    def __init__(self, root: Path, noticed: Noticed, lost: Callable[[], None], unseen: Unseen = lambda _: None) -> None:
        self._root = os.fspath(root)
        self._unseen = unseen
        self._noticed = noticed
        self._lost = _LostHandler(lost)
        self._observer: BaseObserver | None = None

    def start(self) -> str | None:
        """Begin; a sentence why not where the system has no watches left. Raises OSError when the tree is not there,
        RuntimeError where no threads may be started, which leaves descriptors of watchdog's open."""
        warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"watchdog\.")
        wanted = [getattr(events, name) for name in _WANTED.split() if hasattr(events, name)]
        logging.getLogger(_LOGGER).addHandler(self._lost)
        try:
            observer = Observer()
            observer.schedule(
                _Handler(self._root, self._noticed, self._unseen), self._root, recursive=True, event_filter=wanted
            )
            observer.start()
        except RuntimeError:
            logging.getLogger(_LOGGER).removeHandler(self._lost)
            raise
        except OSError as error:
            logging.getLogger(_LOGGER).removeHandler(self._lost)
            if error.errno == errno.ENOSPC:
                return f"no inotify watches are left (fs.inotify.max_user_watches is {_limit('max_user_watches')})"
            if error.errno == errno.EMFILE:
                return (
                    f"no inotify instances are left (fs.inotify.max_user_instances is {_limit('max_user_instances')})"
                )
            raise
        self._observer = observer
        return None

    def watch_links(self, links: Iterable[Path], turned: Callable[[], None]) -> None:
        """Tell when one of these links is touched, as far as its directory can be watched."""
        names: dict[str, set[str]] = {}
        for link in links:
            names.setdefault(os.fspath(link.parent), set()).add(os.fspath(link))
        for directory, paths in names.items():
            with suppress(OSError):
                if self._observer is not None:
                    self._observer.schedule(_LinkHandler(paths, turned), directory)

    def alive(self) -> bool:
        """Whether it still runs, as far as threads tell."""
        one = self._observer
        return one is not None and one.is_alive() and bool(one.emitters) and all(e.is_alive() for e in one.emitters)

    @staticmethod
    def watches() -> int:
        """How many inotify watches this process has, by the kernel's own account."""
        count = 0
        with suppress(OSError), os.scandir("/proc/self/fdinfo") as entries:
            for entry in entries:
                with suppress(OSError), open(entry.path, "rb") as info:
                    count += sum(line.startswith(b"inotify wd:") for line in info)
        return count

    def stop(self) -> None:
        """End its threads and give the watches back; a second call does nothing."""
        observer, self._observer = self._observer, None
        logging.getLogger(_LOGGER).removeHandler(self._lost)
        if observer is not None:
            observer.stop()
            with suppress(RuntimeError):
                observer.join()


_AT_REST = {
    events.EVENT_TYPE_CLOSED: True,
    events.EVENT_TYPE_CREATED: False,
    events.EVENT_TYPE_MODIFIED: False,
}


class _LostHandler(logging.Handler):
    """watchdog tells of lost events in its log only; whatever it warns of there is a reason to look at everything."""

    def __init__(self, lost: Callable[[], None]) -> None:
        super().__init__(logging.WARNING)
        self._tell = lost

    def emit(self, record: logging.LogRecord) -> None:
        self._tell()


class _LinkHandler(events.FileSystemEventHandler):
    def __init__(self, paths: set[str], turned: Callable[[], None]) -> None:
        self._paths = paths
        self._turned = turned

    def on_any_event(self, event: events.FileSystemEvent) -> None:
        if not self._paths.isdisjoint((os.fsdecode(event.src_path), os.fsdecode(event.dest_path))):
            self._turned()


class _Handler(events.FileSystemEventHandler):
    def __init__(self, root: str, noticed: Noticed, unseen: Unseen) -> None:
        self._prefix = root.rstrip("/") + "/"
        self._noticed = noticed
        self._unseen = unseen

    def on_any_event(self, event: events.FileSystemEvent) -> None:
        self._tell(event.src_path, _AT_REST.get(event.event_type))
        if event.dest_path:
            self._tell(event.dest_path, None if event.is_directory else True)

    def _tell(self, path: bytes | str, at_rest: bool | None) -> None:
        path = os.fsdecode(path)
        if not path.startswith(self._prefix):
            return
        directory, _, name = path[len(self._prefix) :].rpartition("/")
        parts = [*filter(None, directory.split("/")), name]
        hidden = next((number for number, part in enumerate(parts) if is_hidden(part)), None) if name else 0
        if hidden is None:
            self._noticed(directory, name, at_rest)
        elif name and STORE_DIR not in parts:
            self._unseen("/".join(parts[:hidden]))


def _limit(name: str) -> str:
    try:
        return Path(f"/proc/sys/fs/inotify/{name}").read_text("ascii").strip()
    except OSError:
        return "unknown"
