"""Retained versions that answer beside the content in place: loaded from the history, let in like any other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from console.access.admission import Admission
from console.access.control import AccessControl
from console.events import Bus
from console.inspection.service import Judged
from console.records import Event, Failure, Json
from console.serving.failures import Failures
from console.serving.loader import ModelLoader
from console.serving.supervisor import Supervisor
from console.trust.signatures import Signed
from console.versions.history import open_version
from console.worker.launcher import Launcher

_BETWEEN = "@"


def key_of(path: str, version: str) -> str:
    """The name of a retained version of an artifact."""
    return f"{path}{_BETWEEN}{version}"


def parts_of(key: str) -> tuple[str, str]:
    """Artifact and version."""
    path, _, version = key.rpartition(_BETWEEN)
    return path, version


class Judging(Protocol):
    """Judges bytes, wherever they come from; `root` is the store."""

    root: Path

    async def judge_bytes(self, content: Any) -> Judged:
        """Judge bytes that are to be loaded; they stay the caller's to close."""
        ...


class RetainedContents:
    """The contents of retained versions, sealed and judged as those in place are."""

    def __init__(self, judging: Judging) -> None:
        self._judging = judging

    async def snapshot(self, path: str, *, to_load: bool = False) -> Judged:
        """The content that goes by this key. Raises InputError where there is none, OperationError where it was changed
        since it was retained."""
        artifact, version = parts_of(path)
        content = await asyncio.to_thread(open_version, self._judging.root, artifact, int(version))
        content.to_load = to_load
        try:
            return await self._judging.judge_bytes(content)
        except BaseException:
            content.close()
            raise


class _OfVersions(Bus):
    """Tells what happens to retained versions: each listener hears it, the store's own bus what changes an answer."""

    def __init__(self, bus: Bus) -> None:
        super().__init__(keep=1)
        self._bus = bus

    def emit(self, kind: str, subject: str, text: str, *, severity: str = "info", **data: Any) -> Event:
        """Publish one event of a version."""
        if kind not in ("worker.phase", "worker.copies"):
            self._bus.emit("serving.changed", parts_of(subject)[0], text, severity=severity)
        return super().emit(kind, subject, text, severity=severity, **data)


class _FailuresOfVersions(Failures):
    """Failures of retained versions, kept as those of their artifacts."""

    def __init__(self, failures: Failures) -> None:
        self._failures = failures

    def add(self, failure: Failure) -> Failure:
        """Number a failure and keep it."""
        path, version = parts_of(failure.artifact)
        message = f"version {version}: {failure.message}"
        return self._failures.add(replace(failure, artifact=path, version=version, message=message))


Signers = Callable[[str, str], Awaitable[Signed | None]]


def retained_fleet(
    judging: Judging,
    launcher: Launcher,
    access: AccessControl,
    signed: Signers,
    python: Callable[[str], str | None],
    deadline_s: float,
    failures: Failures,
    bus: Bus,
    *,
    restarts: bool,
) -> tuple[Supervisor, Bus, ModelLoader]:
    """A supervisor of retained versions, what it tells, and its loader; keys are as `key_of` makes them."""

    async def record(action: str, key: str, digest: str | None, result: str) -> None:
        path, version = parts_of(key)
        detail: dict[str, Json] = {"version": int(version)}
        await access.record(action, path, digest, result, **detail)

    loader = ModelLoader(
        RetainedContents(judging),
        launcher,
        Admission(access, lambda key, digest: signed(parts_of(key)[0], digest)),
        record,
        lambda key: python(parts_of(key)[0]),
        deadline_s,
    )
    told = _OfVersions(bus)
    fleet = Supervisor(loader, _FailuresOfVersions(failures), told, lambda _key: True, restarts=restarts)
    return fleet, told, loader
