"""The choice of the target: one column of a data file, several, or none."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from textual.content import Content

from backends.core.inspection import Signature
from console.errors import ConsoleError
from console.records import DataColumns, Expected, Target, target_words
from console.safe_text import safe
from console.ui import text
from console.ui.dialogs.picking import PickScreen
from console.ui.fit import Fit, fit_of, likely_target
from console.ui.widgets.line_list import Item

_MOST = 1_000
"""Lines the list takes."""


@dataclass(frozen=True, slots=True)
class Aim:
    """An answer: the target, or that there is none; and how the file fits then, if that could be told."""

    target: Target | None
    fit: Fit | None = None


class TargetScreen(PickScreen[Aim | None]):
    """Answers with an Aim, None for back. The columns are read meanwhile; where they cannot be, a name can be typed."""

    def __init__(
        self,
        path: str,
        data: str,
        read: Callable[[], Awaitable[tuple[DataColumns, Expected]]],
        *,
        called: Sequence[str] = (),
        now: Target | None = None,
    ) -> None:
        """`read` gives the columns, and what is known of the model's inputs; `called` are names a target of this model
        may have, `now` is the one it had."""
        super().__init__(
            f"Which column of {safe(data, 80)} is the truth for {safe(path, 80)}?",
            "",
            placeholder="part of a name; several with commas",
            keys="enter takes it, esc goes back to the files",
        )
        self._read = read
        self._expected = Expected(Signature())
        self._called = tuple(called)
        self._now = now
        self._columns: DataColumns | None = None
        self._likely: Target | None = None
        self._failed: ConsoleError | None = None

    def on_mount(self) -> None:
        """Have the columns read."""
        self.run_worker(self._begin(), group="columns", exclusive=True)

    async def _begin(self) -> None:
        try:
            columns, self._expected = await self._read()
        except ConsoleError as error:
            self._failed = error
        else:
            self._columns = columns
            kept = self._now is not None and set(_each(self._now)) <= {*columns.names, columns.apart}
            guess = likely_target(columns, self._expected.signature, self._expected.ignored, self._called)
            self._likely = self._now if kept else guess
        self.search()
        await self._settled()
        if not self.typed and self._columns is not None:
            self.listed.select(("target", self._likely))
        self.describe(self.listed.key)

    async def fill(self, wanted: str) -> None:
        """None, the likely ones, then every column; those that match where something is typed."""
        columns = self._columns
        targets: dict[Target | None, None] = {}
        if columns is not None:
            every = (columns.apart, *columns.names) if columns.apart is not None else columns.names
            several = tuple(part.strip() for part in wanted.split(","))
            if len(several) > 1 and set(several) <= set(every) and len(set(several)) == len(several):
                targets[several] = None
            if not wanted:
                targets[None] = None
                targets.update({self._likely: None} if isinstance(self._likely, tuple) else {})
            elif wanted in every:
                targets[wanted] = None
            words = wanted.casefold().split()
            for name in every:
                if len(targets) >= _MOST:
                    break
                if all(word in name.casefold() for word in words):
                    targets[name] = None
        elif self._failed is not None:
            targets[wanted.strip() or None] = None
        items: list[Item] = [(("target", target), self._line(target)) for target in targets]
        self.listed.show(items)

    def _line(self, target: Target | None) -> Content:
        if target is None:
            return Content.assemble(("none", "bold"), ("  the file has inputs alone; answers are not scored", "$quiet"))
        likely = "  likely" if self._columns is not None and target == self._likely else ""
        room = max(8, self.listed.text_width - cell_len(likely))
        return Content.assemble((text.cut_middle(safe(target_words(target), 0), room), "bold"), (likely, "$accent"))

    def fit(self, target: Target | None) -> Fit | None:
        """How the file fits with this target; None where its columns are not known."""
        if self._columns is None:
            return None
        return fit_of(self._columns, self._expected.signature, target, self._expected.ignored)

    def describe(self, key: object) -> None:
        """How the file fits with the target under the cursor."""
        if self._failed is not None:
            rest = f" ({self._failed.hint})" if self._failed.hint else ""
            self.say(f"its columns are not known: {self._failed.message}{rest}", "$error", "✖")
        elif self._columns is None:
            self.say("reading its columns …")
        elif not isinstance(key, tuple):
            self.say("no column is called like that")
        else:
            fit = self.fit(key[1])
            if fit is not None:
                say_fit(self, fit)

    def take(self, key: object) -> None:
        """Answer with a target, once there is one to take."""
        if isinstance(key, tuple):
            self.dismiss(Aim(key[1], self.fit(key[1])))
        else:
            self.describe(key)


def say_fit(screen: PickScreen[Aim | None], fit: Fit) -> None:
    """The words of a fit, with a sign for how it is."""
    glyph, style = FIT_SIGNS[fit.fits]
    screen.say(fit.words, style, glyph)


FIT_SIGNS = {True: ("✔", "$success"), False: ("▲", "$warning"), None: ("○", "$quiet")}
"""Sign and style of a file that fits, does not, or of which that is not known."""


def _each(target: Target) -> tuple[str, ...]:
    return (target,) if isinstance(target, str) else target
