"""The kernel's word and the self-test stand over what a child claims."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest

from console.records import LAYERS, Layer
from console.worker.child_user import Identity
from console.worker.launcher import Launcher
from console.worker.limits import Limits
from console.worker.sandbox_report import Expected, layers_of, selftest_of

CLAIMS = {name: [True, "so it says"] for name in LAYERS if name != "cgroup"}
OURS = {"cgroup": Layer(True, "so we thought")}


@pytest.fixture
def unconfined() -> Iterator[Expected]:
    """A process without any layer, and what a sandboxed one would have to show."""
    process = subprocess.Popen(["sleep", "1000"], stdin=subprocess.DEVNULL)
    yield Expected(process.pid, Limits(), Identity(61184, 61184), "model-console-0-0")
    process.kill()
    process.wait()


def test_a_liar_is_found_out(unconfined: Expected) -> None:
    found = layers_of(CLAIMS, OURS, {}, frozenset(), unconfined)
    assert tuple(found) == LAYERS
    evidence = {name: layer.evidence for name, layer in found.items() if not layer.active}
    assert set(evidence) == set(LAYERS) - {"descriptors", "landlock"}
    assert "another group" in evidence["cgroup"]
    assert "net namespace" in evidence["namespaces"]
    assert "Cap" in evidence["user"] or "Uid" in evidence["user"]
    assert evidence["no_new_privs"] == "the kernel says NoNewPrivs: 0"
    assert evidence["seccomp"] == "the kernel says Seccomp: 0"
    assert "core file size" in evidence["limits"] or "data size" in evidence["limits"]


async def test_a_child_that_tells_the_truth_is_believed(launcher: Launcher) -> None:
    child = await launcher.spawn("worker")
    assert [name for name, layer in child.layers.items() if "the kernel says" in layer.evidence] == []
    assert child.layers["terminal"].active


def test_a_process_that_is_gone_shows_nothing(unconfined: Expected) -> None:
    gone = Expected(2**22 + 1, unconfined.limits, unconfined.identity)
    found = layers_of(CLAIMS, {}, {}, frozenset(), gone)
    assert "nothing can be seen" in found["seccomp"].evidence


@pytest.mark.parametrize(
    ("item", "layer"), [("canary", "landlock"), ("write", "landlock"), ("socket", "seccomp"), ("fork", "seccomp")]
)
def test_what_the_self_test_could_do_makes_the_layer_inactive(item: str, layer: str) -> None:
    selftest, failed = selftest_of({item: [False, "it was done"], "exec": [None, "not tried"]})
    assert failed == {item}
    found = layers_of({layer: [True, "on"]}, {}, selftest, failed, _oneself())
    assert not found[layer].active
    assert "it was done" in found[layer].evidence or "the kernel says" in found[layer].evidence


def test_what_was_not_tried_says_nothing_of_a_layer() -> None:
    selftest, failed = selftest_of({"canary": [None, "not tried"], "write": [True, "EACCES"]})
    assert selftest["canary"] == Layer(False, "not tried")
    assert layers_of({"landlock": [True, "ABI 7"]}, {}, selftest, failed, _oneself())["landlock"].active


@pytest.mark.parametrize("said", [None, [], {"socket": "no"}, {"socket": [True]}, {"socket": [True, 7]}])
def test_nonsense_is_no_evidence(said: object) -> None:
    assert selftest_of(said) == ({}, frozenset())


def _oneself() -> Expected:
    return Expected(os.getpid(), Limits(), Identity())
