"""Honest files of joblib 0.8 to 0.11 raise no false alarm; what is not read whole is a review, with its reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from console.records import Verdict
from console.trust.policy import Policy
from console.trust.verdict import judge
from tests import hostile
from tests.inspecting import inspect_file

DATA = Path(__file__).parents[1] / "data" / "joblib_legacy"
FILES = sorted(path.name for path in DATA.glob("joblib_*"))


def expected(name: str) -> tuple[Verdict, set[str]]:
    """The verdict, and the codes of what made it no safe one."""
    if name.startswith(("joblib_0.8.4_c", "joblib_0.9.2_c", "joblib_0.9.4.dev0_c")):
        return Verdict.REVIEW, {"legacy-zfile", "incomplete"}
    if name.startswith("joblib_0.9.2_pickle") and name.endswith(".pkl"):
        return Verdict.REVIEW, {"legacy-companion", "unlisted-name"}
    return Verdict.SAFE, set()


@pytest.mark.parametrize("name", FILES)
def test_an_honest_file_of_old_is_no_alarm(name: str) -> None:
    found = inspect_file(DATA / name)
    judged = judge(found, Policy())
    verdict, reasons = expected(name)
    assert judged.verdict is verdict, judged.reasons
    told = {reason.code for reason in judged.reasons} - {"not-loadable", "object-array"}
    assert told == reasons
    assert found.loadable == (verdict is Verdict.SAFE and not name.endswith(".npy"))


def test_they_are_all_there() -> None:
    assert len(FILES) == 65


@pytest.mark.parametrize("filename", ["x.npy", "a b.npy_01.npy"])
def test_a_companion_beside_is_reviewed_and_never_loaded(filename: str, tmp_path: Path) -> None:
    found = inspect_file(companion(tmp_path, hostile.text(filename)))
    assert [each.code for each in found.findings] == ["legacy-companion"]
    assert judge(found, Policy()).verdict is Verdict.REVIEW
    assert not found.loadable


@pytest.mark.parametrize("filename", ["../x.npy", "/etc/x.npy", "sub/x.npy", "..", "a\\b", "a\0b", ""])
def test_a_companion_elsewhere_is_blocked(filename: str, tmp_path: Path) -> None:
    found = inspect_file(companion(tmp_path, hostile.text(filename)))
    assert [each.code for each in found.findings] == ["legacy-wrapper"]
    assert judge(found, Policy()).verdict is Verdict.BLOCKED


def test_a_companion_whose_name_is_no_text_is_blocked(tmp_path: Path) -> None:
    assert judge(inspect_file(companion(tmp_path, b"K\x01")), Policy()).verdict is Verdict.BLOCKED


def companion(tmp_path: Path, filename: bytes) -> Path:
    path = tmp_path / "model.pkl"
    wrapper = hostile.name("joblib.numpy_pickle", "NDArrayWrapper") + b")\x81}" + hostile.text("filename")
    path.write_bytes(hostile.PROTO + wrapper + filename + b"sb.")
    return path
