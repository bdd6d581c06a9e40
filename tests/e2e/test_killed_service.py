"""Processes of a served store are killed under load, and nothing is wrong, torn or left."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.e2e.killed_service import VICTIMS
from tests.e2e.terminal import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800), pytest.mark.skipif(os.geteuid() != 0, reason="as a service")]


@pytest.mark.parametrize("victim", [*VICTIMS, "zygote"])
def test_whoever_is_killed_under_load_harms_nobody_else(victim: str) -> None:
    """In a process of its own, whose children are this store's alone."""
    words = [sys.executable, "-m", "tests.e2e.killed_service", "--rounds", "2", "--seed", "3", "--victim", victim]
    done = subprocess.run(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, done.stdout
