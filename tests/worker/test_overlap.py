"""A hold-out beside its training rows: rows in both are found whatever the file, rows of its own are not."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.core.errors import Refusal
from backends.core.source import Source
from console.worker.child import overlap

RANDOM = np.random.RandomState(5)
NAMES = ["a", "b", "c", "d"]
Write = Callable[[pandas.DataFrame, Path], None]


def rows(count: int, seed: int = 0) -> pandas.DataFrame:
    """Numbers, whole numbers and texts with a target of two classes."""
    random = np.random.RandomState(seed)
    frame = pandas.DataFrame(random.rand(count, 3), columns=["a", "b", "c"])
    return frame.assign(d=random.randint(0, 9, count), y=random.randint(0, 2, count))


TRAIN = rows(200)


def compared(
    tmp_path: Path, holdout: Path, train: pandas.DataFrame = TRAIN, names: list[str] | None = NAMES
) -> tuple[dict[str, Any], bytes]:
    """The overlap found of a hold-out file beside these training rows."""
    train.to_csv(tmp_path / "train.csv", index=False)
    with (tmp_path / "train.csv").open("rb") as one, holdout.open("rb") as other:
        return overlap.compare(Source(one.fileno(), "train.csv"), Source(other.fileno(), holdout.name), "y", names)


FORMS: dict[str, tuple[str, Write]] = {
    "as it is": ("h.csv", lambda frame, path: frame.to_csv(path, index=False)),
    "other order": ("h.csv", lambda frame, path: frame.sample(frac=1.0, random_state=1).to_csv(path, index=False)),
    "other columns' order": ("h.csv", lambda frame, path: frame[["y", "d", "c", "b", "a"]].to_csv(path, index=False)),
    "semicolons": ("h.csv", lambda frame, path: frame.to_csv(path, index=False, sep=";")),
    "parquet": ("h.parquet", lambda frame, path: frame.to_parquet(path)),
    "single precision": ("h.parquet", lambda frame, path: frame.astype("float32").to_parquet(path)),
    "npz": ("h.npz", lambda frame, path: np.savez(path, X=frame[NAMES].to_numpy(), y=frame["y"].to_numpy())),
    "classes as words": ("h.csv", lambda frame, path: frame.assign(y=frame["y"] == 1).to_csv(path, index=False)),
    "rounded": ("h.csv", lambda frame, path: frame.to_csv(path, index=False, float_format="%.6f")),
    "a part": ("h.csv", lambda frame, path: frame[20:60].to_csv(path, index=False)),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_training_rows_are_known_again(tmp_path: Path, form: str) -> None:
    name, write = FORMS[form]
    write(TRAIN, tmp_path / name)
    found, apart = compared(tmp_path, tmp_path / name)
    assert found["common"] >= 0.95 * found["rows"] > 0
    assert np.unpackbits(np.frombuffer(apart, dtype="uint8")).sum() == found["rows"] - found["common"]


@pytest.mark.parametrize("form", FORMS)
def test_rows_of_its_own_are_apart(tmp_path: Path, form: str) -> None:
    name, write = FORMS[form]
    write(rows(100, seed=1), tmp_path / name)
    found, apart = compared(tmp_path, tmp_path / name)
    assert (found["common"], found["repeated"]) == (0, 1)
    assert np.unpackbits(np.frombuffer(apart, dtype="uint8"), count=found["rows"]).all()


def test_texts_gaps_and_dates_count_by_what_they_say(tmp_path: Path) -> None:
    words = pandas.DataFrame({"w": ["x", None, "z"] * 20, "n": np.arange(60.0), "y": ["no", "yes"] * 30})
    words.loc[5, "n"] = np.nan
    words.to_parquet(tmp_path / "h.parquet")
    found, _bits = compared(tmp_path, tmp_path / "h.parquet", words, None)
    assert found == {"rows": 60, "common": 60, "repeated": 0, "targets": None, "leaks": []}


def test_the_same_inputs_with_another_truth_are_other_rows(tmp_path: Path) -> None:
    TRAIN.assign(y=1 - TRAIN["y"]).to_csv(tmp_path / "h.csv", index=False)
    assert compared(tmp_path, tmp_path / "h.csv")[0]["common"] == 0


def test_rows_that_say_little_are_counted(tmp_path: Path) -> None:
    own = rows(50, seed=2)
    pandas.concat([own[:1]] * 60 + [own[1:20]]).to_csv(tmp_path / "h.csv", index=False)
    assert compared(tmp_path, tmp_path / "h.csv")[0]["repeated"] == 60
    own[own["y"] == 1].to_csv(tmp_path / "h.csv", index=False)
    assert compared(tmp_path, tmp_path / "h.csv")[0]["targets"] == 1
    own[:0].to_csv(tmp_path / "h.csv", index=False)
    assert compared(tmp_path, tmp_path / "h.csv")[0]["rows"] == 0
    own.assign(d=own["y"]).to_csv(tmp_path / "h.csv", index=False)
    assert compared(tmp_path, tmp_path / "h.csv")[0]["leaks"] == ["d"]


def test_files_without_like_columns_are_not_compared(tmp_path: Path) -> None:
    rows(20, seed=3).to_csv(tmp_path / "h.csv", index=False)
    found, _bits = compared(tmp_path, tmp_path / "h.csv", TRAIN[["a", "y"]], None)
    assert found == {"problem": "train.csv has not the columns of the hold-out"}
    (tmp_path / "h.csv").write_bytes(b"\0\0\0\0")
    with pytest.raises(Refusal, match=r"h\.csv"):
        compared(tmp_path, tmp_path / "h.csv")


def in_memory(values: np.ndarray[Any, Any]) -> Source:
    """An npy file in memory."""
    fd = os.memfd_create("rows")
    with os.fdopen(os.dup(fd), "wb") as file:
        np.save(file, values)
    return Source(fd, "rows.npy")


@given(st.integers(1, 40), st.integers(0, 40), st.integers(1, 6), st.randoms(use_true_random=False))
def test_every_row_in_both_and_no_other_is_found(seen: int, own: int, width: int, random: Any) -> None:
    train = RANDOM.randn(60, width + 1) * 10.0 ** RANDOM.randint(-6, 7, width + 1)
    fresh = RANDOM.randn(own, width + 1) * 10.0 ** RANDOM.randint(-6, 7, width + 1) + 1e8
    order = list(range(seen + own))
    random.shuffle(order)
    held = np.concatenate([train[:seen], fresh])[order]
    sources = in_memory(train), in_memory(held)
    try:
        found, apart = overlap.compare(*sources, str(width), None)
    finally:
        for source in sources:
            os.close(source.fd)
    assert found["common"] == seen
    bits = np.unpackbits(np.frombuffer(apart, dtype="uint8"), count=seen + own)
    assert bits.tolist() == [int(place >= seen) for place in order]
