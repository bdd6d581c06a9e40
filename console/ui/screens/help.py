"""All keys, made from the action table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partialmethod

from textual.containers import Container
from textual.content import Content
from textual.widget import Widget

from console.ui.keys import ACTIONS, EVERYWHERE, GROUPS, Action, bindings_at, key_for, shown_keys
from console.ui.screens.base import ConsoleScreen
from console.ui.widgets.filter_bar import SearchBar
from console.ui.widgets.text_pane import TextPane

_TWO_COLUMNS = 130
_WITH_NAMES = 96
_KEYS, _NAMES = 13, 16
"""Cells of the columns of keys and of names, with the blanks behind them."""


class HelpScreen(ConsoleScreen):
    """Grouped; what works on the screen one comes from is bright, the rest quiet."""

    PLACE = "help"
    BINDINGS = bindings_at("help", EVERYWHERE)
    AUTO_FOCUS = "TextPane"
    FOOTER = ("search", "next-match", "back")

    def __init__(self) -> None:
        super().__init__()
        self._place = self.PLACE
        self._filled_for = ("", 0)

    def begin(self, below: ConsoleScreen) -> None:
        """Bring the keys of the screen below forward; from the top, and nothing searched for."""
        self._place = below.PLACE
        if self.is_built:
            self._head()
            self._fill(self.app.size.width)
            pane, bar = self.query_one(TextPane), self.query_one(SearchBar)
            if bar.pattern:
                pane.search("")
            bar.close()
            pane.action_do("top")
            pane.focus()

    @property
    def crumbs(self) -> Sequence[str]:
        """Where one is."""
        return ("keys",)

    def content(self) -> Iterable[Widget]:
        """The text."""
        pane = TextPane()
        yield Container(pane, id="help-frame", classes="frame")
        yield SearchBar("find a key or a word", pane, stays=False)

    def on_mount(self) -> None:
        """There from the first picture on."""
        self._head()
        self._fill(self.app.size.width)

    def on_resize(self) -> None:
        """One column or two."""
        self._fill(self.size.width)

    def _head(self) -> None:
        self.query_one("#help-frame").border_title = Content(f"keys of the {self._place} screen, then the others")

    def _fill(self, width: int) -> None:
        if (self._place, width) != self._filled_for:
            self._filled_for = (self._place, width)
            self.query_one(TextPane).show(key_lines(self._place, width - 6), keep_place=True)

    def can(self, action: str) -> bool:
        """There is no next match before something was searched for."""
        if action in ("next-match", "previous-match"):
            return bool(self.is_built and self.query_one(TextPane).where)
        return super().can(action)

    def why_not(self, action: str) -> str:
        """Nothing was searched for."""
        return f"search first, with {key_for('search')}"

    def do_help(self) -> None:
        """The same key closes it."""
        self.do_back()

    def do_search(self) -> None:
        """Type what to find."""
        self.query_one(SearchBar).open()

    def _go(self, step: int) -> None:
        self.query_one(SearchBar).go(step)

    do_next_match = partialmethod(_go, 1)
    do_previous_match = partialmethod(_go, -1)


def key_lines(place: str, width: int) -> list[Content]:
    """The whole table as text, in two columns where there is room."""
    column = width // 2 if width >= _TWO_COLUMNS else width
    blocks = [_block(group, place, column - 2, named=width >= _WITH_NAMES) for group in GROUPS]
    if column == width:
        return [line for block in blocks for line in block]
    total = sum(len(block) for block in blocks)
    left: list[Content] = []
    right: list[Content] = []
    for block in blocks:
        (left if len(left) < total / 2 else right).extend(block)
    height = max(len(left), len(right))
    left += [Content("")] * (height - len(left))
    right += [Content("")] * (height - len(right))
    return [
        (one.truncate(column - 2, ellipsis=True).pad_right(max(0, column - min(one.cell_length, column - 2))) + other)
        for one, other in zip(left, right, strict=True)
    ]


def _block(group: str, place: str, width: int, *, named: bool) -> list[Content]:
    actions = [action for action in ACTIONS if action.group == group]
    lines = [line for action in actions for line in _about(action, place, width, named=named)]
    return [Content.styled(group.upper(), "bold $quiet"), *lines, Content("")]


def _about(action: Action, place: str, width: int, *, named: bool) -> list[Content]:
    """Keys, name (where there is room: `named`) and what it does, wrapped beside them."""
    here = bool({place, EVERYWHERE, "list", "text"} & set(action.places))
    where = f"({', '.join(action.places)})"
    keys = Content(shown_keys(action) or key_for(action.id)).truncate(_KEYS, ellipsis=True)
    head = Content.assemble(
        (f"  {keys.plain:<{_KEYS + 1}}", "bold $accent" if here else "$quiet"),
        (f"{action.label:<{_NAMES}}" if named else "", "bold" if here else "$quiet"),
    )
    room = max(20, width - head.cell_length)
    lines = list(Content.styled(action.help, "$foreground" if here else "$quiet").wrap(room))
    for note in (("asks first", "$warning") if action.dangerous else None, None if here else (where, "$quiet")):
        if note is not None:
            _append(lines, Content.styled(*note), room)
    margin = Content(" " * head.cell_length)
    return [(margin if number else head) + part for number, part in enumerate(lines)]


def _append(lines: list[Content], note: Content, room: int) -> None:
    """Put a note behind the last line, or whole on one of its own."""
    longer = lines[-1].rstrip() + Content("  ") + note
    if longer.cell_length <= room:
        lines[-1] = longer
    else:
        lines.append(note)
