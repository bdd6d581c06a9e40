"""Retraining one model: what is planned, how far it is, then candidate beside current and a word on it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace

from textual import on
from textual.containers import Container, Horizontal, Vertical
from textual.content import Content
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Button, ContentSwitcher, Input, Static

from console.errors import ConsoleError, UsageError
from console.records import Event, Target, UpdatePlan, UpdateProgress, target_words
from console.safe_text import safe
from console.ui import text
from console.ui.data_files import DataFiles
from console.ui.dialogs.confirm import ConfirmScreen
from console.ui.keys import EVERYWHERE, bindings_at, key_for
from console.ui.screens.base import PathScreen
from console.ui.widgets.comparison import comparison_lines
from console.ui.widgets.differences import difference_lines
from console.ui.widgets.line_input import LineInput
from console.ui.widgets.text_pane import TextPane

PLAN, RUNNING, COMPARED = "plan", "running", "compared"
_FOOTERS = {
    PLAN: ("retrain", "history", "back"),
    RUNNING: ("cancel", "events", "back"),
    COMPARED: ("promote", "discard", "copy", "history", "back"),
}

_BESIDE_DIFFERENCES, _MOST_DIFFERENCES = 22, 12
"""Lines of the screen for all but the columns that do not fit, and how many of these are named; errors has all."""
_WHERE = "Type the path of the training data below, or write [data] train = … into the recipe."
"""The hint of this screen where a command would name its options."""


class UpdateScreen(PathScreen):
    """One of three panels shows, as the engine has it: the plan, the progress, or the comparison."""

    PLACE = "update"
    BINDINGS = bindings_at("update", EVERYWHERE)
    AUTO_FOCUS = ""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._plan: UpdatePlan | None = None
        self._ticking: Timer | None = None

    def content(self) -> Iterable[Widget]:
        """The three panels in one frame."""
        files = DataFiles(self.engine.data)
        plan = Vertical(
            Static("", id="plan-words", markup=False),
            Horizontal(Static("data", classes="label"), LineInput(id="data", suggester=files), classes="field"),
            Horizontal(Static("target", classes="label"), LineInput(id="target"), classes="field"),
            Static("", id="plan-more", markup=False),
            Horizontal(Button("Retrain", id="retrain", classes="answer"), classes="answers"),
            id=PLAN,
        )
        running = Vertical(Static("", id="progress", markup=False), id=RUNNING)
        yield Container(
            ContentSwitcher(plan, running, TextPane(id=COMPARED), initial=PLAN), id="update", classes="frame"
        )

    async def on_mount(self) -> None:
        """Start where the engine stands."""
        await self.fetch()
        self.query_one("#update").border_title = Content(f"update of {text.cut_middle(safe(self._path), 60)}")
        self._ticking = self.set_interval(1.0, self._tell_progress, pause=True)
        self.engine_changed(())
        if self.stage == PLAN:
            self.run_worker(self._read_plan(), group="plan", exclusive=True)

    @property
    def stage(self) -> str:
        """Which panel is true now."""
        if self.mirror.progress(self._path) is not None:
            return RUNNING
        return COMPARED if self.mirror.pending(self._path) is not None else PLAN

    typing_keys = (("enter", "retrain"), ("tab", "next field"), ("esc", "back"))
    """What the keys do in the fields, for the footer."""

    def footer_actions(self) -> Sequence[str]:
        """The actions that the stage asks for."""
        return _FOOTERS[self.stage]

    def can(self, action: str) -> bool:
        """Each stage has its own actions."""
        stages = {"retrain": PLAN, "cancel": RUNNING, "promote": COMPARED, "discard": COMPARED}
        return stages.get(action, self.stage) == self.stage

    def why_not(self, action: str) -> str:
        """The stage is another one."""
        return {PLAN: "nothing is retrained yet", RUNNING: "it is being retrained", COMPARED: "it is compared already"}[
            self.stage
        ]

    def engine_changed(self, events: Sequence[Event]) -> None:
        """Show the panel that is true now."""
        switcher, stage = self.query_one(ContentSwitcher), self.stage
        ended = any(
            event.kind in ("update.promoted", "update.discarded") and event.subject == self._path for event in events
        )
        moved = switcher.current != stage
        if moved:
            self.set_focus(None)
        switcher.current = stage
        if self._ticking is not None:
            (self._ticking.resume if stage == RUNNING else self._ticking.pause)()
        if stage == RUNNING:
            self._tell_progress()
        elif stage == COMPARED:
            comparison = self.mirror.pending(self._path)
            if comparison is not None:
                self.query_one(TextPane).show(comparison_lines(comparison), keep_place=not moved)
            if moved:
                self.query_one(TextPane).focus()
        elif moved:
            self._tell_plan()
            self._focus("#retrain")
        elif events:
            self._tell_plan()
        if ended and self.is_active:
            self.do_back()

    async def _read_plan(self) -> None:
        """Ask the engine what an update would do; what is missing is asked of the operator."""
        try:
            self._plan = await self.engine.updates.plan(self._path)
        except ConsoleError as error:
            self._tell_plan(error)
            self._focus("#data")
            return
        self.query_one("#data", Input).value = self._shortened(self._plan.data)
        self.query_one("#target", Input).value = target_words(self._plan.target)
        self._tell_plan()
        self._focus("#retrain")

    def _focus(self, field: str) -> None:
        """Only what is seen gets the keys."""
        if self.stage == PLAN:
            self.query_one(field).focus()

    def _shortened(self, path: str) -> str:
        root = self.mirror.status.root + os.sep
        return path.removeprefix(root)

    def _tell_plan(self, error: ConsoleError | None = None) -> None:
        failed = self.app.operations.update_errors.get(self._path)
        error = error or failed
        words: list[Content] = []
        if error is not None:
            words.append(Content.assemble((f"{text.sign('✖')} ", "$error"), (safe(error.message, 600), "bold")))
            hint = _WHERE if isinstance(error, UsageError) and self._plan is None else error.hint
            if hint:
                words.append(Content.styled(safe(hint, 300), "$quiet"))
            if error.failure is not None and error.failure.differences:
                most = min(_MOST_DIFFERENCES, max(2, self.size.height - _BESIDE_DIFFERENCES))
                words += [Content(""), *difference_lines(error.failure, self.size.width - 8, most)]
        else:
            words.append(
                Content(
                    "A candidate is trained in a sandboxed process of its own and measured beside the current model "
                    "on the same rows. Nothing is replaced before you say so."
                )
            )
        self.query_one("#plan-words", Static).update(Content("\n").join(words))
        self.query_one("#plan-more", Static).update(Content("\n").join(self._more_of_plan()))

    def _more_of_plan(self) -> list[Content]:
        plan = self._plan
        if plan is None:
            return []
        pairs = [("hold-out", self._shortened(plan.holdout) if plan.holdout else "none, so that no gate can pass")]
        pairs.append(("mode", " ".join(plan.command) if plan.command else str(plan.mode)))
        if plan.at:
            pairs.append(("place", plan.at))
        return [Content.assemble((f"{name:<11}", "$quiet"), safe(value, 300)) for name, value in pairs]

    def _tell_progress(self) -> None:
        progress = self.mirror.progress(self._path)
        if progress is not None:
            self.query_one("#progress", Static).update(
                Content("\n").join(progress_lines(progress, self.size.width - 6))
            )

    @on(Input.Submitted)
    @on(Button.Pressed, "#retrain")
    def _submitted(self) -> None:
        self.action_do("retrain")

    def do_back(self) -> None:
        """Away; what runs goes on and is found again with the same key."""
        if self.stage == RUNNING:
            self.app.say(f"The update of {self._path} goes on.")
        super().do_back()

    def do_retrain(self) -> None:
        """Start with what the fields say."""
        self.run_worker(self._retrain(), group="retrain", exclusive=True)

    async def _retrain(self) -> None:
        data = self.query_one("#data", Input).value.strip()
        target = self.query_one("#target", Input).value.strip()
        plan = self._plan
        shown = target_words(plan.target) if plan is not None else ""
        wanted: Target | None = plan.target if plan is not None and target == shown else target or None
        if plan is None or data != self._shortened(plan.data):
            full = (await self.engine.data.typed(data)).path if data else None
            try:
                plan = await self.engine.updates.plan(self._path, data=full, target=wanted)
            except ConsoleError as error:
                self._tell_plan(error)
                return
        self._plan = replace(plan, target=wanted or plan.target)
        self.app.operations.update(self._plan)

    def do_cancel(self) -> None:
        """Stop the training, after asking."""
        question = f"Stop the update of {safe(self._path)}?"
        self._ask(question, "What it has done so far is lost; the current model stays as it is.", "Stop it", "cancel")

    def do_promote(self) -> None:
        """Put the candidate in place, after asking."""
        comparison = self.mirror.pending(self._path)
        if comparison is None:
            return
        question = f"Replace {safe(self._path)} with the candidate of {text.clock(comparison.when)}?"
        detail = "The gate is met." if comparison.passed else "The gate is not met."
        if comparison.unmeasured:
            detail = f"Nothing was measured: {safe(comparison.unmeasured, 300)}. Nothing says that it is better."
        self._ask(question, f"{detail} What stands there now is kept as a version.", "Replace", "promote")

    def do_discard(self) -> None:
        """Drop the candidate, after asking."""
        self._ask(f"Discard the candidate for {safe(self._path)}?", "The current model stays.", "Discard", "discard")

    def do_copy(self) -> None:
        """The comparison as text; the path before there is one."""
        if self.stage == COMPARED:
            self.app.copy(self.query_one(TextPane).plain, "comparison")
        else:
            super().do_copy()

    def do_history(self) -> None:
        """The versions so far."""
        self.app.show("history", self._path)

    def _ask(self, question: str, detail: str, yes: str, call: str) -> None:
        def answered(said: bool | None) -> None:
            if not said:
                return
            updates, path = self.engine.updates, self._path
            work = (
                updates.promote(path, "promoted on the screen") if call == "promote" else getattr(updates, call)(path)
            )
            self.app.operations.run(path, work, "swapping" if call == "promote" else "")

        self.app.push_screen(ConfirmScreen(question, detail, yes=yes), answered)


def progress_lines(progress: UpdateProgress, width: int) -> list[Content]:
    """Phase, how long it has taken, and how far it is where that is known."""
    spent = text.span(max(0.0, time.time() - progress.started))
    lines = [
        Content.assemble((f"{text.sign('◐')} ", "$accent"), (safe(progress.phase), "bold"), (f"   {spent}", "$quiet"))
    ]
    if progress.done is not None and progress.total:
        room = max(10, min(60, width - 16))
        full = round(room * min(1.0, progress.done / progress.total))
        solid, empty = ("#", ".") if text.is_ascii() else ("━", "─")
        lines.append(
            Content.assemble(
                (solid * full, "$accent"), (empty * (room - full), "$line"), f"  {progress.done} of {progress.total}"
            )
        )
    if progress.note:
        lines.append(Content.styled(safe(progress.note, 400), "$quiet"))
    lines += [
        Content(""),
        Content.styled(f"{key_for('back')} leaves it running; {key_for('update')} finds it again", "$quiet"),
    ]
    return lines
