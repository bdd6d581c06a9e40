"""The doctor's remedies for a missing layer."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from console.doctor import doctor
from console.doctor.doctor import examine
from console.doctor.remedies import next_steps
from console.records import LAYERS, Layer
from console.worker.child_user import GIVES_NO_RIGHTS, TRIAL
from console.worker.launcher import Launcher

OFF = Layer(False, "not to be had")


def machine(root: Path, **files: str) -> Path:
    """A directory that holds these files of /proc and /sys; `__` stands for a slash."""
    (root / "proc/self").mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("files", "word"),
    [
        (
            {"proc__sys__kernel__apparmor_restrict_unprivileged_userns": "1\n"},
            "apparmor_restrict_unprivileged_userns=0",
        ),
        ({"proc__sys__kernel__unprivileged_userns_clone": "0\n"}, "unprivileged_userns_clone=1"),
        ({"proc__sys__user__max_user_namespaces": "0\n"}, "max_user_namespaces"),
        ({}, "allow user namespaces"),
    ],
)
def test_namespaces_of_an_ordinary_user(tmp_path: Path, files: dict[str, str], word: str) -> None:
    assert word in next_steps({"namespaces": OFF}, machine(tmp_path, **files), uid=1000)["namespaces"]


def test_layers_of_root_and_of_the_kernel(tmp_path: Path) -> None:
    root = machine(tmp_path, sys__kernel__security__lsm="capability,yama,apparmor")
    steps = next_steps(dict.fromkeys(LAYERS, OFF), root, uid=0)
    assert "CAP_SYS_ADMIN" in steps["namespaces"]
    assert steps["landlock"] == "start the kernel with `lsm=landlock,capability,yama,apparmor`"
    assert "every user can read" in steps["user"]
    assert "/sys/fs/cgroup" in steps["cgroup"]


@pytest.mark.parametrize(
    ("evidence", "uid_map", "words"),
    [
        ("root cannot give up its rights (Invalid argument)", "0 1000 1\n", "maps no other user"),
        ("root cannot give up its rights (Operation not permitted)", "0 0 4294967295\n", "CAP_SETUID"),
        ("it could not be tried whether another user can run it (TimeoutExpired)", "0 1000 1\n", "starts at all"),
        ("/root (mode 0700) keeps other users from running /root/python", "0 1000 1\n", "every user can read"),
    ],
)
def test_the_advice_for_the_user_fits_what_stood_in_the_way(
    tmp_path: Path, evidence: str, uid_map: str, words: str
) -> None:
    root = machine(tmp_path, proc__self__uid_map=uid_map)
    step = next_steps({"user": Layer(False, f"still uid 0, since {evidence}")}, root, uid=0)["user"]
    assert words in step
    assert ("every user can read" in step) is ("mode 0700" in evidence)


def test_the_trial_says_what_the_advice_goes_by() -> None:
    assert GIVES_NO_RIGHTS in Path(TRIAL).read_text("utf-8")


def test_doctor_lists_every_library_that_an_extra_brings() -> None:
    project = tomllib.loads((Path(doctor.__file__).parents[2] / "pyproject.toml").read_text("utf-8"))["project"]
    extras = (one for name, brought in project["optional-dependencies"].items() if name != "test" for one in brought)
    wanted = {re.split(r"[^\w-]", one)[0] for one in (*project["dependencies"], *extras)}
    assert wanted <= set(doctor.versions())


def test_a_group_for_an_ordinary_user(tmp_path: Path) -> None:
    assert "administrator" in next_steps({"cgroup": OFF}, machine(tmp_path), uid=1000)["cgroup"]
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    assert "Delegate=yes" in next_steps({"cgroup": OFF}, machine(tmp_path), uid=1000)["cgroup"]


def test_nothing_is_advised_where_nothing_is_missing() -> None:
    assert next_steps(dict.fromkeys(LAYERS, Layer(True, "on"))) == {}


def test_without_proc_it_is_all_that_is_asked_for(tmp_path: Path) -> None:
    steps = next_steps({"user": OFF, "namespaces": OFF}, tmp_path, uid=0)
    assert list(steps) == ["proc"]
    assert "mount -t proc" in steps["proc"]


async def test_doctor_shows_layers_tests_and_steps(tmp_path: Path) -> None:
    launcher = Launcher()
    try:
        found = await examine(tmp_path, launcher, "")
    finally:
        await launcher.close()
    layers, tests, steps = found["sandbox"], found["selftest"], found["next_steps"]
    assert isinstance(layers, dict)
    assert isinstance(tests, dict)
    assert isinstance(steps, dict)
    assert tuple(layers) == LAYERS
    assert set(tests) == {"canary", "write", "socket", "fork", "exec", "memory", "code", "signal"}
    assert set(steps) <= set(layers)
