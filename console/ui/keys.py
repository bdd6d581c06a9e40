"""The one action table: bindings, palette, footer, help, README and read-only mode are all made from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from textual.binding import Binding, BindingType
from textual.keys import _character_to_key

from console.screen_table import SCREENS
from console.ui import text

EVERYWHERE = "everywhere"
"""A place whose actions every full screen answers."""
DIALOG = "dialog"
"""A place whose actions every dialog answers as well; its other keys are fixed."""


@dataclass(frozen=True, slots=True)
class Action:
    """Something an operator can ask for. Places name a screen ("home") or a kind of widget ("list", "text").

    `label` is the footer's word, `help` the sentence of help screen and palette; `writes` marks what read-only mode
    takes away, `dangerous` what asks first, `needs` which permission it takes, `of_model` that it can be about a model
    named on the command line of `:`. The method that does it is `do_<id>` with dashes as underscores.
    """

    id: str
    keys: tuple[str, ...]
    label: str
    help: str
    group: str
    places: tuple[str, ...]
    writes: bool = False
    dangerous: bool = False
    needs: str = ""
    of_model: bool = False

    @property
    def takes_model(self) -> bool:
        """Whether the name of a model may follow it: so it is of whatever home and model screen have in common."""
        return self.of_model or self.group == "Tabs" or set(_ABOUT_ONE.split()) <= set(self.places)

    @property
    def acts(self) -> bool:
        """Whether it does something to a model, rather than show it."""
        return bool(self.needs or self.writes or self.dangerous)

    @property
    def words(self) -> tuple[str, ...]:
        """Its names on the command line of `:`, its own id first."""
        label = (self.label,) if " " not in self.label else ()
        return (self.id, self.id.removeprefix("tab-"), *label, *_ALSO.get(self.id, ()))


_ALSO = {"quit": ("q", "q!", "quit!", "qa", "qa!", "wq", "exit"), "open": ("model",), "errors": ("error",)}
"""Words that people bring along from elsewhere."""
_ABOUT_ONE = "home model"
"""Screens that are about one artifact at a time."""
_LOADED = f"{_ABOUT_ONE} charts serving"
"""Those, and the one that is about what is loaded."""
_LISTS = "list text charts"
"""Everything with lines or cells to move among."""
GROUPS = ("Move", "Mark", "Run", "Update", "Look", "Tabs", "Text", "Console")


def _action(group: str, id: str, keys: str, places: str, help: str, *, label: str = "", **more: Any) -> Action:  # noqa: A002
    """A row of the table: `keys` and `places` are separated by blanks, the footer's word is the id if nothing else."""
    label = label or id.removeprefix("tab-").replace("-", " ")
    return Action(id, tuple(keys.split()), label, help, group, tuple(places.split()), **more)


def _opens(name: str) -> Action:
    """The row of the action that opens a screen."""
    screen = SCREENS[name]
    return _action(
        *(screen.group, name, screen.keys, screen.places, screen.help),
        label=screen.label,
        needs=screen.needs,
        writes=screen.writes,
        of_model=screen.about != "store",
    )


_move, _mark, _run, _update, _look, _tabs, _text, _console = (partial(_action, group) for group in GROUPS)

_ROWS: tuple[Action, ...] = (
    _move("down", "j down", _LISTS, "Move down"),
    _move("up", "k up", _LISTS, "Move up"),
    _move("left", "left", "charts", "Move left"),
    _move("right", "right", "charts", "Move right"),
    _move("page-down", "pagedown ctrl+d", _LISTS, "Move down a page"),
    _move("page-up", "pageup ctrl+u", _LISTS, "Move up a page"),
    _move("top", "g home", _LISTS, "Move to the first line"),
    _move("bottom", "G end", _LISTS, "Move to the last line"),
    _move("open", "enter", "home model errors events charts jobs serving", "Open what the cursor is on"),
    _move("other-column", "tab shift+tab", "model errors history", "Have the keys move the other of two columns"),
    _move("back", "escape", EVERYWHERE, "Go back; on the first screen, drop the marks, and with none the filter"),
    _move("next-problem", "!", "home", "Go to the next model that needs a person"),
    _mark("mark", "m space", "home", "Mark the model, or take its mark away, and move down"),
    _mark("mark-all", "M", "home", "Mark all that are shown; where they are, take all marks away"),
    _mark("stop", "X", "home", "Begin nothing more of what is being done to all marked"),
    _run(
        "load",
        "l",
        f"{_ABOUT_ONE} serving",
        "Load the model, or all marked, each into a sandboxed worker of its own",
        needs="load",
    ),
    _run(
        "unload",
        "x",
        _LOADED,
        "End the worker of the model, or of all marked, and give its memory back",
        needs="unload",
        dangerous=True,
    ),
    _run("reload", "r", _LOADED, "Load the file as it is now beside the old one, or try again", needs="reload"),
    _run("probe", "p", _LOADED, "Start or stop driving the model, or all marked, with their data", needs="probe"),
    _run("data", "f", _ABOUT_ONE, "Choose the data and the target of the model", needs="probe"),
    _run("copies", "w", "model serving", "Choose how many workers answer for the model", needs="load", of_model=True),
    _run(
        "accelerate",
        "A",
        "model",
        "Export to ONNX, compare both, and write the export beside the model",
        needs="accelerate",
        writes=True,
        of_model=True,
    ),
    _run("faster", ">", "model", "Raise the rate of the probe", needs="probe"),
    _run("slower", "<", "model", "Lower the rate of the probe", needs="probe"),
    _run("larger", ")", "model", "Send more rows in each request", label="larger batch", needs="probe"),
    _run("smaller", "(", "model", "Send fewer rows in each request", label="smaller batch", needs="probe"),
    _run("pause", "space", "model charts", "Hold the charts still; measuring goes on"),
    _run("zoom-in", "+", "model charts", "Show a shorter stretch of time"),
    _run("zoom-out", "-", "model charts", "Show a longer stretch of time"),
    _run("previous-row", "left", "model", "Predict the row before", label="row before", needs="predict"),
    _run("next-row", "right", "model", "Predict the next row of the data", needs="predict"),
    _run(
        "edit-row",
        "i",
        "model",
        "Type a row, starting from the one shown, and predict it",
        label="type a row",
        needs="predict",
    ),
    _opens("update"),
    _update("retrain", "enter", "update", "Start the retraining as it is set out", needs="update", writes=True),
    _update(
        "promote",
        "P",
        "update",
        "Put the candidate in the current model's place",
        needs="promote",
        writes=True,
        dangerous=True,
    ),
    _update("discard", "D", "update", "Drop the candidate", needs="discard", writes=True, dangerous=True),
    _update(
        "cancel",
        "X",
        "update jobs",
        "Stop the running update, or the job under the cursor",
        needs="update",
        writes=True,
        dangerous=True,
    ),
    _opens("history"),
    _update(
        "rollback",
        "B",
        "history model",
        "Put the version under the cursor back in place",
        label="roll back",
        needs="rollback",
        writes=True,
        dangerous=True,
    ),
    _update(
        "seal",
        "Z",
        _ABOUT_ONE,
        "Encrypt the file, or all marked, for the recipients in the settings",
        needs="seal",
        writes=True,
        dangerous=True,
    ),
    _opens("charts"),
    _opens("errors"),
    _opens("events"),
    _opens("jobs"),
    _opens("serving"),
    _opens("trust"),
    _look("inspect", "I", _ABOUT_ONE, "Read the file, or all marked, anew and judge it"),
    _opens("sandbox"),
    _look("worst", "R", _LOADED, "Show the slowest requests of others, and those that failed"),
    _look("filter", "/", "home", "Keep what matches a pattern; a leading ! inverts"),
    _look("search", "/", "errors help model", "Find a pattern in the text"),
    _look("next-match", "n", "errors help model", "Go to the next match"),
    _look("previous-match", "N", "errors help model", "Go to the match before"),
    _look("next-failure", "]", "errors", "Show the next failure", label="next error"),
    _look("previous-failure", "[", "errors", "Show the failure before", label="previous error"),
    _look("sort", "s", "home", "Sort by the next column"),
    _look("reverse", "S", "home", "Turn the order round"),
    _tabs("tab-overview", "1", "model", "What the file holds, and the verdict"),
    _tabs("tab-live", "2", "model", "Latency, throughput, errors and memory as they come"),
    _tabs("tab-try", "3", "model", "Predict a row of the data", label="try it"),
    _tabs("tab-errors", "4", "model", "What failed with this model"),
    _tabs("tab-versions", "5", "model", "What stood here before"),
    _tabs("tab-output", "6", "model", "What its process prints and writes to stderr, live"),
    _text(
        "copy",
        "c",
        EVERYWHERE,
        "Copy what is shown: the path of a model, the text of an error, the output",
        of_model=True,
    ),
    _text("save", "w", "errors", "Save the text to a file"),
    _text("save-output", "W", "model", "Save the output of the model's process to a file", label="save"),
    _text("export-data", "E", "model", "Write what the charts are drawn from to a csv file", label="export"),
    _text(
        "save-screen",
        "ctrl+s",
        "everywhere dialog",
        "Write the screen as it is to a text file and an SVG picture, in dialogs too",
    ),
    _console("command", ":", EVERYWHERE, "Find any action, model or theme, or give a command: sort size"),
    _opens("help"),
    _console("suspend", "ctrl+z", "everywhere dialog", "Back to the shell; fg there goes on"),
    _console(
        "quit",
        "q ctrl+c",
        EVERYWHERE,
        "Leave; loaded models are unloaded, those of a serving engine stay",
    ),
)

_PLACED = frozenset(action.id for action in _ROWS)

ACTIONS: tuple[Action, ...] = (*_ROWS, *(_opens(name) for name in SCREENS if name not in _PLACED))
"""Every action; a screen that has no place among the rows comes last of its group."""

BY_ID: dict[str, Action] = {action.id: action for action in ACTIONS}

_NO_KEY = "none"
"""A key that no terminal sends: the binding of an action whose keys were taken away."""
_SHORT = {"escape": "esc", "pagedown": "pgdn", "pageup": "pgup"}
_SHOWN = {**_SHORT, "down": "↓", "up": "↑", "left": "←", "right": "→"}


def actions_at(place: str) -> Iterator[Action]:
    """The actions of one screen or widget, in the table's order; those of everywhere follow a screen's own."""
    yield from (action for action in ACTIONS if place in action.places)


_chosen: dict[str, tuple[str, ...]] = {}
"""Keys of the settings in place of those of the table, by action."""


def use_keys(chosen: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """Have these actions other keys from now on, or none; Textual's keymap for their bindings.

    Console and tests have one terminal a process, and so one choice.
    """
    _chosen.clear()
    _chosen.update(chosen)
    return {action: _textual(keys) if keys else _NO_KEY for action, keys in chosen.items()}


def keys_of(action: Action) -> tuple[str, ...]:
    """The keys that an action has now."""
    return _chosen.get(action.id, action.keys)


def _textual(keys: tuple[str, ...]) -> str:
    return ",".join(_character_to_key(key) if len(key) == 1 else key for key in keys)


def bindings_at(*places: str) -> list[BindingType]:
    """Textual's bindings for these places, with the table's own keys; each runs the action `do` with the id."""
    return [
        Binding(_textual(action.keys), f"do('{action.id}')", action.label, show=False, id=action.id)
        for place in places
        for action in actions_at(place)
    ]


def key_for(action_id: str) -> str:
    """The key that a sentence tells to press: the first, or else how the action is found by name (`:probe`)."""
    action = BY_ID[action_id]
    by_name = "" if action_id == "command" else f"{key_for('command')}{action.label}"
    return shown_keys(action, first=True) or by_name


def shown_keys(action: Action, *, first: bool = False) -> str:
    """The keys of an action as a person reads them: `j ↓`."""
    keys = keys_of(action)[:1] if first else keys_of(action)
    names = _SHORT if text.is_ascii() else _SHOWN
    return " ".join(names.get(key, key) for key in keys)


def markdown() -> str:
    """The key list of the README, a Markdown table made from the action table."""
    lines = ["| keys | what it does | where |", "| --- | --- | --- |"]
    for action in ACTIONS:
        keys = " ".join(f"`{_SHOWN.get(key, key)}`" for key in action.keys)
        asks = " (asks first)" if action.dangerous else ""
        lines.append(f"| {keys} | {action.help}{asks} | {', '.join(action.places)} |")
    return "\n".join(lines) + "\n"
