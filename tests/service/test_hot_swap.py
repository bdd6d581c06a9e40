"""Versions that change under requests over HTTP: every one is answered, by the version that the answer names."""

from __future__ import annotations

import asyncio
from argparse import Namespace

import pytest

from tests.benchmarks import swap


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_no_request_is_lost_or_mixed() -> None:
    _quiet, busy, took = asyncio.run(swap.measured(Namespace(rate=100.0, swaps=4, pause=0.0, quiet_seconds=0.0)))
    assert (busy.lost, busy.mixed, len(took)) == ({}, 0, 8)
    assert set(busy.versions) == {"1", "2"}
