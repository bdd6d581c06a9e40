"""An artifact that is read anew when somebody asks for it, and what is checked before anything is sealed."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from console.config import Sealing, Settings
from console.engine.local import Engine
from console.errors import AccessDeniedError, InputError, OperationError
from console.records import Verdict
from console.trust import secret_files
from tests.engine.conftest import until
from tests.warm import Opening


@pytest_asyncio.fixture(loop_scope="session")
async def quiet(store: Path, isolated: Path, opening: Opening) -> AsyncIterator[Engine]:
    """An engine that follows nothing."""
    opened = await opening(store, watch=False)
    yield opened
    await opened.close()


async def test_it_is_read_and_judged_anew_though_the_file_is_the_same(quiet: Engine, store: Path) -> None:
    first = await quiet.artifacts.report("a.joblib")
    assert await quiet.artifacts.report("a.joblib") is first
    second = await quiet.artifacts.inspect("a.joblib")
    assert second is not first
    assert second.judgement.verdict is Verdict.SAFE
    assert await quiet.artifacts.report("a.joblib") is second
    with pytest.raises(InputError):
        await quiet.artifacts.inspect("missing.joblib")


@pytest.mark.slow
async def test_a_file_that_nobody_noticed_is_read_as_it_is_now(store: Path, isolated: Path, opening: Opening) -> None:
    engine = await opening(store, Settings(reconcile_s=3600.0, warm=False))

    def verdict() -> Verdict | None:
        row = engine.artifacts.row("a.joblib")
        return row.verdict if row is not None else None

    try:
        await until(engine, lambda: verdict() is Verdict.SAFE and not engine.artifacts.scanning)
        watcher = engine.artifacts._watching._watcher
        assert watcher is not None
        await asyncio.to_thread(watcher._noticing.stop)
        os.truncate(store / "a.joblib", 40)
        report = await engine.artifacts.inspect("a.joblib")
        assert report.judgement.verdict is Verdict.DAMAGED
        assert report.artifact.size == 40
        await until(engine, lambda: verdict() is Verdict.DAMAGED)
        (store / "b.pkl").unlink()
        with pytest.raises(InputError):
            await engine.artifacts.inspect("b.pkl")
        await until(engine, lambda: engine.artifacts.row("b.pkl") is None)
    finally:
        await engine.close()


async def test_before_anything_is_sealed_it_is_known_for_whom_and_with_what(
    store: Path, isolated: Path, opening: Opening, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = await opening(store, watch=False)
    try:
        with pytest.raises(AccessDeniedError, match="nothing says for whom") as refused:
            await engine.at_rest.check()
        assert "config.toml" in str(refused.value.hint)
    finally:
        await engine.close()
    engine = await opening(store, Settings(warm=False, sealing=Sealing(recipients=("age1x",))), watch=False)
    try:
        await engine.at_rest.check()
        monkeypatch.setattr(secret_files, "find_spec", lambda _: None)
        with pytest.raises(OperationError, match="pyrage, which is not installed") as failed:
            await engine.at_rest.check()
        assert "pip install" in str(failed.value.hint)
        engine.book.why_read_only = "it was asked for"
        with pytest.raises(AccessDeniedError, match="read-only"):
            await engine.at_rest.check()
    finally:
        await engine.close()
