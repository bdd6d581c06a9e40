"""The data of models, for an engine in this process: recipes, choices, and paths as an operator types them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

from console.engine.rooms import Engine
from console.files.data_files import NearestFirst, completed, completions, identity_at, typed_path
from console.files.filename_rules import is_named_as_data
from console.recipes.recipe import Recipe
from console.records import (
    DataColumns,
    Draft,
    Expected,
    FoundDataFiles,
    ModelData,
    ReadOptions,
    RecipeFacts,
    Target,
    TypedPath,
)


class LocalData:
    """The data that models are driven with: recipes, choices, and files of the engine's machine."""

    def __init__(self, rooms: Engine) -> None:
        self._rooms = rooms

    async def of(self, path: str) -> ModelData:
        """The data of a model, with why where it must be asked for."""
        return await self._rooms.model_data.of(path)

    async def chosen(self, path: str) -> ModelData:
        """What an operator chose, as it was read last and without a look at the disk."""
        return self._rooms.model_data.known(path)

    async def recipe(self, path: str) -> RecipeFacts:
        """The recipe of an artifact, with what was chosen where it names no data."""
        return recipe_facts(self._rooms.recipes.of(path))

    async def expected(self, path: str) -> Expected:
        """What is known of a model's inputs."""
        return self._rooms.model_data.expected(path)

    async def columns(self, path: str, data: str) -> DataColumns:
        """The columns of a data file, read in a sandboxed child."""
        return await self._rooms.model_data.columns(path, data)

    async def choose(self, path: str, data: str, target: Target | None) -> None:
        """Use this data for a model from now on."""
        await self._rooms.model_data.choose(path, data, target)

    async def draft(self, path: str, data: str, target: Target | None) -> Draft:
        """The lines that would name this data in the recipe, or why none can be written."""
        return await self._rooms.model_data.draft(path, data, target)

    async def write_recipe(self, path: str, draft: Draft) -> None:
        """Write a draft beside the model, on record."""
        await self._rooms.model_data.write_recipe(path, draft)

    async def read_as(self, path: str, options: ReadOptions) -> None:
        """From here on the data files of this artifact are read so, whatever its recipe says of it."""
        self._rooms.recipes.read_as(path, options)

    async def call(self, name: str, file: str) -> None:
        """Have this name stand for a file, whose own name tells nobody anything."""
        self._rooms.questions.call(name, file)

    async def typed(self, typed: str) -> TypedPath:
        """What is meant by a path that is being typed, relative to the store, absolute or from a home (`~`)."""
        return await asyncio.to_thread(typed_path_of, self._rooms.root, typed)

    async def nearest(self, path: str) -> AsyncIterator[FoundDataFiles]:
        """Data files of the store by their names, those nearest to an artifact first."""
        walk, left = NearestFirst(self._rooms.root, path), threading.Event()
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


def recipe_facts(recipe: Recipe) -> RecipeFacts:
    """What clients see of a recipe."""
    data, gate = recipe.data, recipe.gate
    return RecipeFacts(
        None if recipe.path is None else str(recipe.path),
        data.holdout,
        data.train,
        data.target,
        recipe.retrain.how,
        gate.metric,
        gate.at_least,
        gate.not_worse_by,
        gate.max_latency_ratio,
        recipe.reload.on_change,
        recipe.reload.policy,
        recipe.environment.python,
        recipe.notes,
    )


def typed_path_of(root: Path, typed: str) -> TypedPath:
    """What is meant by a path that is being typed."""
    choices = completions(root, typed) if typed else []
    path = typed_path(root, typed) if typed and "\0" not in typed else ""
    return TypedPath(
        path,
        bool(path) and identity_at(path) is not None,
        tuple(choices),
        tuple(typed_path(root, one) for one in choices),
        tuple(one.endswith("/") or is_named_as_data(one) for one in choices),
        completed(root, typed) if typed else "",
    )
