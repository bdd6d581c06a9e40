"""Processes of a served store are killed under load, and nothing is wrong, torn or left."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from tests.e2e.killed_service import VICTIMS, series

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800), pytest.mark.skipif(os.geteuid() != 0, reason="as a service")]


@pytest.mark.parametrize("victim", [*VICTIMS, "zygote"])
def test_whoever_is_killed_under_load_harms_nobody_else(victim: str) -> None:
    with tempfile.TemporaryDirectory(prefix="mc-", dir="/tmp") as place:  # short: a socket's path has its limit
        assert series(2, seed=3, place=Path(place), victims=(victim,)) == []
