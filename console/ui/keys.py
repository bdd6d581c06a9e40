"""The one action table: bindings, palette, footer, help, README and read-only mode are all made from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from textual.binding import Binding, BindingType

from console.ui import text

EVERYWHERE = "everywhere"
"""A place whose actions every full screen answers."""
DIALOG = "dialog"
"""A place whose actions every dialog answers as well; its other keys are fixed."""


@dataclass(frozen=True, slots=True)
class Action:
    """Something an operator can ask for. Places name a screen ("home") or a kind of widget ("list", "text").

    `label` is the footer's word, `help` the sentence of help screen and palette; `writes` marks what read-only mode
    takes away, `dangerous` what asks first, `needs` which permission it takes. The method that does it is `do_<id>`
    with dashes as underscores.
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


_ABOUT_ONE = ("home", "model")
"""Screens that are about one artifact at a time."""

ACTIONS: tuple[Action, ...] = (
    Action("down", ("j", "down"), "down", "Move down", "Move", ("list", "text")),
    Action("up", ("k", "up"), "up", "Move up", "Move", ("list", "text")),
    Action("page-down", ("pagedown", "ctrl+d"), "page down", "Move down a page", "Move", ("list", "text")),
    Action("page-up", ("pageup", "ctrl+u"), "page up", "Move up a page", "Move", ("list", "text")),
    Action("top", ("g", "home"), "top", "Move to the first line", "Move", ("list", "text")),
    Action("bottom", ("G", "end"), "bottom", "Move to the last line", "Move", ("list", "text")),
    Action(
        "open",
        ("enter",),
        "open",
        "Open what the cursor is on",
        "Move",
        ("home", "model", "errors", "events"),
    ),
    Action("back", ("escape",), "back", "Go back; on the first screen, drop the filter", "Move", (EVERYWHERE,)),
    Action("next-problem", ("!",), "next problem", "Go to the next model that needs a person", "Move", ("home",)),
    Action(
        "load", ("l",), "load", "Load the model into a sandboxed worker of its own", "Run", _ABOUT_ONE, needs="load"
    ),
    Action(
        "unload",
        ("x",),
        "unload",
        "End the model's worker and give its memory back",
        "Run",
        _ABOUT_ONE,
        dangerous=True,
        needs="unload",
    ),
    Action(
        "reload",
        ("r",),
        "reload",
        "Load the file as it is now beside the old one, or try again",
        "Run",
        _ABOUT_ONE,
        needs="reload",
    ),
    Action("probe", ("p",), "probe", "Start or stop driving the model with its data", "Run", _ABOUT_ONE, needs="probe"),
    Action("copies", ("w",), "copies", "Choose how many workers answer for the model", "Run", ("model",), needs="load"),
    Action(
        "accelerate",
        ("A",),
        "accelerate",
        "Make a compiled copy, compare it, and have it answer where it is faster",
        "Run",
        ("model",),
        writes=True,
        needs="accelerate",
    ),
    Action("faster", (">",), "faster", "Raise the rate of the probe", "Run", ("model",), needs="probe"),
    Action("slower", ("<",), "slower", "Lower the rate of the probe", "Run", ("model",), needs="probe"),
    Action("larger", (")",), "larger batch", "Send more rows in each request", "Run", ("model",), needs="probe"),
    Action("smaller", ("(",), "smaller batch", "Send fewer rows in each request", "Run", ("model",), needs="probe"),
    Action("pause", ("space",), "pause", "Hold the charts still; measuring goes on", "Run", ("model",)),
    Action("zoom-in", ("+",), "zoom in", "Show a shorter stretch of time", "Run", ("model",)),
    Action("zoom-out", ("-",), "zoom out", "Show a longer stretch of time", "Run", ("model",)),
    Action("previous-row", ("left",), "row before", "Predict the row before", "Run", ("model",), needs="predict"),
    Action("next-row", ("right",), "next row", "Predict the next row of the data", "Run", ("model",), needs="predict"),
    Action(
        "edit-row",
        ("i",),
        "type a row",
        "Type a row, starting from the one shown, and predict it",
        "Run",
        ("model",),
        needs="predict",
    ),
    Action(
        "update",
        ("u",),
        "update",
        "Retrain the model and compare the candidate with it",
        "Update",
        _ABOUT_ONE,
        writes=True,
        needs="update",
    ),
    Action(
        "retrain",
        ("enter",),
        "retrain",
        "Start the retraining as it is set out",
        "Update",
        ("update",),
        writes=True,
        needs="update",
    ),
    Action(
        "promote",
        ("P",),
        "promote",
        "Put the candidate in the current model's place",
        "Update",
        ("update",),
        writes=True,
        dangerous=True,
        needs="promote",
    ),
    Action(
        "discard",
        ("D",),
        "discard",
        "Drop the candidate",
        "Update",
        ("update",),
        writes=True,
        dangerous=True,
        needs="discard",
    ),
    Action(
        "cancel",
        ("X",),
        "cancel",
        "Stop the running update",
        "Update",
        ("update",),
        writes=True,
        dangerous=True,
        needs="update",
    ),
    Action("history", ("h",), "history", "Show the versions of the model", "Update", _ABOUT_ONE),
    Action(
        "rollback",
        ("B",),
        "roll back",
        "Put the version under the cursor back in place",
        "Update",
        ("history", "model"),
        writes=True,
        dangerous=True,
        needs="rollback",
    ),
    Action("errors", ("e",), "errors", "Show what failed, with its traceback", "Look", (EVERYWHERE,)),
    Action("events", ("v",), "events", "Show what happened and who did it", "Look", (EVERYWHERE,)),
    Action(
        "trust",
        ("t",),
        "why",
        "Show why the verdict, what it would take, and what is new since the last version",
        "Look",
        ("home", "model", "trust"),
    ),
    Action("sandbox", ("b",), "sandbox", "Show the layers around a worker, with their evidence", "Look", (EVERYWHERE,)),
    Action("filter", ("/",), "filter", "Keep what matches a pattern; a leading ! inverts", "Look", ("home",)),
    Action("search", ("/",), "search", "Find a pattern in the text", "Look", ("errors", "help")),
    Action("next-match", ("n",), "next match", "Go to the next match", "Look", ("errors", "help")),
    Action("previous-match", ("N",), "previous match", "Go to the match before", "Look", ("errors", "help")),
    Action("next-failure", ("]",), "next error", "Show the next failure", "Look", ("errors",)),
    Action("previous-failure", ("[",), "previous error", "Show the failure before", "Look", ("errors",)),
    Action("sort", ("s",), "sort", "Sort by the next column", "Look", ("home",)),
    Action("reverse", ("S",), "reverse", "Turn the order round", "Look", ("home",)),
    Action("tab-overview", ("1",), "overview", "What the file holds, and the verdict", "Tabs", ("model",)),
    Action("tab-live", ("2",), "live", "Latency, throughput, errors and memory as they come", "Tabs", ("model",)),
    Action("tab-try", ("3",), "try it", "Predict a row of the data", "Tabs", ("model",)),
    Action("tab-errors", ("4",), "errors", "What failed with this model", "Tabs", ("model",)),
    Action("tab-versions", ("5",), "versions", "What stood here before", "Tabs", ("model",)),
    Action(
        "copy", ("c",), "copy", "Copy what is shown: the path of a model, the text of an error", "Text", (EVERYWHERE,)
    ),
    Action("save", ("w",), "save", "Save the text to a file", "Text", ("errors",)),
    Action("export-data", ("E",), "export", "Write what the charts are drawn from to a csv file", "Text", ("model",)),
    Action(
        "save-screen",
        ("ctrl+s",),
        "save screen",
        "Write the screen as it is to a text file and an SVG picture, in dialogs too",
        "Text",
        (EVERYWHERE, DIALOG),
    ),
    Action("command", (":",), "command", "Find any action, model or theme by name", "Console", (EVERYWHERE,)),
    Action("help", ("?",), "help", "Show all keys", "Console", (EVERYWHERE,)),
    Action("quit", ("q", "ctrl+c"), "quit", "Leave; loaded models are unloaded", "Console", (EVERYWHERE,)),
)

BY_ID: dict[str, Action] = {action.id: action for action in ACTIONS}

GROUPS: tuple[str, ...] = tuple(dict.fromkeys(action.group for action in ACTIONS))

_KEY_NAMES = {
    "/": "slash",
    ":": "colon",
    "?": "question_mark",
    "!": "exclamation_mark",
    ">": "greater_than_sign",
    "<": "less_than_sign",
    "(": "left_parenthesis",
    ")": "right_parenthesis",
    "[": "left_square_bracket",
    "]": "right_square_bracket",
    "+": "plus",
    "-": "minus",
}
_SHORT = {"escape": "esc", "pagedown": "pgdn", "pageup": "pgup"}
_SHOWN = {**_SHORT, "down": "↓", "up": "↑", "left": "←", "right": "→"}


def actions_at(place: str) -> Iterator[Action]:
    """The actions of one screen or widget, in the table's order; those of everywhere follow a screen's own."""
    yield from (action for action in ACTIONS if place in action.places)


def bindings_at(*places: str) -> list[BindingType]:
    """Textual's bindings for these places; each runs the action `do` with the id."""
    return [
        Binding(
            ",".join(_KEY_NAMES.get(key, key) for key in action.keys), f"do('{action.id}')", action.label, show=False
        )
        for place in places
        for action in actions_at(place)
    ]


def shown_keys(action: Action, *, first: bool = False) -> str:
    """The keys of an action as a person reads them: `j ↓`."""
    keys = action.keys[:1] if first else action.keys
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
