"""When garbage is collected."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

LOOKS = """
import gc
from console.ui import tidy
class Node: pass
def ring():
    node = Node(); node.self = node
    return node
kept = ring()
tidy.wait()
assert gc.get_threshold()[0] > 10_000
tidy.begin()
frozen = gc.get_freeze_count()
assert frozen > 1000, frozen
assert gc.get_threshold()[0] < 10_000
assert gc.get_threshold()[2] > 10
looked = []
gc.callbacks.append(lambda phase, info: looked.append(info["generation"]) if phase == "stop" else None)
tidy.look()
assert looked == [], "nothing to do yet"
for _ in range(20):
    gc.collect(1)
ring()
looked.clear()
tidy.look()
assert looked == [2], looked
assert gc.get_freeze_count() == frozen
"""


def test_all_objects_are_looked_at_when_it_is_time_to_and_those_of_the_beginning_never() -> None:
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", LOOKS], capture_output=True, text=True, cwd=root, check=False)
    assert done.returncode == 0, done.stderr
