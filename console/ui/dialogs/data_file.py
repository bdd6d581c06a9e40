"""The choice of a model's data file: those of the store, nearest first, or any path that is typed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from textual.content import Content

from console.records import ModelData
from console.safe_text import safe
from console.ui import text
from console.ui.cooperative import cooperative
from console.ui.dialogs.picking import PickScreen
from console.ui.widgets.line_list import Item

if TYPE_CHECKING:
    from console.engine.api import DataApi

_MOST = 300
"""Lines the list takes; who looks for more types more."""
_SHOWN_EVERY_S = 0.15
_PATHS = ("/", "~", "./", "../")
_FORMATS = "csv, JSON lines, parquet, feather, npy, npz or HDF5"


class DataFileScreen(PickScreen[str | None]):
    """Answers with the absolute path of a file, None for none. The store is looked through in a thread meanwhile."""

    def __init__(self, path: str, data: DataApi, root: str, now: ModelData, is_model: Callable[[str], bool]) -> None:
        """`now` is the data that the model has, or had; files of the store that are models are not offered."""
        super().__init__(
            f"Which data shall {safe(path, 80)} be driven with?",
            safe(now.why, 300),
            placeholder="part of a name, or a path",
            keys="enter takes it, tab completes a path, esc leaves it",
        )
        self._path = path
        self._root = root
        self._is_model = is_model
        self._first = now.instead or now.data
        self._files: list[str] = []
        self._data = data
        self._done = False
        self._bounded = False
        self._said = ""

    def on_mount(self) -> None:
        """Begin to look through the store."""
        self.run_worker(self._look(), group="look")

    async def _look(self) -> None:
        """Show what is found, now and then."""
        shown = 0.0
        async for found in self._data.nearest(self._path):
            self._files += [name for name in found.paths if not self._is_model(name)]
            self._bounded = found.bounded
            if time.monotonic() - shown > _SHOWN_EVERY_S:
                self.search(top=False)
                shown = time.monotonic()
        self._done = True
        self.search(top=False)

    async def fill(self, wanted: str) -> None:
        """The file that is typed, what a typed path may go on as, or the files of the store with these words."""
        items: dict[tuple[str, str], Content] = {}
        typed = await self._data.typed(wanted or self._first or "")
        if typed.exists:
            items["file", typed.path] = self._line(wanted or self._shortened(typed.path))
        if "/" in wanted or wanted.startswith(_PATHS):
            for choice, path in list(zip(typed.choices, typed.paths, strict=True))[:_MOST]:
                key = ("folder", choice) if choice.endswith("/") else ("file", path)
                items.setdefault(key, self._line(choice))
        if not wanted.startswith(_PATHS):
            await self._add_matching(wanted, items)
        shown: list[Item] = list(items.items())
        self.listed.show(shown)
        self._said = self._words(wanted, len(shown))

    async def _add_matching(self, wanted: str, items: dict[tuple[str, str], Content]) -> None:
        words = wanted.casefold().split()
        async for name in cooperative(self._files):
            known = name.casefold()
            if all(word in known for word in words):
                items.setdefault(("file", os.path.join(self._root, name)), self._line(name))
                if len(items) >= _MOST:
                    return

    def _words(self, wanted: str, shown: int) -> str:
        """The words about the list."""
        known = text.count(len(self._files), "data file")
        if wanted.startswith(_PATHS):
            return "" if shown else "nothing there goes on like that"
        if not self._done:
            return f"looking through the store: {known} so far"
        if self._bounded:
            return f"{known}, and more that are not listed: type a path for those"
        if not self._files:
            return f"no file of this store is called like data ({_FORMATS}): type a path, tab completes it"
        if not shown:
            return f"none of {known} is called like that"
        return f"{known}; any other by its path, from /, ~ or ./"

    def describe(self, key: object) -> None:
        """Say above the list which files it shows."""
        self.say(self._said)

    def take(self, key: object) -> None:
        """Answer with a file, go into a directory, or say what is wrong."""
        if not isinstance(key, tuple):
            self.say(f"there is no data file {self.typed}" if self.typed else "there is nothing to take", "$error", "✖")
        elif key[0] == "folder":
            self.type(key[1])
        else:
            self.dismiss(key[1])

    async def action_complete(self) -> None:
        """Go on with what is typed as far as that is clear, else with the line under the cursor."""
        self.run_worker(self._complete(), group="complete")

    async def _complete(self) -> None:
        typed = self.typed
        longer = (await self._data.typed(typed)).longest
        if self.typed != typed:
            return
        key = self.listed.key
        if longer == typed and isinstance(key, tuple) and not typed.startswith(_PATHS):
            longer = self._shortened(key[1])
        if longer != typed:
            self.type(longer)

    def _shortened(self, path: str) -> str:
        return path.removeprefix(os.path.join(self._root, ""))

    def _line(self, name: str) -> Content:
        folder, slash, last = name.rstrip("/").rpartition("/")
        last += "/" if name.endswith("/") else ""
        whole = Content.assemble((safe(folder + slash, 0), "$quiet"), (safe(last, 0), "bold"))
        return text.cut_content(whole, max(8, self.listed.text_width))
