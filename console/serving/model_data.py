"""Data that a model is driven with: its recipe's, else what the operator chose, else it must be asked for."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

from backends.core.inspection import Signature
from console.access.control import AccessControl
from console.access.recipes import Recipes
from console.closing import closing_fd
from console.errors import InputError, OperationError
from console.events import Bus
from console.files.data_files import NearestFirst, as_typed, identity_at, is_in_store, moved_to
from console.recipes.chosen import Chosen
from console.recipes.draft import drafted, require_own, write
from console.records import (
    DataColumns,
    DataSource,
    Draft,
    Expected,
    FoundDataFiles,
    ModelData,
    ReadOptions,
    RecipeFacts,
    Target,
    TypedPath,
)
from console.serving.inference import open_data_file
from console.worker.inspector import Inspectors


class DataOfModels:
    """Answers by artifact path which data a model has, remembers what an operator chose, and writes recipes."""

    def __init__(
        self,
        root: Path,
        chosen: Chosen,
        recipes: Recipes,
        inspectors: Inspectors,
        access: AccessControl,
        bus: Bus,
        signature: Callable[[str], Signature | None],
    ) -> None:
        """`signature` is what is known of a model's inputs now."""
        self.root = root
        self._chosen = chosen
        self._recipes = recipes
        self._inspectors = inspectors
        self._access = access
        self._bus = bus
        self._signature = signature

    async def of(self, path: str) -> ModelData:
        """The data of a model, with why where it must be asked for. Raises InputError for a recipe that is
        malformed."""
        recipe = (await asyncio.to_thread(self._recipes.written, path)).data
        if recipe.is_named:
            return ModelData(DataSource.RECIPE, recipe.holdout or recipe.train, recipe.target)
        choice = await asyncio.to_thread(self._chosen.follow, path)
        if choice is None:
            return ModelData(DataSource.NONE, target=recipe.target)
        if await asyncio.to_thread(identity_at, choice.data) is not None:
            if self._chosen.of(path) is None:
                with suppress(OperationError):
                    await self._chosen.keep(path, choice.data, choice.target)
            return ModelData(DataSource.CHOSEN, choice.data, choice.target)
        now = await asyncio.to_thread(moved_to, choice.file, choice.data) if choice.file is not None else None
        gone = f"{self.shortened(choice.data)}, which was chosen before, is not there any more"
        why = f"{gone}; it seems to be called {os.path.basename(now)} now" if now is not None else gone
        return ModelData(DataSource.GONE, choice.data, choice.target, why, now)

    async def chosen(self, path: str) -> ModelData:
        """The data that an operator chose, as it was read last and without a look at the disk."""
        choice = self._chosen.of(path)
        return (
            ModelData(DataSource.NONE) if choice is None else ModelData(DataSource.CHOSEN, choice.data, choice.target)
        )

    async def recipe(self, path: str) -> RecipeFacts:
        """The recipe of an artifact, with what was chosen where it names no data. Raises InputError."""
        return self._recipes.of(path).facts()

    async def read_as(self, path: str, options: ReadOptions) -> None:
        """Read the data files of this artifact so from here on, whatever its recipe says of it. Raises
        AccessDeniedError."""
        await self._access.authorize("predict", path)
        self._recipes.read_as(path, options)

    async def typed(self, typed: str) -> TypedPath:
        """The file that is meant by a path that is being typed, relative to the store, absolute or from a home; for
        others than the engine's user only one in the store."""
        if self._access.is_guest and not await asyncio.to_thread(is_in_store, self.root, typed):
            return TypedPath(typed, False, (), (), (), typed)
        return await asyncio.to_thread(as_typed, self.root, typed)

    async def nearest(self, path: str) -> AsyncIterator[FoundDataFiles]:
        """Data files of the store by their names, those nearest to an artifact first."""
        walk, left = NearestFirst(self.root, path), threading.Event()
        queue: asyncio.Queue[FoundDataFiles | None] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def look() -> None:
            with suppress(RuntimeError):  # the loop is closed
                for batch in walk.batches(left.is_set):
                    loop.call_soon_threadsafe(queue.put_nowait, FoundDataFiles(tuple(batch)))
                loop.call_soon_threadsafe(queue.put_nowait, None)

        threading.Thread(target=look, daemon=True, name="data files").start()  # a hung disk keeps it for itself
        try:
            while (found := await queue.get()) is not None:
                yield found
            yield FoundDataFiles((), walk.bounded)
        finally:
            left.set()

    def shortened(self, data: str) -> str:
        """A path relative to the store, where it lies in it."""
        return data.removeprefix(os.path.join(self.root, ""))

    async def expected(self, path: str) -> Expected:
        """The known inputs of a model."""
        return Expected(self._signature(path) or Signature(), self._options(path).ignore)

    def _options(self, path: str) -> ReadOptions:
        return self._recipes.or_default(path).data.options

    async def columns(self, path: str, data: str) -> DataColumns:
        """The columns of a data file, read in a sandboxed child. Raises InputError, ChildRefused, ChildFailed,
        OperationError."""
        names = (self._signature(path) or Signature()).feature_names or ()
        with closing_fd(await asyncio.to_thread(open_data_file, data)) as fd:
            return await self._inspectors.columns(fd, os.path.basename(data), self._options(path), names)

    async def choose(self, path: str, data: str, target: Target | None) -> None:
        """Use this data for a model from now on.

        Raises AccessDeniedError; OperationError where it cannot be remembered for the next session.
        """
        await self._access.authorize("probe", path)
        try:
            await self._chosen.keep(path, data, target)
        finally:
            self._bus.emit("data.chosen", path, f"{path} is driven with {self.shortened(data)}")

    async def draft(self, path: str, data: str, target: Target | None) -> Draft:
        """The lines that would name this data in the recipe, or why none can be written."""
        refusal = self._access.refusal("recipe")
        if refusal is None and self._access.read_only:
            refusal = f"this console is read-only: {self._access.why_read_only}"
        if refusal is not None:
            return Draft("", refusal=refusal)
        return await asyncio.to_thread(drafted, self.root, path, data, target)

    async def write_recipe(self, path: str, draft: Draft) -> None:
        """Write a draft beside the model, on record. Raises AccessDeniedError, InputError, ConflictError,
        OperationError."""
        await self._access.authorize("recipe", path, writes=True)
        if draft.refusal:
            raise InputError(draft.refusal)
        await asyncio.to_thread(require_own, self.root, path, draft, inside=self._access.is_guest)
        await asyncio.to_thread(write, self.root, draft)
        await self._access.record("recipe", path, None, f"{draft.path} names the data")
        self._bus.emit("recipe.written", path, f"{draft.path} names the data of {path}")
