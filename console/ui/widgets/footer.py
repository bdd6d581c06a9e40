"""The line at the bottom: the keys that matter here and now, made from the action table."""

from __future__ import annotations

from textual import events
from textual.content import Content
from textual.style import Style
from textual.widget import Widget
from textual.widgets import Input

from console.ui import text
from console.ui.keys import BY_ID, keys_of, shown_keys
from console.ui.running import screen_of

_TYPING = (("enter", "take it"), ("esc", "leave it"))
_ALWAYS = ("command", "help")


class Footer(Widget):
    """`enter open  l load  p probe  u update  h history        : command  ? help`; a click does what it says."""

    DEFAULT_CSS = "Footer { height: 1; width: 1fr; dock: bottom; padding: 0 1; }"

    def __init__(self) -> None:
        super().__init__()
        self._drawn = Content("")

    def revise(self) -> None:
        """Repaint if other actions matter now."""
        if not text.same(self._keys(), self._drawn):
            self.refresh()

    def render(self) -> Content:
        """The keys that matter now."""
        self._drawn = self._keys()
        return self._drawn

    def _keys(self) -> Content:
        """As many keys as there is room for; the two that are always there stand at the right.

        While somebody types, the keys are letters: then only those of the line that is typed into are told.
        """
        keys = self._typing()
        if keys is not None:
            return Content("  ").join([_pair(key, word) for key, word in keys])
        right = Content("  ").join([self._item(action) for action in _ALWAYS if keys_of(BY_ID[action])])
        left = Content("")
        for action in self._wanted():
            longer = Content("  ").join([left, self._item(action)]) if left else self._item(action)
            if longer.cell_length + 2 + right.cell_length > self.size.width:
                break
            left = longer
        room = self.size.width - left.cell_length - right.cell_length
        return Content.assemble(left.pad_right(max(2, room)), right)

    def on_click(self, event: events.Click) -> None:
        """Do what was clicked on."""
        action_id = event.style.meta.get("does")
        if action_id is not None:
            screen_of(self).action_do(action_id)

    def _typing(self) -> tuple[tuple[str, str], ...] | None:
        """The keys of the line that is being typed into, with their words; None where none is."""
        line = self.screen.focused
        if not isinstance(line, Input):
            return None
        around = (getattr(one, "typing_keys", None) for one in line.ancestors)
        return next((keys for keys in around if keys), _TYPING)

    def _wanted(self) -> tuple[str, ...]:
        screen = screen_of(self)

        def told(*actions: str) -> tuple[str, ...]:
            return tuple(one for one in actions if keys_of(BY_ID[one]) and screen.allowed(one))[:6]

        return told(*screen.footer_actions()) or told("back")

    def _item(self, action_id: str) -> Content:
        click = Style.from_meta({"does": action_id})
        return _pair(shown_keys(BY_ID[action_id], first=True), screen_of(self).label(action_id)).stylize(click)


def _pair(key: str, word: str) -> Content:
    return Content.assemble((key, "bold $accent"), " ", (word, "$quiet"))
