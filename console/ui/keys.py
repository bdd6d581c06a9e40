"""The one action table: bindings, palette, footer, help, README and read-only mode are all made from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from textual.binding import Binding, BindingType
from textual.keys import _character_to_key

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
        return self.of_model or self.group == "Tabs" or set(_ABOUT_ONE) <= set(self.places)

    @property
    def acts(self) -> bool:
        """Whether it does something to a model, rather than show it."""
        return bool(self.needs or self.writes or self.dangerous)

    @property
    def words(self) -> tuple[str, ...]:
        """What it is called on the command line of `:`, its own id first."""
        label = (self.label,) if " " not in self.label else ()
        return (self.id, self.id.removeprefix("tab-"), *label, *_ALSO.get(self.id, ()))


_ALSO = {"quit": ("q", "q!", "quit!", "qa", "qa!", "wq", "exit"), "open": ("model",), "errors": ("error",)}
"""Words that people bring along from elsewhere."""
_ABOUT_ONE = ("home", "model")
"""Screens that are about one artifact at a time."""
_LOADED = (*_ABOUT_ONE, "charts")
"""Those, and the one that is about what is loaded."""

ACTIONS: tuple[Action, ...] = (
    Action("down", ("j", "down"), "down", "Move down", "Move", ("list", "text", "charts")),
    Action("up", ("k", "up"), "up", "Move up", "Move", ("list", "text", "charts")),
    Action("left", ("left",), "left", "Move left", "Move", ("charts",)),
    Action("right", ("right",), "right", "Move right", "Move", ("charts",)),
    Action("page-down", ("pagedown", "ctrl+d"), "page down", "Move down a page", "Move", ("list", "text", "charts")),
    Action("page-up", ("pageup", "ctrl+u"), "page up", "Move up a page", "Move", ("list", "text", "charts")),
    Action("top", ("g", "home"), "top", "Move to the first line", "Move", ("list", "text", "charts")),
    Action("bottom", ("G", "end"), "bottom", "Move to the last line", "Move", ("list", "text", "charts")),
    Action(
        "open",
        ("enter",),
        "open",
        "Open what the cursor is on",
        "Move",
        ("home", "model", "errors", "events", "charts"),
    ),
    Action(
        "other-column",
        ("tab", "shift+tab"),
        "other column",
        "Have the keys move the other of two columns",
        "Move",
        ("model", "errors", "history"),
    ),
    Action(
        "back",
        ("escape",),
        "back",
        "Go back; on the first screen, drop the marks, and with none the filter",
        "Move",
        (EVERYWHERE,),
    ),
    Action("next-problem", ("!",), "next problem", "Go to the next model that needs a person", "Move", ("home",)),
    Action("mark", ("m", "space"), "mark", "Mark the model, or take its mark away, and move down", "Mark", ("home",)),
    Action(
        "mark-all",
        ("M",),
        "mark all",
        "Mark all that are shown; where they are, take all marks away",
        "Mark",
        ("home",),
    ),
    Action("stop", ("X",), "stop", "Begin nothing more of what is being done to all marked", "Mark", ("home",)),
    Action(
        "load",
        ("l",),
        "load",
        "Load the model, or all marked, each into a sandboxed worker of its own",
        "Run",
        _ABOUT_ONE,
        needs="load",
    ),
    Action(
        "unload",
        ("x",),
        "unload",
        "End the worker of the model, or of all marked, and give its memory back",
        "Run",
        _LOADED,
        dangerous=True,
        needs="unload",
    ),
    Action(
        "reload",
        ("r",),
        "reload",
        "Load the file as it is now beside the old one, or try again",
        "Run",
        _LOADED,
        needs="reload",
    ),
    Action(
        "probe",
        ("p",),
        "probe",
        "Start or stop driving the model, or all marked, with their data",
        "Run",
        _LOADED,
        needs="probe",
    ),
    Action("data", ("f",), "data", "Choose the data and the target of the model", "Run", _ABOUT_ONE, needs="probe"),
    Action(
        "copies",
        ("w",),
        "copies",
        "Choose how many workers answer for the model",
        "Run",
        ("model",),
        needs="load",
        of_model=True,
    ),
    Action(
        "accelerate",
        ("A",),
        "accelerate",
        "Export to ONNX, compare both, and write the export beside the model",
        "Run",
        ("model",),
        writes=True,
        needs="accelerate",
        of_model=True,
    ),
    Action("faster", (">",), "faster", "Raise the rate of the probe", "Run", ("model",), needs="probe"),
    Action("slower", ("<",), "slower", "Lower the rate of the probe", "Run", ("model",), needs="probe"),
    Action("larger", (")",), "larger batch", "Send more rows in each request", "Run", ("model",), needs="probe"),
    Action("smaller", ("(",), "smaller batch", "Send fewer rows in each request", "Run", ("model",), needs="probe"),
    Action("pause", ("space",), "pause", "Hold the charts still; measuring goes on", "Run", ("model", "charts")),
    Action("zoom-in", ("+",), "zoom in", "Show a shorter stretch of time", "Run", ("model", "charts")),
    Action("zoom-out", ("-",), "zoom out", "Show a longer stretch of time", "Run", ("model", "charts")),
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
    Action(
        "seal",
        ("Z",),
        "seal",
        "Encrypt the file, or all marked, for the recipients in the settings",
        "Update",
        _ABOUT_ONE,
        writes=True,
        dangerous=True,
        needs="seal",
    ),
    Action("charts", ("C",), "charts", "Show small charts of all loaded models", "Look", (EVERYWHERE,)),
    Action("errors", ("e",), "errors", "Show what failed, with its traceback", "Look", (EVERYWHERE,), of_model=True),
    Action("events", ("v",), "events", "Show what happened and who did it", "Look", (EVERYWHERE,)),
    Action(
        "trust",
        ("t",),
        "why",
        "Show why the verdict, what it would take, and what is new since the last version",
        "Look",
        ("home", "model", "trust"),
    ),
    Action("inspect", ("I",), "inspect", "Read the file, or all marked, anew and judge it", "Look", _ABOUT_ONE),
    Action(
        "sandbox",
        ("b",),
        "sandbox",
        "Show the layers around a worker, with their evidence",
        "Look",
        (EVERYWHERE,),
        of_model=True,
    ),
    Action("filter", ("/",), "filter", "Keep what matches a pattern; a leading ! inverts", "Look", ("home",)),
    Action("search", ("/",), "search", "Find a pattern in the text", "Look", ("errors", "help", "model")),
    Action("next-match", ("n",), "next match", "Go to the next match", "Look", ("errors", "help", "model")),
    Action("previous-match", ("N",), "previous match", "Go to the match before", "Look", ("errors", "help", "model")),
    Action("next-failure", ("]",), "next error", "Show the next failure", "Look", ("errors",)),
    Action("previous-failure", ("[",), "previous error", "Show the failure before", "Look", ("errors",)),
    Action("sort", ("s",), "sort", "Sort by the next column", "Look", ("home",)),
    Action("reverse", ("S",), "reverse", "Turn the order round", "Look", ("home",)),
    Action("tab-overview", ("1",), "overview", "What the file holds, and the verdict", "Tabs", ("model",)),
    Action("tab-live", ("2",), "live", "Latency, throughput, errors and memory as they come", "Tabs", ("model",)),
    Action("tab-try", ("3",), "try it", "Predict a row of the data", "Tabs", ("model",)),
    Action("tab-errors", ("4",), "errors", "What failed with this model", "Tabs", ("model",)),
    Action("tab-versions", ("5",), "versions", "What stood here before", "Tabs", ("model",)),
    Action("tab-output", ("6",), "output", "What its process prints and writes to stderr, live", "Tabs", ("model",)),
    Action(
        "copy",
        ("c",),
        "copy",
        "Copy what is shown: the path of a model, the text of an error, the output",
        "Text",
        (EVERYWHERE,),
        of_model=True,
    ),
    Action("save", ("w",), "save", "Save the text to a file", "Text", ("errors",)),
    Action("save-output", ("W",), "save", "Save the output of the model's process to a file", "Text", ("model",)),
    Action("export-data", ("E",), "export", "Write what the charts are drawn from to a csv file", "Text", ("model",)),
    Action(
        "save-screen",
        ("ctrl+s",),
        "save screen",
        "Write the screen as it is to a text file and an SVG picture, in dialogs too",
        "Text",
        (EVERYWHERE, DIALOG),
    ),
    Action(
        "command",
        (":",),
        "command",
        "Find any action, model or theme, or give a command: sort size",
        "Console",
        (EVERYWHERE,),
    ),
    Action("help", ("?",), "help", "Show all keys", "Console", (EVERYWHERE,)),
    Action(
        "suspend",
        ("ctrl+z",),
        "suspend",
        "Back to the shell; fg there goes on",
        "Console",
        (EVERYWHERE, DIALOG),
    ),
    Action("quit", ("q", "ctrl+c"), "quit", "Leave; loaded models are unloaded", "Console", (EVERYWHERE,)),
)

BY_ID: dict[str, Action] = {action.id: action for action in ACTIONS}

GROUPS: tuple[str, ...] = tuple(dict.fromkeys(action.group for action in ACTIONS))

_NO_KEY = "none"
"""What no terminal sends: the binding of an action whose keys were taken away."""
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
