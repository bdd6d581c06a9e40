"""Inspection of artifacts: their bytes, the inspector's facts and trust's judgement, each taken once."""

from __future__ import annotations

import asyncio
import sys
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from pathlib import Path

from backends.core import registry
from backends.core.counted import counted
from console.files.directories import OpenedDirectory, digest_of_directory, open_directory, refuse_to_load_directory
from console.files.opening import OpenedFile, open_artifact
from console.files.packing import packed
from console.files.snapshot import SEAL_LIMIT, Snapshot, digest_of, seal
from console.records import Artifact, FileIdentity, Inspection, Judgement, Reason, Report, Verdict

KEPT = 512


class CannotInspect(Exception):
    """An inspector gave no facts; `verdict` is what that makes of the file, `code` the kind of trouble.

    Without a verdict the trouble was the machine's and makes nothing of the file.
    """

    def __init__(self, verdict: Verdict | None, code: str, message: str, offset: int | None = None) -> None:
        super().__init__(message)
        self.verdict = verdict
        self.reason = Reason(code, message, offset)


Inspects = Callable[[int, str], Awaitable[Inspection]]
"""Reads the facts of open bytes in a child: descriptor, name. Raises CannotInspect."""

InspectsDirectory = Callable[[OpenedDirectory], Awaitable[Inspection]]
"""The same of an artifact that is a directory, by its members."""

Plans = Callable[[Snapshot], Awaitable[Inspection]]
"""The same of bytes that are to be loaded, which get their load plan and skeleton by it. Raises CannotInspect."""

Unseals = Callable[[OpenedFile | Snapshot], Awaitable[Snapshot | None]]
"""What an artifact that is encrypted at rest holds, in sealed memory; None of any other. Raises CannotInspect."""

Judges = Callable[[Inspection, str | None], Judgement]
"""Weighs facts against the policy; a digest lets a pin count."""


async def never_sealed(_content: OpenedFile | Snapshot) -> None:
    """An Unseals for stores in which nothing is encrypted."""


@dataclass(frozen=True, slots=True)
class Judged:
    """Bytes that were judged and can be loaded: whoever holds it closes it."""

    bytes: Snapshot
    inspection: Inspection | None
    judgement: Judgement


_Look = tuple[str, FileIdentity | None, bool]
"""A path, the file that is expected there, and whether its digest is wanted."""


class InspectionService:
    """Reports by path, kept while the file's identity and the `fingerprint` stay the same, which changes whenever what
    is known of an unchanged file could; a report without a verdict is not kept.

    Judging needs a digest only where a pin could count, so `pins` tells whether the policy holds any, and
    `digest_first` whether it lets nothing be loaded whose digest is not known. Files of more than `limit` bytes are
    frozen where they are instead of copied.
    """

    def __init__(
        self,
        root: Path,
        inspect: Inspects,
        inspect_directory: InspectsDirectory,
        plan: Plans,
        judge: Judges,
        fingerprint: Callable[[], str],
        pins: Callable[[], bool],
        digest_first: Callable[[], bool] = lambda: False,
        unseals: Unseals = never_sealed,
        limit: int = SEAL_LIMIT,
    ) -> None:
        self.fingerprint = fingerprint
        self.root = root
        self._plan = plan
        self._digest_first = digest_first
        self._limit = limit
        self._unseals = unseals
        self._pins = pins
        self._inspect = inspect
        self._inspect_directory = inspect_directory
        self._judge = judge
        self._reports: OrderedDict[str, tuple[FileIdentity, str, Report]] = OrderedDict()
        self._running: dict[_Look, asyncio.Task[Report]] = {}

    def known(self, path: str, identity: FileIdentity | None) -> Report | None:
        """The report of one path, if the file is still the one it tells of."""
        kept = self._reports.get(path)
        if kept is None or kept[0] != identity or kept[1] != self.fingerprint():
            return None
        return kept[2]

    def forget(self, path: str) -> None:
        """Drop what is known of one path."""
        self._reports.pop(path, None)

    async def report(self, row: Artifact, *, digest: bool = False) -> Report:
        """The report of a row, made when it is not known; `digest` reads the whole file. Raises InputError."""
        known = self.known(row.path, row.identity)
        if known is not None and (not digest or known.artifact.digest is not None):
            return known
        key = (row.path, row.identity, digest)
        task = self._running.get(key)
        if task is None:
            task = asyncio.ensure_future(self._make(row, digest))
            self._running[key] = task
            task.add_done_callback(partial(self._done, key))
        return await asyncio.shield(task)

    def _done(self, key: _Look, task: asyncio.Task[Report]) -> None:
        """A report is made, or not, and whoever asked for it may be gone."""
        self._running.pop(key, None)
        if not task.cancelled():
            task.exception()

    async def _make(self, row: Artifact, digest: bool) -> Report:
        if row.problem is not None:
            return Report(row, None, Judgement(Verdict.UNSUPPORTED, (Reason("file", f"it {row.problem}"),)))
        if row.members:
            with await asyncio.to_thread(open_directory, self.root, row.path) as whole:
                taken = partial(digest_of_directory, whole)
                return await self._report_on(row, whole, self._inspect_directory(whole), taken, digest)
        with await asyncio.to_thread(open_artifact, self.root, row.path, links=True) as opened:
            sealed = await self._look_inside(row, opened, digest)
            if sealed is not None:
                return sealed
            taken = partial(digest_of, opened)
            return await self._report_on(row, opened, self._inspect(opened.fd, row.path), taken, digest)

    async def _report_on(
        self,
        row: Artifact,
        opened: OpenedFile | OpenedDirectory,
        inspecting: Awaitable[Inspection],
        taken: Callable[[], str],
        digest: bool,
    ) -> Report:
        """The report of what is open; its digest is `taken` where it is wanted or a pin could count."""
        inspection, judgement = await self._look(inspecting, row.digest)
        found = row.digest if opened.identity == row.identity else None
        if found is None and (digest or (judgement.verdict is Verdict.REVIEW and self._pins())):
            found = await asyncio.to_thread(taken)
            if inspection is not None:
                judgement = self._judge(inspection, found)
        return self._keep(row, opened, inspection, judgement, found)

    async def _look_inside(self, row: Artifact, opened: OpenedFile, digest: bool) -> Report | None:
        """The report of an artifact that is encrypted at rest, None of any other."""
        row = replace(row, sealed=True, format="age")
        try:
            plain = await self._unseals(opened)
        except CannotInspect as trouble:
            found = await asyncio.to_thread(digest_of, opened) if digest else None
            return self._keep(row, opened, None, Judgement(trouble.verdict, (trouble.reason,)), found)
        if plain is None:
            return None
        with plain:
            inspection, judgement = await self._look(self._inspect(plain.fd, plain.name), plain.digest)
            return self._keep(row, opened, inspection, judgement, plain.digest)

    async def snapshot(self, path: str, *, to_load: bool = False) -> Judged:
        """Freeze the bytes at `path` and judge just those; `to_load` = they are loaded now, and closed after that.

        Raises InputError, ConflictError; the caller closes them.
        """
        content = await asyncio.to_thread(self._snapshot, path)
        content.to_load = to_load
        try:
            return await self.judge_bytes(content)
        except BaseException:
            content.close()
            raise

    async def judge_bytes(self, content: Snapshot) -> Judged:
        """Judge bytes that are to be loaded, be they a file of the store or not; they stay the caller's to close.

        What is encrypted becomes what is in it. What is not sealed gets its skeleton; its digest is taken first where
        the judgement may hang on it. Raises ConflictError when the file changes meanwhile.
        """
        try:
            plain = await self._unseals(content)
            if plain is not None:
                content.replace_with(plain)
            inspection = await self._plan(content)
        except CannotInspect as trouble:
            return Judged(content, None, Judgement(trouble.verdict, (trouble.reason,)))
        judgement = self._judge(inspection, content.digest)
        if content.digest is None and (judgement.verdict is Verdict.REVIEW or self._digest_first()):
            content.digest = await asyncio.to_thread(digest_of, content)
            judgement = self._judge(inspection, content.digest)
        return Judged(content, inspection, judgement)

    def _snapshot(self, path: str) -> Snapshot:
        refuse_to_load_directory(self.root, path)
        if (self.root / path).is_dir():
            with open_directory(self.root, path) as whole:
                return packed(whole)
        with open_artifact(self.root, path, links=True) as opened:
            return seal(opened, limit=self._limit)

    async def _look(self, inspecting: Awaitable[Inspection], digest: str | None) -> tuple[Inspection | None, Judgement]:
        try:
            inspection = await inspecting
        except CannotInspect as trouble:
            return None, Judgement(trouble.verdict, (trouble.reason,))
        return inspection, self._judge(inspection, digest)

    def _keep(
        self,
        row: Artifact,
        opened: OpenedFile | OpenedDirectory,
        inspection: Inspection | None,
        judgement: Judgement,
        digest: str | None,
    ) -> Report:
        row = replace(row, identity=opened.identity, size=opened.identity.size, digest=digest)
        report = Report(described(row, inspection, judgement), inspection, judgement)
        if judgement.verdict is None:
            return report
        self._reports[row.path] = (opened.identity, self.fingerprint(), report)
        self._reports.move_to_end(row.path)
        while len(self._reports) > KEPT:
            self._reports.popitem(last=False)
        return report


def described(row: Artifact, inspection: Inspection | None, judgement: Judgement) -> Artifact:
    """The row with the short form of its facts and judgement; a store has a hundred thousand, with few words in all."""
    why = judgement.reasons[0].detail if judgement.reasons else ""
    if judgement.verdict is None:
        return replace(row, verdict=None, why=why)
    if inspection is None:
        promised = registry.promised(row.path) if judgement.verdict is Verdict.DAMAGED else ""
        return replace(row, verdict=judgement.verdict, why=why, format=row.format or promised or "?")
    return replace(
        row,
        format=sys.intern(inspection.format),
        compression=inspection.compression,
        model_class=inspection.model_class and sys.intern(inspection.model_class),
        steps=_steps(inspection),
        summary=_summary(inspection),
        runs=inspection.loadable and bool(inspection.model_class or inspection.models or inspection.signature.takes),
        verdict=judgement.verdict,
        why=why,
        accepted=judgement.pinned is not None,
    )


_SUMMARY = 100
"""Characters of a summary that a list has room for."""


def _summary(inspection: Inspection) -> str:
    """Its own, or how many arrays there are where there is no class either."""
    arrays = inspection.arrays
    if inspection.summary or inspection.model_class or not arrays:
        return inspection.summary[:_SUMMARY]
    elements = sum(prod(one.shape) for one in arrays)
    return f"{len(arrays):,} {'array' if len(arrays) == 1 else 'arrays'} · {counted(elements)} values"


def _steps(inspection: Inspection) -> tuple[str, ...]:
    """The classes of a pipeline's steps, in order; where a step's class is not known, its name."""
    first = next(iter(inspection.models), None)
    if first is None or not first.steps:
        return ()
    beneath = f"{first.at}.steps" if first.at else "steps"
    classes = {one.at: one.class_name.rpartition(".")[2] for one in inspection.models}
    return tuple(classes.get(f"{beneath}[{number}][1]", name) for number, name in enumerate(first.steps))
