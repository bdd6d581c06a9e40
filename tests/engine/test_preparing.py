from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import joblib
import pytest

from console.catalog import prefetcher
from console.catalog.artifact_rows import ArtifactRows
from console.catalog.prefetcher import Prefetcher
from console.engine.local import Engine
from console.errors import InputError
from console.inspection.service import Judged
from console.records import Artifact, FileIdentity, Verdict
from tests.engine.conftest import model, until


class Seals:
    """Tells what it was asked for; there is nothing to load."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.heard = asyncio.Event()

    async def __call__(self, path: str) -> Judged:
        self.asked.append(path)
        self.heard.set()
        raise InputError(f"{path} is not there")

    async def hear(self) -> None:
        async with asyncio.timeout(20):
            await self.heard.wait()
        self.heard.clear()


def row(path: str, size: int = 10, verdict: Verdict | None = Verdict.SAFE, *, sealed: bool = False) -> Artifact:
    return Artifact(path, size, 0.0, identity=FileIdentity(1, 1, size, 0, 0), verdict=verdict, sealed=sealed)


async def test_who_passes_by_prepares_nothing_and_who_stays_prepares_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefetcher, "REST_S", 0.01)
    shelf, seals = ArtifactRows(), Seals()
    shelf.put([row("a"), row("b"), row("c")])
    found = Prefetcher(shelf, seals)
    for path in ("a", "b", "c", "c"):
        found.look_at(path)
    await seals.hear()
    timer = found._timer
    found.look_at("c")
    assert found._timer is timer
    shelf.put([row("c", size=11)])
    found.look_at("c")
    await seals.hear()
    assert seals.asked == ["c", "c"]
    await found.close()


@pytest.mark.parametrize(
    "other",
    [row("x", verdict=None), row("x", verdict=Verdict.REVIEW), row("x", size=1 << 30), row("x", sealed=True)],
)
async def test_what_is_not_safe_or_large_or_sealed_is_left_alone(
    other: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prefetcher, "REST_S", 0.01)
    shelf, seals = ArtifactRows(), Seals()
    shelf.put([other, row("b")])
    found = Prefetcher(shelf, seals)
    for path in ("x", "no such path"):
        found.look_at(path)
        assert found._timer is None
    found.look_at("b")
    found.look_at("x")
    found.look_at("b")
    await seals.hear()
    assert seals.asked == ["b"]
    await found.close()


async def test_a_load_takes_up_what_was_prepared_but_only_for_these_bytes(engine: Engine, store: Path) -> None:
    asked: list[str] = []
    begun = asyncio.Event()
    plan = engine._inspectors.plan

    async def counted(fd: int, name: str = "", **options: Any) -> object:
        asked.append(name)
        begun.set()
        return await plan(fd, name, **options)

    engine._inspectors.plan = counted  # type: ignore[method-assign, assignment]
    await until(engine, lambda: (found := engine.artifacts.row("a.joblib")) is not None and found.verdict)
    await engine.artifacts.prefetch("a.joblib")
    async with asyncio.timeout(20):
        await begun.wait()
    await asyncio.gather(*engine.artifacts._preparing._tasks)
    assert asked == ["a.joblib"]
    first = await engine.models.load("a.joblib")
    assert asked == ["a.joblib"]
    await engine.models.unload("a.joblib")
    joblib.dump(model(2), store / "a.joblib")
    second = await engine.models.load("a.joblib")
    assert asked == ["a.joblib", "a.joblib"]
    assert first.digest != second.digest
