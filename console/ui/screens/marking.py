"""Rows that can be marked: while any are, the keys that can act on all of them do."""

from __future__ import annotations

from collections.abc import Sequence

from console.ui.screens.base import ArtifactScreen

OVER_MARKED = ("load", "unload", "probe", "inspect", "seal")
"""Actions on all marked rows while any are marked, else on the subject."""


class MarkingScreen(ArtifactScreen):
    """A screen about one artifact of many, of which others may be marked."""

    @property
    def marks(self) -> set[str]:
        """The paths of what is marked."""
        return self.app.rows.marks

    @property
    def marked_words(self) -> Sequence[str]:
        """How far what is done to all marked got, how many are marked, and how many of these the filter hides."""
        going_on, hidden = self.app.marked.turns.round, self.app.rows.marks_hidden
        marked = f"{len(self.marks):,} marked" if self.marks else ""
        behind = f", {hidden:,} of them hidden" if hidden else ""
        return [words for words in (str(going_on or ""), marked + behind) if words]

    def can(self, action: str) -> bool:
        """Whether what is marked allows it, or the subject where nothing is."""
        if action == "stop":
            return self.app.marked.turns.round is not None
        if action == "mark-all":
            return bool(len(self.app.rows) or self.marks)
        if action == "diff":
            return len(self.app.rows.pair(self.subject)) == 2
        if action in OVER_MARKED and self.marks:
            return self.app.marked.possible(action)
        return super().can(action)

    def why_not(self, action: str) -> str:
        """The reason against an action in all that is marked, or in the subject; "" for none."""
        if action == "stop":
            return "nothing is being done to many"
        if action == "mark-all":
            return "nothing is shown"
        if action == "diff":
            return "it takes two: mark one, and go to another or mark it too"
        if action in OVER_MARKED and self.marks:
            return self.app.marked.why_not(action)
        return super().why_not(action)

    def label(self, action: str) -> str:
        """`load 3` while three are marked."""
        if not self.marks:
            return super().label(action)
        if action == "back":
            return "unmark"
        return super().label(action) + (f" {len(self.marks):,}" if action in OVER_MARKED else "")

    def marks_changed(self) -> None:
        """Show what is marked now."""
        self.engine_changed(())
        self.refresh_frame()

    def drop_marks(self) -> bool:
        """Take all marks away; whether there were any."""
        there = bool(self.marks)
        if there:
            self.marks.clear()
            self.marks_changed()
        return there

    def do_mark(self) -> None:
        """Mark the subject, or take its mark away."""
        self.app.rows.marks ^= {self._path}
        self.marks_changed()

    def do_mark_all(self) -> None:
        """Mark all that are shown, or none."""
        self.app.rows.mark_all()
        self.marks_changed()

    def do_stop(self) -> None:
        """Begin nothing more of what is being done to many."""
        going_on = self.app.marked.turns.round
        if going_on is not None:
            going_on.stopped = True
            self.marks_changed()

    def acted_on(self, action: str) -> Sequence[str]:
        """All that is marked, or the subject."""
        return sorted(self.marks) if self.marks and action in OVER_MARKED else super().acted_on(action)
