"""The question for a model's data, from the file to the recipe; each step can be gone back from."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from console.errors import ConsoleError
from console.records import DataColumns, DataSource, Draft, Expected, ModelData

if TYPE_CHECKING:
    from console.ui.running import ConsoleApp

__all__ = ["choose_data", "has_data"]


async def has_data(app: ConsoleApp, path: str, before: Callable[[], None] = lambda: None) -> bool:
    """Whether a model has data by now; where nothing names any, the operator is asked, after `before` was called.

    Raises InputError for a malformed recipe.
    """
    now = await app.engine.data.of(path)
    if now.is_known:
        return True
    before()
    return await _ask(app, path, now)


async def choose_data(app: ConsoleApp, path: str) -> bool:
    """Ask which data a model is to be driven with, whatever it has; a recipe's is not asked for. Raises InputError."""
    now = await app.engine.data.of(path)
    if now.source is DataSource.RECIPE and now.data is not None:
        app.say(f"The recipe of {path} names its data: {app.mirror.shortened(now.data)}; change it there")
        return False
    return await _ask(app, path, now)


async def _ask(app: ConsoleApp, path: str, now: ModelData) -> bool:
    from console.ui.dialogs.data_file import DataFileScreen
    from console.ui.dialogs.target import TargetScreen
    from console.ui.dialogs.use_data import WRITE, UseDataScreen

    data, rows = app.engine.data, app.mirror.rows

    def is_model(name: str) -> bool:
        row = rows.get(name)
        return row is not None and (row.runs or row.model_class is not None)

    while True:
        file = await app.push_screen_wait(DataFileScreen(path, data, app.mirror.status.root, now, is_model))
        if file is None:
            return False
        now = ModelData(now.source, file, now.target, now.why)
        shown = app.mirror.shortened(file)
        read = partial(_read, app, path, file)
        while True:
            target = TargetScreen(path, shown, read, called=_called(path), now=now.target)
            aim = await app.push_screen_wait(target)
            if aim is None:
                break
            now = ModelData(now.source, file, aim.target, now.why)
            draft = await data.draft(path, file, aim.target)
            answer = await app.push_screen_wait(UseDataScreen(path, shown, aim, draft))
            if answer is None:
                continue
            await _use(app, path, now, draft if answer == WRITE else None)
            return True


async def _read(app: ConsoleApp, path: str, file: str) -> tuple[DataColumns, Expected]:
    """The columns of a file, and what is known of the model's inputs: its facts are asked for where they are not known.

    Raises InputError, ChildRefused, ChildFailed, OperationError.
    """
    with suppress(ConsoleError):
        await app.engine.artifacts.report(path)
    columns = await app.engine.data.columns(path, file)
    return columns, await app.engine.data.expected(path)


async def _use(app: ConsoleApp, path: str, chosen: ModelData, draft: Draft | None) -> None:
    """Remember the choice, and write the recipe; where that fails, the data is used all the same."""
    data = app.engine.data
    assert chosen.data is not None
    try:
        await data.choose(path, chosen.data, chosen.target)
    except ConsoleError as error:
        app.say_error(error)
    if draft is not None:
        try:
            await data.write_recipe(path, draft)
        except ConsoleError as error:
            app.say_error(error)
        else:
            app.say(f"{draft.path} is written")


def _called(path: str) -> tuple[str, ...]:
    """Names that the target of a model may have: the model's own, and its directory's."""
    place = PurePosixPath(path)
    stem = os.path.basename(path).partition(".")[0]
    return (stem, place.parent.name) if place.parent.name else (stem,)
