"""Words of the command line of `:` that move requests of other programs from one version of a model to another."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from os.path import splitext
from typing import TYPE_CHECKING

from console.errors import NotServedError, UsageError
from console.records import ServedModel, ServedState, ServeSettings
from console.safe_text import safe

if TYPE_CHECKING:
    from console.ui.running import ConsoleApp

_NONE = ("-", "0")


def share(app: ConsoleApp, subject: str | None, said: str) -> Callable[[], None]:
    """`[MODEL] VERSION SHARE`: have a version answer this share of the requests that name none; 0 ends that."""
    name, version, given = _words(app, subject, said, "a version and its share, as 7 10%")
    number, part = _version(version), _part(given)

    def changed(settings: ServeSettings) -> ServeSettings:
        others = {one: weight for one, weight in settings.weights.items() if one != number}
        return replace(settings, weights={**others, number: part} if part else others)

    told = f"answers {part * 100:.4g}% of the requests" if part else "has no share of the requests now"
    return _run(app, name, number, changed, f"version {number} {told}", starts=part > 0)


def label(app: ConsoleApp, subject: str | None, said: str) -> Callable[[], None]:
    """`[MODEL] LABEL VERSION`: have a label name a version; - takes it away."""
    name, word, version = _words(app, subject, said, "a label and the version it names, as stable 7")
    number = "" if version in _NONE else _version(version)

    def changed(settings: ServeSettings) -> ServeSettings:
        others = {one: named for one, named in settings.labels.items() if one != word}
        return replace(settings, labels={**others, word: int(number)} if number else others)

    words = f"{safe(word, 40)} names version {number}" if number else f"{safe(word, 40)} names no version now"
    return _run(app, name, number, changed, words, starts=bool(number))


def _words(app: ConsoleApp, subject: str | None, said: str, what: str) -> tuple[str, str, str]:
    """The model that is meant, and the two words behind it. Raises UsageError."""
    if (refusal := app.mirror.permissions.refusal("load")) is not None:
        raise UsageError(refusal)
    *named, first, second = said.rsplit(maxsplit=2) if len(said.split()) > 1 else ("", "", "")
    if not second:
        raise UsageError(f"it takes {what}", hint="the name of a model may stand before them")
    name = named[0] if named else subject
    if name is None:
        raise UsageError("no model is in sight", hint="name one before the version")
    return name, first, second


def _version(said: str) -> str:
    if not (said.isascii() and said.isdecimal() and len(said) < 10 and int(said)):
        raise UsageError(f"{safe(said, 40)} is no number of a version", hint="the history lists those there are")
    return str(int(said))


def _part(said: str) -> float:
    """A share from `10%` or `0.1`. Raises UsageError."""
    try:
        found = float(said.removesuffix("%")) / (100 if said.endswith("%") else 1)
    except ValueError:
        found = math.nan
    if not 0 <= found <= 1:
        raise UsageError(f"{safe(said, 40)} is no share of the requests", hint="as 10% or 0.1; 0 ends it")
    return found


def _run(
    app: ConsoleApp,
    name: str,
    version: str,
    changed: Callable[[ServeSettings], ServeSettings],
    words: str,
    *,
    starts: bool,
) -> Callable[[], None]:
    async def configured() -> None:
        serving = app.engine.serving
        model = await _found(app, name)
        if starts and not _answers(model, version):
            model = await serving.load(model.name, version)
        await serving.configure(model.name, changed(model.settings))
        app.say(f"{safe(model.name, 60)}: {words}")

    return lambda: app.operations.run(name, configured())


def _answers(model: ServedModel, version: str) -> bool:
    return any(one.version == version and one.state is ServedState.AVAILABLE for one in model.versions)


async def _found(app: ConsoleApp, name: str) -> ServedModel:
    """The model of this path or name. Raises NotServedError."""
    for model in await app.engine.serving.models():
        if name in (model.name, model.path, splitext(model.path)[0]):
            return model
    raise NotServedError(f"no model in service is called {name[:100]}")
