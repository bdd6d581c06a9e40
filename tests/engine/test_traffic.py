"""Requests of other programs as the engine counts them, tells clients of them, and exposes them."""

from __future__ import annotations

import numpy as np
import pytest

from console.engine.local import Engine
from console.errors import ConsoleError, InputError
from tests.engine.conftest import until
from tests.engine.serving import asking
from tests.monitor.scraped import read

ROWS = np.random.default_rng(3).normal(size=(5, 3))
TRACE = f"00-{'a' * 32}-{'b' * 16}-01"


async def test_what_is_asked_is_counted_told_and_exposed(engine: Engine) -> None:
    await until(engine, lambda: not engine.artifacts.scanning)
    for number in range(3):
        await engine.serving.infer(asking(ROWS, id=f"r{number}", trace=TRACE))
    with pytest.raises(ConsoleError):
        await engine.serving.infer(asking(ROWS[:, :2], id="wrong"))
    changes = await engine.changes(wait=False)
    traffic = changes.traffic["a.joblib"]
    assert (traffic.name, traffic.requests, traffic.errors, traffic.rows) == ("a", 4, 1, 15)
    assert not traffic.failing
    assert traffic.whole is not None
    assert traffic.whole.count == 3
    counted = {one.version: one for one in await engine.serving.statistics("a")}
    assert (counted["1"].success.count, counted["1"].fail.count, set(counted)) == (3, 1, {"1"})
    assert counted["1"].inferences == 15
    assert [one.id for one in await engine.serving.worst("a")] == ["wrong", "r2", "r1", "r0"]
    page = read(await engine.monitor.exposition(openmetrics=True))
    one = {"model": "a", "version": "1", "source": "request"}
    assert page.value("model_console_requests_total", **one) == 4
    assert page.value("model_console_worker_copies_ready", model="a") == 1
    assert page.value("model_console_model_ready", model="a") == 1
    assert set(page.traces.values()) == {"a" * 32}
    series = await engine.monitor.series("a.joblib")
    assert series is not None
    assert series.calls == 0


async def test_nobody_makes_a_series_by_a_name(engine: Engine) -> None:
    await until(engine, lambda: not engine.artifacts.scanning)
    for number in range(5):
        with pytest.raises(InputError):
            await engine.serving.infer(asking(ROWS, f"nobody-{number}"))
    page = read(await engine.monitor.exposition())
    assert page.labels("model_console_requests_total") == []
    nobody = {"model": "", "version": "", "source": "request", "code": "not-served"}
    assert page.value("model_console_request_errors_total", **nobody) == 5
