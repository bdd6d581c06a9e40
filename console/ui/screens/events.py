"""The events of the store and who caused them, newest first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from textual import on
from textual.containers import Container
from textual.content import Content
from textual.widget import Widget

from console.records import Event
from console.ui import text
from console.ui.event_words import event_line, without_steps
from console.ui.keys import EVERYWHERE, bindings_at
from console.ui.screens.base import ConsoleScreen
from console.ui.widgets.line_list import Item, LineList


class EventsScreen(ConsoleScreen):
    """One line an event; `enter` goes to what it is about."""

    PLACE = "events"
    BINDINGS = bindings_at("events", EVERYWHERE)
    AUTO_FOCUS = "LineList"
    FOOTER = ("open", "errors", "copy", "back")

    @property
    def subject(self) -> str | None:
        """The artifact that the event under the cursor is about."""
        event = self._shown()
        return event.subject if event is not None and event.subject else None

    def content(self) -> Iterable[Widget]:
        """The list."""
        yield Container(LineList(), id="events-frame", classes="frame")

    def begin(self, below: ConsoleScreen) -> None:
        """The newest event first in sight, whatever was looked at before."""
        if self.is_built:
            self.query_one(LineList).action_do("top")

    def on_mount(self) -> None:
        """Fill it."""
        self.query_one("#events-frame").border_title = Content("events")
        self.engine_changed(())

    def engine_changed(self, events: Sequence[Event]) -> None:
        """New events come on top; the cursor stays on its own, unless it is on the newest."""
        listed = self.query_one(LineList)
        recent = tuple(without_steps(self.mirror.events))
        at_newest = listed.key is None or listed.at_top
        stamp = max((len(text.clock(event.when)) for event in recent), default=0)
        listed.show(self._lines(recent, stamp))
        if at_newest:
            listed.action_do("top")

    def _lines(self, recent: Sequence[Event], stamp: int) -> list[Item]:
        """The events, newest first, with a line between what an earlier look has seen and what it has not."""
        lines: list[Item] = [(event, event_line(event, stamp)) for event in reversed(recent)]
        away = self.app.away
        if away is not None:
            seen = sum(event.number <= away.after for event in recent)
            words = f"{text.sign('──')} {away.words}"
            lines.insert(len(lines) - seen, (away, Content.styled(words, "$accent")))
        return lines

    def _shown(self) -> Event | None:
        key = self.query_one(LineList).key if self.is_built else None
        return key if isinstance(key, Event) else None

    def can(self, action: str) -> bool:
        """An event of the whole store leads nowhere."""
        return action not in ("open", "copy") or self.subject is not None

    def why_not(self, action: str) -> str:
        """The reason in the event's subject against an action; "" for none."""
        if self._shown() is None:
            return "nothing has happened yet" if self.app.away is None else "what happened stands above and below"
        return "it is about the whole store"

    @on(LineList.Moved)
    def _moved(self) -> None:
        self.refresh_frame()

    @on(LineList.Chosen)
    def _clicked(self) -> None:
        self.action_do("open")

    def do_open(self) -> None:
        """To the failure, or to the model."""
        event = self._shown()
        if event is None:
            return
        if event.kind == "failure.added":
            self.app.show("errors", event.subject, failure=event.data.failure)
        elif event.subject in self.mirror.rows:
            self.app.open_model(event.subject)
        else:
            self.app.say(f"{event.subject} is no longer in the store")
