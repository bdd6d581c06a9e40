"""The jobs of the engine: what runs long and how far it is, then what came of those that ended."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from textual import on
from textual.containers import Container
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from console.records import Event, Job, JobState
from console.safe_text import safe
from console.ui import text
from console.ui.key_words import key_words
from console.ui.keys import EVERYWHERE, bindings_at
from console.ui.screens.base import ConsoleScreen
from console.ui.widgets.job_line import NAMES, job_line, job_words
from console.ui.widgets.line_list import LineList


class JobsScreen(ConsoleScreen):
    """One line a job, those that run on top; `enter` goes to what it is about."""

    PLACE = "jobs"
    BINDINGS = bindings_at("jobs", EVERYWHERE)
    AUTO_FOCUS = "LineList"
    FOOTER = ("cancel", "open", "events", "copy", "back")
    CSS = """
    JobsScreen #job-words { height: auto; max-height: 4; padding: 0 2; }
    JobsScreen #no-jobs { height: 1fr; content-align: center middle; text-align: center; display: none; }
    JobsScreen.nothing #no-jobs { display: block; }
    JobsScreen.nothing #jobs-frame, JobsScreen.nothing #job-words { display: none; }
    """

    @property
    def subject(self) -> str | None:
        """The artifact of the job under the cursor."""
        job = self._job
        return job.artifact if job is not None and job.artifact else None

    def content(self) -> Iterable[Widget]:
        """The list, all that is known of the job under the cursor, and what stands there while there is none."""
        yield Container(LineList(), id="jobs-frame", classes="frame")
        yield Static(_nothing(), id="no-jobs")
        yield Static("", id="job-words", markup=False)

    def begin(self, below: ConsoleScreen) -> None:
        """Those that run first in sight, whatever was looked at before."""
        if self.is_built:
            self.query_one(LineList).action_do("top")

    def on_mount(self) -> None:
        """Fill it."""
        self.query_one("#jobs-frame").border_title = Content("jobs")
        self.engine_changed(())

    def on_resize(self) -> None:
        """The lines have another width."""
        self.call_after_refresh(self.engine_changed, ())

    def moments(self) -> Iterable[float]:
        """When those that run began, and the others ended."""
        return (job.started if job.ended is None else job.ended for job in self.mirror.jobs)

    def engine_changed(self, events: Sequence[Event]) -> None:
        """Follow what runs; the cursor stays on its job."""
        if not self.is_built:
            return
        jobs, listed = in_order(self.mirror.jobs), self.query_one(LineList)
        running = sum(job.state is JobState.RUNNING for job in jobs)
        self.set_class(not jobs, "nothing")
        listed.show([(job.id, job_line(job, listed.text_width, time.time())) for job in jobs])
        self.query_one("#jobs-frame").border_subtitle = Content(f"{running} running" if running else "")
        self._tell()

    @property
    def _job(self) -> Job | None:
        key = self.query_one(LineList).key if self.is_built else None
        return next((job for job in self.mirror.jobs if job.id == key), None)

    def _tell(self) -> None:
        job = self._job
        words = job_words(job, time.time()) if job is not None else []
        self.query_one("#job-words", Static).update(Content("\n").join(words))
        self.refresh_frame()

    def can(self, action: str) -> bool:
        """Only what runs can be cancelled."""
        job = self._job
        if action == "cancel":
            return job is not None and job.state is JobState.RUNNING
        return action not in ("open", "copy") or self.subject is not None

    def why_not(self, action: str) -> str:
        """The reason in the job under the cursor against an action."""
        job = self._job
        if job is None:
            return "there is no job"
        return f"it is {job.state}" if action == "cancel" else "it is about the whole store"

    @on(LineList.Moved)
    def _moved(self) -> None:
        self._tell()

    @on(LineList.Chosen)
    def _clicked(self) -> None:
        self.action_do("open")

    def do_open(self) -> None:
        """To the update with its candidate, or to the model."""
        job = self._job
        if job is None:
            return
        if job.artifact not in self.mirror.rows:
            self.app.say(f"{job.artifact} is no longer in the store")
        elif job.kind == "update" and job.state in (JobState.RUNNING, JobState.DONE):
            self.app.show("update", job.artifact)
        else:
            self.app.open_model(job.artifact)

    def do_cancel(self) -> None:
        """End the job, after asking."""
        job = self._job
        if job is not None:
            self.run_worker(self._cancel(job), group="cancel", exclusive=True)

    async def _cancel(self, job: Job) -> None:
        question = f"Stop the {NAMES.get(job.kind, safe(job.kind))} of {safe(job.artifact or 'the store')}?"
        detail = f"{safe(job.who)} began it {text.ago(job.started)}. What it has done so far is lost."
        if await self.app.operations.confirmed(question, detail, yes="Stop it"):
            self.app.operations.run(job.artifact, self.engine.jobs.cancel(job.id))


def in_order(jobs: Iterable[Job]) -> list[Job]:
    """Those that run, then those that ended, the newest of each first."""
    return sorted(jobs, key=lambda job: (job.state is not JobState.RUNNING, -job.id))


def _nothing() -> Content:
    """The words for a screen without jobs."""
    return Content.assemble(
        ("nothing runs long here\n\n", "bold"),
        key_words("updates, conversions and exports are jobs of the engine:\n{update} on a model begins one"),
    )
