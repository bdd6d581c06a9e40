"""The memory of what is loaded, kept from one engine to the next."""

from __future__ import annotations

from pathlib import Path

import pytest

from console.config import state_dir, store_key
from console.records import WorkerState, WorkerView
from console.service.restore import Kept, Loaded, Remembered, is_gone, loaded_of


def _nothing(_text: str, _severity: str) -> None:
    raise AssertionError(_text)


async def test_what_is_kept_is_read_again(tmp_path: Path) -> None:
    kept = Kept(tmp_path, _nothing)
    assert kept.read() == Remembered()
    kept.keep(Remembered((Loaded("a\udcff.joblib"),)))
    wanted = Remembered((Loaded("a\udcff.joblib", "0", 3),), {"loaded": ["x"]})
    kept.keep(wanted)
    await kept.close()
    assert Kept(tmp_path, _nothing).read() == wanted


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"models": [[1, "", 1]]}', '{"models": [["a", "", 0]]}', "\xff"])
def test_a_damaged_file_tells_of_nothing(tmp_path: Path, text: str) -> None:
    place = state_dir() / "served" / f"{store_key(tmp_path)}.json"
    place.parent.mkdir(parents=True)
    place.write_text(text, "latin-1")
    assert Kept(tmp_path, _nothing).read() == Remembered()


async def test_that_it_cannot_be_written_is_told(tmp_path: Path) -> None:
    state_dir().parent.mkdir(parents=True)
    state_dir().write_text("")
    told: list[str] = []
    kept = Kept(tmp_path, lambda text, _severity: told.append(text))
    kept.keep(Remembered((Loaded("a"),)))
    await kept.close()
    assert len(told) == 1
    assert "cannot be written" in told[0]


def test_what_is_being_unloaded_is_not_wanted() -> None:
    states = (WorkerState.READY, WorkerState.ERROR, WorkerState.DRAINING, WorkerState.ENDED)
    views = [WorkerView(state.value, state, 0.0, copies=2) for state in states]
    assert {one.path for one in loaded_of(views)} == {"ready", "error"}
    assert {one.copies for one in loaded_of(views)} == {2}


def test_an_empty_store_may_not_be_mounted(tmp_path: Path) -> None:
    assert not is_gone(tmp_path, "a")
    (tmp_path / "b").touch()
    assert is_gone(tmp_path, "a")
    assert not is_gone(tmp_path, "b")
