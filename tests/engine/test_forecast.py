"""The memory that a model will take is told before it is loaded, and what cannot fit is loaded after a yes alone."""

from __future__ import annotations

import pickle
from collections.abc import AsyncIterator
from pathlib import Path

import joblib
import numpy as np
import pytest
import pytest_asyncio
from sklearn.ensemble import RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier

from backends.core.descriptors import built_in
from backends.core.inspection import ArrayInfo, Inspection, ModelEntry
from console import free_memory as free
from console.config import Settings
from console.engine.codec import decode, encode
from console.engine.local import Engine
from console.errors import NeedsMemoryError, NotReadyError, OperationError
from console.records import MemoryForecast, Verdict, WorkerState
from console.records.words import memory_words
from console.serving.forecast import forecast
from tests.engine.conftest import model
from tests.engine.serving import asking, scanned
from tests.warm import Opening

BIG = "big.joblib"
LIMIT, KEPT = 256 << 20, 250_000_000


@pytest_asyncio.fixture(loop_scope="session")
async def narrow(store: Path, isolated: Path, opening: Opening) -> AsyncIterator[Engine]:
    """An engine whose workers may hold little, and a model that takes more."""
    big = model()
    big.kept_ = np.zeros(KEPT // 8)
    joblib.dump(big, store / BIG)
    opened = await opening(store, Settings(reconcile_s=1.0, warm=False, memory_mb=LIMIT >> 20, seal_mb=512))
    yield opened
    await opened.close()


@pytest.mark.parametrize("name", ["forest.pkl", "neighbours.joblib"])
async def test_a_large_model_takes_as_much_more_than_a_small_one_as_is_forecast(
    store: Path, engine: Engine, name: str
) -> None:
    """Libraries that this process shares with the workers of a test take nothing away from the difference."""
    found = []
    for rows in (300, 3_000 if "forest" in name else 60_000):
        path = f"{rows}-{name}"
        dump = joblib.dump if path.endswith(".joblib") else write
        dump(fitted(name, rows), store / path)
        told = await engine.artifacts.forecast(path)
        await engine.models.load(path)
        memory = await engine.monitor.memory(path)
        await engine.models.unload(path)
        assert told is not None
        assert memory is not None
        assert memory.private is not None
        assert told.low < told.expected < told.high
        assert told.fits
        found.append((told.expected, memory.private))
    (few, less), (many, more) = found
    assert many - few > 5_000_000
    assert 0.6 < (more - less) / (many - few) < 1.5


def fitted(name: str, rows: int) -> object:
    """A forest, or neighbours."""
    random = np.random.default_rng(0)
    X, y = random.normal(size=(rows, 50)), random.integers(0, 2, rows)
    if name.startswith("forest"):
        return RandomForestClassifier(rows // 60).fit(X[:, :10], y)
    return KNeighborsClassifier(algorithm="brute").fit(X, y)


def write(model: object, path: Path) -> None:
    path.write_bytes(pickle.dumps(model))


async def test_what_cannot_fit_is_refused_with_the_numbers_and_tried_after_a_yes(narrow: Engine) -> None:
    told = await narrow.artifacts.forecast(BIG)
    assert told is not None
    assert not told.fits
    assert told.limit == LIMIT
    assert told.low < KEPT < told.expected < told.high
    words = r"will not fit into memory: it takes at least 3\d\d MiB with its libraries, and one worker may hold 256 MiB"
    with pytest.raises(NeedsMemoryError, match=words) as refused:
        await narrow.models.load(BIG)
    assert refused.value.exit_code == 1
    assert "memory_mb" in (refused.value.hint or "")
    assert "--anyway" in (refused.value.hint or "")
    assert narrow.models.view(BIG) is None
    assert narrow.failures.count == 0
    with pytest.raises(OperationError) as tried:
        await narrow.models.load(BIG, anyway=True)
    assert tried.value.code in ("out-of-memory", "died")
    assert narrow.failures.count == 1
    assert (await narrow.models.load("a.joblib")).state is WorkerState.READY


async def test_a_model_in_service_that_cannot_fit_tells_why_it_does_not_answer(narrow: Engine) -> None:
    await scanned(narrow)
    with pytest.raises(NotReadyError, match="will not fit into memory"):
        await narrow.serving.infer(asking(np.zeros((1, 3)), "big"))
    assert "will not fit into memory: it takes at least" in (await narrow.serving.model("big")).reason
    assert (await narrow.serving.infer(asking(np.zeros((1, 3)), "a"))).rows == 1


def facts(size: int) -> Inspection:
    entry = ModelEntry("", "sklearn.linear_model._logistic.LogisticRegression")
    return Inspection("joblib", models=(entry,), arrays=(ArrayInfo("coef_", (size // 8,), "<f8", size),))


def test_ten_times_the_memory_of_the_machine_does_not_fit_but_where_its_numbers_stay_in_the_file() -> None:
    size = 10 * (free.free_memory() or 1 << 36)
    told = forecast(facts(size), size, 1 << 60)
    assert told is not None
    assert told.free is not None
    assert not told.fits
    assert told.free < told.low
    assert memory_words(told).endswith(" free")
    mapped = forecast(facts(size), size, 1 << 60, mapped=True)
    assert mapped is not None
    assert mapped.fits
    assert mapped.expected == told.expected


def test_a_worker_that_shares_its_libraries_takes_less() -> None:
    alone, beside, forked = (
        forecast(facts(1000), 1000, 1 << 40, **how) for how in ({}, {"beside": True}, {"beside": True, "forked": True})
    )
    assert alone is not None
    assert beside is not None
    assert forked is not None
    assert alone.expected > beside.expected > forked.expected > 0


async def test_what_is_not_run_or_not_known_has_no_forecast(store: Path, engine: Engine) -> None:
    np.save(store / "rows.npy", np.zeros(3))
    (store / "broken.joblib").write_bytes(b"\x80\x04")
    assert await engine.artifacts.forecast("rows.npy") is None
    assert await engine.artifacts.forecast("broken.joblib") is None
    assert forecast(Inspection("nothing"), 1, 1 << 30) is None


async def test_a_new_process_for_what_is_under_review_takes_more(store: Path, engine: Engine) -> None:
    report = await engine.artifacts.report("review.pkl")
    review, safe = await engine.artifacts.forecast("review.pkl"), await engine.artifacts.forecast("b.pkl")
    assert report.judgement.verdict is Verdict.REVIEW
    assert review is not None
    assert safe is not None
    assert review.low > safe.high


def test_a_forecast_keeps_as_bytes() -> None:
    told = MemoryForecast(3, 1, 5, 2, None, 9, True)
    assert decode(encode(told), MemoryForecast) == told


def test_every_format_that_is_run_reckons_its_memory() -> None:
    run = {one.name for one in built_in() if hasattr(one.code(), "load")}
    assert run <= {one.name for one in built_in() if one.footprint is not None}


def test_a_control_group_without_much_left_counts(tmp_path: Path) -> None:
    for name, text in (("memory.max", "1000"), ("memory.current", "900"), ("memory.stat", "anon 1\ninactive_file 50")):
        (tmp_path / name).write_text(f"{text}\n")
    names = ("memory.max", "memory.current", "inactive_file")
    assert free._left(str(tmp_path), *names) == 150
    (tmp_path / "memory.max").write_text("max\n")
    assert free._left(str(tmp_path), *names) is None
