"""The words of the command line of `:` that take something else than a model: what they set, and what may follow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta

from console.config import ProbeRate
from console.errors import UsageError
from console.nearest import nearest
from console.safe_text import safe
from console.ui import text, traffic_commands
from console.ui.keys import key_for
from console.ui.rows import Filter
from console.ui.themes import THEMES
from console.ui.widgets.columns import COLUMNS
from console.validation import number_from

if TYPE_CHECKING:
    from console.ui.running import ConsoleApp

Run = Callable[[], None]
Rows = Annotated[int, Meta(ge=1, le=100_000)]

COLUMN_NAMES = tuple(column.name for column in COLUMNS)
_STAYING = tuple(column.name for column in COLUMNS if not column.drop)
_THEME_WORDS = {"dark": "console-dark", "light": "console-light"}
_ORDERS = {"asc": False, "ascending": False, "desc": True, "descending": True}
_RATES = ("10", "20", "50", "100", "0")
_BATCHES = ("1", "8", "32", "128")


@dataclass(frozen=True, slots=True)
class Setting:
    """A word with what may follow it.

    `choices` gives what the word being typed may become, after those before it; `prepare` gives what is to be done for
    all that follows, or raises Usage with the reason why it cannot be. `subject` is the model in sight, None where
    there is none.
    """

    word: str
    usage: str
    help: str
    choices: Callable[[Sequence[str]], Sequence[str]]
    prepare: Callable[[ConsoleApp, str | None, str], Run]
    also: tuple[str, ...] = ()

    @property
    def takes(self) -> bool:
        """Whether anything may follow it."""
        return self.usage != self.word


def _theme(app: ConsoleApp, _subject: str | None, said: str) -> Run:
    name = _THEME_WORDS.get(said.casefold(), said.casefold())
    if name not in THEMES:
        wrong = f"there is no theme {safe(said, 40)}" if said else "it takes the name of a theme"
        raise UsageError(wrong, hint=_meant(said, (*THEMES, *_THEME_WORDS), THEMES))

    def run() -> None:
        app.theme = name

    return run


def _sort(app: ConsoleApp, _subject: str | None, said: str) -> Run:
    column, *more = said.casefold().split() or [""]
    reverse = column.startswith("-")
    name = _column(column.removeprefix("-"))
    if more:
        if len(more) > 1 or more[0] not in _ORDERS:
            raise UsageError(f"{safe(' '.join(more), 40)} is no order", hint="asc or desc, or a - before the column")
        reverse = _ORDERS[more[0]]
    return lambda: _arrange(app, sort=name, reverse=reverse)


def _filter(app: ConsoleApp, _subject: str | None, said: str) -> Run:
    if not said:
        raise UsageError("it takes a pattern to keep models by", hint=f"on the first screen {key_for('back')} drops it")
    return lambda: _arrange(app, wanted=Filter(said))


def _columns(app: ConsoleApp, _subject: str | None, said: str) -> Run:
    words = said.casefold().replace(",", " ").split()
    for word in words:
        name = _column(word.lstrip("-+"))
        if word.startswith("-") and name in _STAYING:
            raise UsageError(f"{name} is always shown", hint=f"those that can go: {', '.join(_others())}")
    signed = [word for word in words if word[0] in "-+"]
    if signed and len(signed) < len(words):
        raise UsageError("columns are either named or taken away", hint="class size trust, or -format +rss")
    return lambda: _arrange(app, columns=chosen_columns(app.rows.asked.columns, words))


def chosen_columns(now: Sequence[str], words: Sequence[str]) -> tuple[str, ...]:
    """The columns chosen once these words are said: names take the place of all that was, signs change it."""
    if not any(word[0] in "-+" for word in words):
        return tuple(name for name in COLUMN_NAMES if name in words or name in _STAYING) if words else ()
    named = [name for name in now if not name.startswith("-")]
    gone = {word[1:] for word in words if word[0] == "-"}
    come = {word[1:] for word in words if word[0] == "+"}
    if named:
        return tuple(name for name in COLUMN_NAMES if name in come or (name in named and name not in gone))
    hidden = {name.removeprefix("-") for name in now} - come | gone
    return tuple(f"-{name}" for name in COLUMN_NAMES if name in hidden)


def _rate(app: ConsoleApp, subject: str | None, said: str) -> Run:
    path, rate = _driven(app, subject), _number(said, ProbeRate)

    def run() -> None:
        app.operations.run(path, app.engine.monitor.set(path, rate=rate), "")
        app.say(f"{path}: {f'{rate:g} calls a second' if rate else 'as fast as it goes'}")

    return run


def _batch(app: ConsoleApp, subject: str | None, said: str) -> Run:
    path, batch = _driven(app, subject), _number(said, Rows)

    def run() -> None:
        app.operations.run(path, app.engine.monitor.set(path, batch=int(batch)), "")
        app.say(f"{path}: {text.count(int(batch), 'row')} in each request")

    return run


def _home(app: ConsoleApp, _subject: str | None, said: str) -> Run:
    if said:
        raise UsageError("nothing follows it")
    return app.show_home


def _one_of(*names: str, then: tuple[str, ...] = ()) -> Callable[[Sequence[str]], Sequence[str]]:
    """One of these names may follow the word, and `then` one of the others."""
    return lambda before: {0: names, 1: then}.get(len(before), ())


SETTINGS: tuple[Setting, ...] = (
    Setting("theme", "theme NAME", "How the console looks, until it is left", _one_of(*THEMES, *_THEME_WORDS), _theme),
    Setting(
        "sort",
        "sort COLUMN | -COLUMN | COLUMN desc",
        "Sort the table by a column",
        _one_of(*COLUMN_NAMES, *(f"-{name}" for name in COLUMN_NAMES), then=("asc", "desc")),
        _sort,
    ),
    Setting("filter", "filter PATTERN", "Keep the models that match", _one_of(), _filter),
    Setting(
        "columns",
        "columns NAME .. | -NAME .. | +NAME ..",
        "Choose what the table shows; alone, as the width allows",
        lambda before: _column_choices(before),
        _columns,
    ),
    Setting(
        "rate",
        "rate HZ",
        "Calls a second of the probe that runs; 0 is as fast as it goes",
        _one_of(*_RATES),
        _rate,
    ),
    Setting("batch", "batch ROWS", "Rows in each request of the probe that runs", _one_of(*_BATCHES), _batch),
    Setting(
        "share",
        "share [MODEL] VERSION 10%",
        "Have a version answer a share of the requests; 0 ends it",
        _one_of(),
        traffic_commands.share,
    ),
    Setting(
        "label",
        "label [MODEL] LABEL VERSION",
        "Have a label name a version; - instead of one takes it away",
        _one_of(),
        traffic_commands.label,
    ),
    Setting("home", "home", "Go to the table of all models", _one_of(), _home, also=("models",)),
)
"""Like the action table, for words with arguments of their own."""


def _arrange(app: ConsoleApp, **order: object) -> None:
    """Have the table in another order, and look at it."""
    app.show_home()
    app.arrange(**order)


def _column(name: str) -> str:
    if name not in COLUMN_NAMES:
        said = f"there is no column {safe(name, 40)}" if name else "it takes the name of a column"
        raise UsageError(said, hint=_meant(name, COLUMN_NAMES, COLUMN_NAMES))
    return name


def _others() -> Sequence[str]:
    return [name for name in COLUMN_NAMES if name not in _STAYING]


def _column_choices(before: Sequence[str]) -> Sequence[str]:
    free = [name for name in _others() if not any(word.lstrip("-+") == name for word in before)]
    signs = {word[:1] for word in before}
    plain = free if not signs & {"-", "+"} else []
    return (*plain, *(f"-{name}" for name in free)) if not before or not plain else plain


def _meant(said: str, names: Sequence[str], all_names: Iterable[str]) -> str:
    found = nearest(said, names) if said else None
    return f"did you mean {found}?" if found else f"one of {', '.join(all_names)}"


def _driven(app: ConsoleApp, subject: str | None) -> str:
    probe = app.mirror.probes.get(subject) if subject is not None else None
    if subject is None or probe is None or not probe.running:
        raise UsageError(
            f"{safe(subject or 'no model', 60)} is not being driven", hint=f"{key_for('probe')} drives a model"
        )
    if (refusal := app.mirror.permissions.refusal("probe")) is not None:
        raise UsageError(refusal)
    return subject


def _number(said: str, kind: Any) -> float:
    try:
        return number_from(said.removesuffix("/s").strip(), kind)
    except ValueError as error:
        raise UsageError(f"it takes {error}") from None
