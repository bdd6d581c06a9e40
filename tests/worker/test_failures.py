"""A child's account of its failure is hostile: whatever it says, a record comes out."""

from __future__ import annotations

from typing import Any

import pytest

from console.errors import InputError, OperationError
from console.worker.failures import CHAIN_CAP, FRAMES_CAP, TEXT_CAP, error_of, from_frame, new_failure


@pytest.mark.parametrize(
    "said",
    [
        None,
        [],
        "text",
        {"code": 3, "message": None, "chain": "x", "warnings": {}},
        {"chain": [None, 1, [], {"frames": [None, [], [1, "2", 3, 4], {}], "notes": 5, "type": []}]},
        {"message": "x" * 10**6, "type": "y" * 10**6, "phase": "z" * 10**6, "warnings": ["w" * 10**6] * 1000},
        {"chain": [{"frames": [["f", 1, "g", "t"]] * 10_000}] * 100},
    ],
)
def test_whatever_is_said_becomes_a_bounded_record(said: Any) -> None:
    failure = from_frame(said, "model.pkl", "read", "stderr", None)
    assert failure.message
    assert len(failure.message) <= TEXT_CAP
    assert len(failure.chain) <= CHAIN_CAP
    assert all(len(one.frames) <= FRAMES_CAP for one in failure.chain)
    assert all(isinstance(frame.line, int) for one in failure.chain for frame in one.frames)
    assert (failure.artifact, failure.stderr) == ("model.pkl", "stderr")


def test_codes_choose_the_error_and_its_exit_code() -> None:
    for code, kind, exit_code in (("damaged", InputError, 4), ("columns", InputError, 4), ("hang", OperationError, 1)):
        error = error_of(new_failure("m", "read", code, "sentence"), {"differences": []})
        assert isinstance(error, kind)
        assert (error.code, error.exit_code, error.message) == (code, exit_code, "sentence")
        assert error.failure is not None
