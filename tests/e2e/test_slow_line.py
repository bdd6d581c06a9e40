"""A line of three kilobytes a second behind a relay that takes everything at once: keys are answered all the same."""

from __future__ import annotations

import statistics

import pytest

from tests.e2e import slow_line


@pytest.mark.slow
def test_no_picture_piles_up_in_sshd() -> None:
    """Two pictures at most are on their way; without the terminal's answers there were 80 kB, and a key waited 20 s."""
    if reason := slow_line.why_not():
        pytest.skip(reason)
    found = slow_line.measure(3000.0, keys=4)
    print(f"key to answer: median {statistics.median(found.seconds):.2f} s, most {max(found.seconds):.2f} s")
    assert found.queued < 12_000
