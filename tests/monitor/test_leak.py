"""A model that keeps a little of every call, driven in a real worker: the probe's summary tells how much."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from console.monitor.memory import read_once
from console.monitor.probe import Prober
from console.monitor.series import Recorder
from console.records import Prediction, ProbePlan, ProbeState
from console.records.words import growth_words
from console.worker.launcher import Launcher
from console.worker.model import Worker
from tests.worker.payloads import Payload

LEAK = 40_000
KEEPS = "type('M', (), {'kept': [], 'predict': lambda s, X: (s.kept.append(bytes([1]) * %d), [1.0] * len(X))[1]})()"
EVERY = 10
"""Calls between two readings."""


def fill(path: Path, expression: str) -> None:
    """Write the pickle."""
    path.write_bytes(pickle.dumps(Payload(expression)))


async def driven(path: Path, expression: str) -> ProbeState:
    """The state of a probe after 1,000 calls of the model that this expression makes."""
    fill(path, expression)
    launcher = Launcher()
    try:
        worker = await Worker.start(launcher, "model.pkl")
        with path.open("rb") as file:
            await worker.load(file.fileno(), "pickle")
        calls = 0

        async def call(start: int, batch: int) -> Prediction:
            nonlocal calls
            outcome = await worker.call_rows([[1]])
            calls += 1
            memory = read_once(worker.child.pid) if calls % EVERY == 0 else None
            if memory is not None:
                prober.reading(memory, worker.child.memory_limit)
            if calls == 1000:
                prober.stop()
            return outcome

        prober = Prober(ProbePlan("rows", rate=0), 1, call, Recorder())
        return await prober.run()
    finally:
        await launcher.close()


@pytest.mark.slow
async def test_a_leak_stands_in_the_summary(tmp_path: Path) -> None:
    state = await driven(tmp_path / "leak.pkl", KEEPS % LEAK)
    assert state.growth is not None
    assert state.growth.grows
    assert state.growth.per_call == pytest.approx(LEAK, rel=0.1)
    assert abs(state.growth.per_call - LEAK) < max(6 * state.growth.error, 0.02 * LEAK)
    assert state.growth.limit == 8 << 30
    left = (8 << 30) / (state.growth.per_call * state.rate)
    assert state.growth.seconds_left == pytest.approx(left, rel=0.1)
    assert "; reaches the limit of 8 GiB after about " in growth_words(state.growth)


@pytest.mark.slow
async def test_a_sound_model_shows_none(tmp_path: Path) -> None:
    state = await driven(tmp_path / "sound.pkl", "type('M', (), {'predict': lambda s, X: [1.0] * len(X)})()")
    assert state.growth is not None
    assert not state.growth.grows
    assert "no growth seen (below " in growth_words(state.growth)
