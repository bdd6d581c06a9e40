"""The same children under every CPython from 3.9 on that this machine has."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from console.worker.launcher import Launcher
from console.worker.limits import PACKAGE_ROOT
from console.worker.model import Worker
from console.worker.strict import inspection_from
from tests.worker.payloads import Load, OpenFile


def interpreters() -> list[str]:
    """The running one, and others from 3.9 on in the usual places."""
    found = [sys.executable]
    places = [
        *Path.home().glob(".pyenv/versions/*/bin/python"),
        Path("/usr/bin/python3"),
        Path("/usr/local/bin/python3"),
    ]
    for place in sorted(places):
        check = "import sys; sys.exit(sys.version_info < (3, 9) or sys.implementation.name != 'cpython')"
        if place.exists() and subprocess.run([place, "-c", check], capture_output=True, check=False).returncode == 0:
            found.append(str(place))
    return found


@pytest.mark.parametrize("python", interpreters())
async def test_inspecting_and_loading(launcher: Launcher, open_file: OpenFile, evil: Load, python: str) -> None:
    child = await launcher.spawn("inspector", python=python)
    assert all(child.layers[name].active for name in ("descriptors", "terminal", "limits", "no_new_privs"))
    fd = open_file(pickle.dumps({"a": [1, 2]}), "plain.pkl")
    head, _body = await child.request("inspect", {"name": "plain.pkl"}, fds=(fd,))
    assert inspection_from(head["inspection"]).complete
    worker = await Worker.start(launcher, "model", python=python)
    version = evil("type(__import__('sys').version, (), {})()")
    assert child.python in (await worker.load(version, "pickle")).model_class


@pytest.mark.parametrize("python", interpreters()[1:] or [sys.executable])
async def test_our_packages_do_not_reach_a_foreign_interpreter(launcher: Launcher, evil: Load, python: str) -> None:
    worker = await Worker.start(launcher, "model", python=python)
    paths = (await worker.load(evil("type(repr(__import__('sys').path), (), {})()"), "pickle")).model_class
    assert repr(PACKAGE_ROOT) not in paths
    if python != sys.executable:
        assert sys.prefix not in paths
