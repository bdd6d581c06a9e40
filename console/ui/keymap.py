"""Keys of the settings: other keys for actions of the table, checked together with the keys that stay as they are.

A key is one character (`L`, `!`, a capital for shift), a name (`f5`, `space`, `pgdn`), or one of these behind `ctrl+`
or `shift+` where terminals tell them apart.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Mapping

from rich.cells import cell_len

from console.config import where_set
from console.errors import UsageError
from console.nearest import nearest
from console.safe_text import safe
from console.ui.keys import ACTIONS, BY_ID, DIALOG, EVERYWHERE, Action

_OTHER_NAMES = {
    "esc": "escape",
    "return": "enter",
    "pgdn": "pagedown",
    "pgup": "pageup",
    "page-down": "pagedown",
    "page-up": "pageup",
    "del": "delete",
    "ins": "insert",
    "shift+pgdn": "shift+pagedown",
    "shift+pgup": "shift+pageup",
    "ctrl+pgdn": "ctrl+pagedown",
    "ctrl+pgup": "ctrl+pageup",
}
_MOVES = ("up", "down", "left", "right", "home", "end", "pageup", "pagedown", "insert", "delete")
_NAMES = (*_MOVES, "escape", "enter", "tab", "space", "backspace", *(f"f{number}" for number in range(1, 13)))
_WITH_BOTH = ("up", "down", "left", "right", "home", "end")
"""Keys that terminals send apart with either of ctrl and shift."""
_SAME = {"ctrl+i": "tab", "ctrl+m": "enter", "ctrl+h": "backspace", "ctrl+[": "escape"}
"""Pairs of keys for which a terminal sends the same."""
KEYS = frozenset(
    (
        *_NAMES,
        "shift+tab",
        *(f"ctrl+{letter}" for letter in string.ascii_lowercase if f"ctrl+{letter}" not in _SAME),
        *(f"{held}+{move}" for move in _WITH_BOTH for held in ("ctrl", "shift")),
        "ctrl+pageup",
        "ctrl+pagedown",
        "ctrl+delete",
        "shift+delete",
        "shift+insert",
    )
)
"""Every key that is more than one character."""
FIXED = frozenset("ynqhl123456789") | {
    *("escape", "enter", "up", "down", "left", "right", "pageup", "pagedown", "tab", "shift+tab"),
    *("ctrl+c", "ctrl+n", "ctrl+p"),
    *("backspace", "delete", "home", "end", "shift+left", "shift+right", "shift+home", "shift+end", "shift+delete"),
    *("ctrl+left", "ctrl+right", *(f"ctrl+{letter}" for letter in "adekuvwx")),
}
"""Keys of dialogs and of the lines in them, which stay what they are."""

_SPELLING = (
    "a key is one character (L, !), a name (f5, space, esc, pgdn), or one of them behind ctrl+ or shift+ (ctrl+x)"
)


def checked(chosen: Mapping[str, str | tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """The settings' keys, each spelled as the table spells it.

    Raises UsageError that names the line where an action or a key is unknown, one key would do two things on one
    screen, or no way back or out would be left.
    """
    found: dict[str, tuple[str, ...]] = {}
    for action, keys in chosen.items():
        if action not in BY_ID:
            raise _unknown(action)
        listed = (keys,) if isinstance(keys, str) else keys
        found[action] = tuple(dict.fromkeys(_spelled(action, key) for key in listed))
    _without_conflict(found)
    _with_way_out(found)
    return found


def _spelled(action: str, key: str) -> str:
    """A key as the table has it."""
    if len(key) == 1 and (key.isprintable() and cell_len(key) == 1):
        return "space" if key == " " else key
    wanted = key.strip().lower()
    wanted = _OTHER_NAMES.get(wanted, wanted)
    if wanted in _SAME:
        raise _wrong(action, f"terminals send {_SAME[wanted]} for '{wanted}'; name another key")
    if found := re.fullmatch(r"shift\+([a-z])", wanted):
        return found[1].upper()
    if wanted in KEYS:
        return wanted
    near = nearest(wanted, KEYS)
    ask = f"; did you mean '{near}'?" if near else ""
    raise _wrong(action, f"'{safe(key, 40)}' is no key{ask}", _SPELLING)


def _without_conflict(found: Mapping[str, tuple[str, ...]]) -> None:
    for place in dict.fromkeys(place for action in ACTIONS for place in action.places):
        taken: dict[str, Action] = {}
        for action in _together(place):
            for key in found.get(action.id, action.keys):
                other = taken.setdefault(key, action)
                if other is not action and (action.id in found or other.id in found):
                    raise _conflict(key, action, other, found, place)
    for action in ACTIONS:
        both = FIXED & set(found.get(action.id, ())) if DIALOG in action.places else ()
        for key in both:
            raise _wrong(action.id, f"'{key}' is a key of dialogs, where {action.label} must work as well")


def _together(place: str) -> Iterator[Action]:
    """The actions that keys are for where this one of the places is in sight."""
    everywhere = {place, EVERYWHERE, "list", "text"} if place != DIALOG else {DIALOG}
    return (action for action in ACTIONS if everywhere & set(action.places))


def _conflict(key: str, action: Action, other: Action, found: Mapping[str, tuple[str, ...]], place: str) -> UsageError:
    mine, theirs = (action, other) if action.id in found else (other, action)
    where = "" if place in (EVERYWHERE, "list", "text") else f" on the {place} screen"
    return _wrong(
        mine.id,
        f"'{key}' is the key of {theirs.id}{where}",
        f"give {theirs.id} another key in [keys], or none: {theirs.id} = []",
    )


def _with_way_out(found: Mapping[str, tuple[str, ...]]) -> None:
    def lost(action: str) -> bool:
        return not found.get(action, BY_ID[action].keys)

    if lost("back"):
        raise _wrong("back", "nothing would lead back from a screen", "leave back a key")
    for one in ("quit", "help"):
        if lost(one) and lost("command"):
            what = "the console could not be left" if one == "quit" else "nothing would tell the keys"
            raise _wrong(one, f"{one} and command have no key then, and {what}", f"leave {one} or command a key")


def _unknown(action: str) -> UsageError:
    near = nearest(action.replace("_", "-"), BY_ID)
    ask = f"; did you mean '{near}'?" if near else ""
    return UsageError(
        f"{where_set('keys', action)}: unknown action '{safe(action, 60)}' in [keys]{ask}",
        hint=f"known here: {', '.join(BY_ID)}",
    )


def _wrong(action: str, what: str, hint: str = "") -> UsageError:
    return UsageError(f"{where_set('keys', action)}: keys.{action}: {what}", hint=hint)
