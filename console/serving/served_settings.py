"""Settings of models in service: the `[serve]` tables of their recipes, and what was changed since."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import msgspec

from console.errors import InputError, UsageError
from console.recipes.recipe import RECIPE_SUFFIX, Recipe, Serve, recipe_names
from console.records import Json, ServeSettings
from console.serving.replicas import COPIES_CAP

MAX_BATCH_CAP = 4096
DEADLINE_CAP_MS = 86_400_000.0
QUEUE_CAP = 1_000_000


class Kept(msgspec.Struct, frozen=True):
    """The state that an engine keeps for the one that comes after it: changed settings by path, and what was loaded."""

    changes: dict[str, dict[str, Any]] = {}
    loaded: list[str] = []


class ServedSettings:
    """The settings by path: those of the recipe, with the changes that an operator made while the engine ran."""

    def __init__(self, recipe: Callable[[str], Recipe]) -> None:
        self._recipe = recipe
        self._changes: dict[str, dict[str, Any]] = {}
        self.loaded: set[str] = set()
        """What an operator had loaded, by path; of a version by path and version."""

    def of(self, path: str) -> tuple[ServeSettings, str]:
        """The settings of an artifact, and why its recipe does not count where it is malformed; looks at the disk."""
        try:
            serve, problem = self._recipe(path).serve, ""
        except InputError as error:
            serve, problem = Serve(), error.message
        return replace(from_recipe(path, serve), **self._changes.get(path, {})), problem

    def change(self, path: str, settings: ServeSettings) -> None:
        """Serve it so from now on; what is as in the recipe goes on being as in the recipe. Raises UsageError."""
        check(settings)
        try:
            said = asdict(from_recipe(path, self._recipe(path).serve))
        except InputError:
            said = asdict(from_recipe(path, Serve()))
        changes = {name: value for name, value in asdict(settings).items() if value != said[name]}
        self._changes.pop(path, None)
        if changes:
            self._changes[path] = changes

    def is_changed(self, path: str) -> bool:
        """Whether something of it is not as its recipe says."""
        return path in self._changes

    def kept(self) -> dict[str, Json]:
        """The changed settings and the loaded models, to be restored by an engine that comes after this one."""
        changes: dict[str, Json] = {path: dict(one) for path, one in self._changes.items()}
        loaded: list[Json] = [*sorted(self.loaded)]
        return {"changes": changes, "loaded": loaded}

    def restore(self, kept: Json) -> None:
        """Take over what another engine kept; what cannot be any more is left out."""
        try:
            found = msgspec.convert(kept, Kept)
        except msgspec.ValidationError:
            return
        self.loaded.update(found.loaded)
        for path, one in found.changes.items():
            try:
                check(msgspec.convert({"name": default_name(path), **one}, ServeSettings))
            except (msgspec.ValidationError, UsageError):
                continue
            self._changes[path] = dict(one)


def from_recipe(path: str, serve: Serve) -> ServeSettings:
    """The settings that a recipe asks for."""
    return ServeSettings(
        serve.name or default_name(path),
        serve.load,
        serve.copies,
        serve.max_batch,
        serve.deadline_ms,
        serve.queue,
        dict(serve.labels),
        dict(serve.weights),
        serve.sample,
    )


def default_name(path: str) -> str:
    """The name of a model whose recipe has none: its path without what its file name ends with; bytes that are no
    UTF-8 are replaced, since a name is a text."""
    directory, name = os.path.split(path)
    named = recipe_names(name)
    stem = named[-1].removesuffix(RECIPE_SUFFIX) if named else name
    return os.fsencode(os.path.join(directory, stem)).decode("utf-8", "replace")


def check(settings: ServeSettings) -> None:
    """Raise UsageError for what no model can be served with."""
    if not 1 <= settings.copies <= COPIES_CAP:
        raise UsageError(f"{settings.copies} copies cannot be: between 1 and {COPIES_CAP} can")
    if not 1 <= settings.max_batch <= MAX_BATCH_CAP:
        raise UsageError(f"a batch of {settings.max_batch} rows cannot be: between 1 and {MAX_BATCH_CAP} can")
    if not 0 < settings.deadline_ms <= DEADLINE_CAP_MS:
        raise UsageError(f"a deadline of {settings.deadline_ms:g} ms cannot be: more than 0 and up to a day can")
    if not 0 <= settings.queue <= QUEUE_CAP:
        raise UsageError(f"a queue of {settings.queue} cannot be: between 0 and {QUEUE_CAP} can")
    wrong = [one for one in settings.weights if not (one.isascii() and one.isdecimal() and int(one))]
    if wrong:
        raise UsageError(f"'{wrong[0]}' is no number of a version to give a share of the requests to")
    if any(not 0 <= share <= 1 for share in settings.weights.values()) or sum(settings.weights.values()) > 1 + 1e-9:
        raise UsageError("weights are shares of the requests: each from 0 to 1, together no more than 1")
