"""Sort, filter and columns of a store's table, kept in the state directory from one session to the next."""

from __future__ import annotations

import json
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from console.config import state_dir, store_key
from console.durable import own_directory, put_bytes, remove_unfinished
from console.errors import ConsoleError
from console.os_errors import why
from console.ui.rows import SORTS, Filter, Order

_NAME = "table.json"
_MOST_BYTES = 64 << 10
_MOST_PATTERN = 1000
_QUIET_SECONDS = 0.5
"""Changes within this time are written as one."""
_LAST_SECONDS = 2.0
"""How long the end of a session waits for the disk."""
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class KeptOrder:
    """The order of the store at `root`. Written by a thread of its own, whole or not at all; the last console wins.

    A filter `given` on the command line takes the place of the kept one and leaves it kept. `failed` is told once, from
    that thread, why nothing can be kept.
    """

    def __init__(self, root: Path, given: str | None, failed: Callable[[str], None]) -> None:
        self._root = root
        self._given = None if given is None else Filter(given)
        self._failed = failed
        self._kept = Order()
        self._wanted: Order | None = None
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def read(self) -> Order:
        """The kept order, with the given filter. Blocks on the disk; never raises: what cannot be is the default."""
        try:
            self._kept = order_of(json.loads(_contents(self._path)))
        except (OSError, ValueError, RecursionError, ConsoleError):
            self._kept = Order()
        return self._kept if self._given is None else self._kept._replace(wanted=self._given)

    @property
    def restores(self) -> bool:
        """Whether the filter that `read` gave is an earlier session's."""
        return self._given is None

    def keep(self, order: Order) -> None:
        """Have an order written soon, if it is another one. Returns at once."""
        if order.wanted is self._given:
            order = order._replace(wanted=self._kept.wanted)
        with self._lock:
            if self._wanted is None and _record(order) == _record(self._kept):
                return
            self._wanted = order
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="keep the order", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Write what is still to be written; a disk that does not answer is waited for a moment only."""
        self._closing.set()
        thread = self._thread
        if thread is not None:
            thread.join(_LAST_SECONDS)

    @property
    def _path(self) -> Path:
        return state_dir() / store_key(self._root) / _NAME

    def _run(self) -> None:
        while True:
            self._closing.wait(_QUIET_SECONDS)
            with self._lock:
                order, self._wanted = self._wanted, None
                if order is None:
                    self._thread = None
                    return
                self._kept = order
            self._write(order)

    def _write(self, order: Order) -> None:
        try:
            path = self._path
            with own_directory(path.parent) as directory:
                remove_unfinished(directory, _NAME)
                put_bytes(directory, _NAME, json.dumps(_record(order)).encode("ascii") + b"\n", lambda _fd: None)
        except (OSError, ConsoleError) as error:
            failed, self._failed = self._failed, lambda _why: None
            if not self._closing.is_set():
                failed(why(error) if isinstance(error, OSError) else error.message)


def order_of(record: object) -> Order:
    """The order a record stands for: each part that is not what it should be, or unknown here, is the default."""
    parts: dict[str, Any] = record if isinstance(record, dict) else {}
    sort, pattern, columns = parts.get("sort"), parts.get("filter"), parts.get("columns")
    return Order(
        sort if isinstance(sort, str) and sort in SORTS else Order().sort,
        parts.get("reverse") is True,
        Filter(pattern if isinstance(pattern, str) and len(pattern) <= _MOST_PATTERN else ""),
        tuple(one for one in columns if isinstance(one, str) and one.removeprefix("-") in SORTS)
        if isinstance(columns, list)
        else (),
    )


def _record(order: Order) -> dict[str, Any]:
    return {
        "sort": order.sort,
        "reverse": order.reverse,
        "filter": order.wanted.pattern,
        "columns": list(order.columns),
    }


def _contents(path: Path) -> bytes:
    """A small plain file. Raises OSError, ValueError."""
    with open(os.open(path, _FLAGS), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError("no plain file")
        data = file.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise ValueError("too long")
    return data
