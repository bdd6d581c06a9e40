"""Long and wide tables: answered in pieces as they would be whole, in bounded memory, and read fast."""

from __future__ import annotations

import gzip
import os
import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pandas
import pytest
from sklearn.cluster import KMeans
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from backends.core.errors import Refusal
from backends.core.source import Source
from backends.estimators.estimator import Estimator
from console.worker.child import pieces
from console.worker.child.data import delimited
from console.worker.child.data.delimited import read_delimited
from console.worker.child.data.dialect import Dialect
from console.worker.child.data.options import Extent, Knowledge, ReadOptions
from console.worker.child.data.plain_numbers import PlainNumbers
from console.worker.child.pieces import LongTable, answers_of, open_table, piece_of
from console.worker.child.tables import Table

ODD = (
    *(
        "",
        "NA",
        "NAN",
        "inf",
        "1e",
        "1_0",
        " 5",
        "0x1",
        "1e400",
        "+3",
        "True",
        "x",
        '"q"',
        '""',
        '"a,b"',
        '"a""b"',
        "é",
    ),
    *("00012", "9223372036854775808", ".5", "1.", "\xa07", "1d5", "٣", '"7"', "#a", "1,5", "a\tb"),
)
HELD = Extent(bytes=1000)


def rows_of(frame: Any) -> list[str]:
    return [repr(value) for value in frame.tolist()]


def read(data: bytes, extent: Extent) -> Any:
    """The columns as text, the problems, or the refusal."""
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        try:
            source, known = Source(file.fileno(), "d.csv"), Knowledge(texts=frozenset({"t"}))
            found = read_delimited(source, ReadOptions(), known, extent)
            columns = found.columns
            if found.long is not None:
                parts = list(found.long.pieces())
                columns = {name: numpy.concatenate([part[name] for part in parts]) for name in columns}
            return {name: (str(one.dtype), rows_of(one)) for name, one in columns.items()}, found.problems
        except Refusal as refusal:
            return str(refusal)


def number(rng: random.Random) -> str:
    forms = (
        rng.gauss(0, 1),
        rng.random() * 10.0 ** rng.randint(-300, 300),
        rng.randint(-5, 5),
        rng.randint(1, 1 << 54),
    )
    return f"{rng.choice(forms)!r}"


def table(rng: random.Random) -> bytes:
    """A table of some kinds of columns, with a few cells that fit into none."""
    names = rng.sample(["a", "b", "t", "u", "1", "2"], rng.randint(2, 4))
    texts = (lambda: rng.choice(["aa", "b b", '"cc"', "NA"]), lambda: rng.choice(["True", "False"]))
    kinds: list[Callable[[], str]] = [lambda: number(rng), lambda: number(rng), lambda: str(rng.randint(0, 9)), *texts]
    makers = [rng.choice(kinds) for _ in names]
    odd = rng.choice([0, 0, 0.005, 0.02])
    rows = [[rng.choice(ODD) if rng.random() < odd else make() for make in makers] for _ in range(60)]
    lines = [",".join(row) for row in (names, *rows)]
    lines += [lines[0]] if rng.random() < 0.05 else []
    return rng.choice(["\n", "\r\n"]).join(lines).encode()


def test_the_fast_parser_and_pieces_find_what_is_found_by_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, size in (("_FIRST_BLOCK", 120), ("_BLOCK", 60), ("_PLAIN_BLOCK", 200)):
        monkeypatch.setattr(delimited, name, size)
    rng, parsed, fast = random.Random(20), PlainNumbers.parsed, [0, 0]

    def counted(self: PlainNumbers, *given: Any) -> Any:
        found = parsed(self, *given)
        fast[found is not None] += 1
        return found

    for _ in range(30):
        data = table(rng)
        monkeypatch.setattr(PlainNumbers, "parsed", counted)
        whole, in_pieces = read(data, Extent()), read(data, HELD)
        monkeypatch.setattr(PlainNumbers, "parsed", lambda *_: None)
        assert whole == in_pieces == read(data, Extent()), data
    assert fast[1] > 10 * fast[0] > 0


def test_numbers_of_every_length_are_rounded_as_python_rounds_them() -> None:
    rng = random.Random(4)
    cells = [f"{rng.random():.{rng.randint(1, 25)}f}" for _ in range(3000)]
    cells += [f"{rng.randint(1, 10 ** rng.randint(1, 30))}e{rng.randint(-330, 310)}" for _ in range(3000)]
    lines = "".join(f"{cell},1\n" for cell in cells)
    dialect = Dialect(",", ["a", "b"])
    found = PlainNumbers(dialect, ["a", "b"], [frozenset({""})] * 2).parsed(lines, [False, False])
    assert found is not None
    assert found[0].tolist() == [float(cell) for cell in cells]


def frame_of(rows: int) -> Any:
    rng = numpy.random.default_rng(0)
    frame = pandas.DataFrame(rng.normal(size=(rows, 3)), columns=["a", "b", "c"])
    frame["city"] = rng.choice(["Rome", "Oslo", "Wien"], rows)
    frame["y"] = (frame.a + (frame.city == "Rome") > 0).astype(int)
    return frame


def opened(path: Path, model: Any, target: str | None, *, held: int | None) -> Table:
    source = Source(os.open(path, os.O_RDONLY), path.name)
    return open_table(source, target, Estimator(model), ReadOptions(), Extent(bytes=held))


@pytest.fixture
def long_csv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A table of 3000 rows that is read in some ten blocks and answered in as many pieces."""
    for name in ("_FIRST_BLOCK", "_BLOCK", "_PLAIN_BLOCK"):
        monkeypatch.setattr(delimited, name, 20_000)
    monkeypatch.setattr(pieces, "_PIECE_ROWS", 256)
    frame_of(3000).to_csv(tmp_path / "long.csv", index=False)
    return tmp_path / "long.csv"


def test_a_long_table_is_answered_in_pieces_as_it_would_be_whole(long_csv: Path) -> None:
    frame = frame_of(3000)
    inputs = frame.drop(columns="y")
    columns = make_column_transformer((StandardScaler(), ["a", "b", "c"]), (OneHotEncoder(), ["city"]))
    model = make_pipeline(columns, LogisticRegression()).fit(inputs, frame.y)
    found = opened(long_csv, model, "y", held=10_000)
    assert isinstance(found, LongTable)
    assert (found.rows, piece_of(Estimator(model), found)) == (3000, 256)
    answers = answers_of(Estimator(model), found)
    assert answers.of("predict_proba").tolist() == model.predict_proba(inputs).tolist()
    assert found.y.tolist() == frame.y.tolist()
    for start, stop in ((0, 5), (700, 710), (650, 1900), (100, 101), (2990, 5000)):
        pandas.testing.assert_frame_equal(found.slice(start, stop), inputs[start:stop], check_dtype=False)
        assert found.truth(start, stop).tolist() == frame.y[start:stop].tolist()
    assert found.X.shape == (3000, 4)
    found.close()


def test_long_texts_are_answered_in_shorter_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "_PIECE_BYTES", 100_000)
    texts = [f"{at} " * 200 for at in range(300)]
    pandas.DataFrame({"t": texts}).to_csv(tmp_path / "texts.csv", index=False)
    found = opened(tmp_path / "texts.csv", None, None, held=10_000)
    assert isinstance(found, LongTable)
    assert piece_of(Estimator(RandomForestClassifier()), found) == 64
    found.close()


def test_what_answers_across_rows_gets_them_in_one_call(long_csv: Path) -> None:
    centred = make_pipeline(FunctionTransformer(lambda X: X - X.mean()), KMeans(2, n_init=1))
    centred.fit(frame_of(100)[["a", "b", "c"]])
    forest = RandomForestClassifier(3).fit(frame_of(100)[["a", "b", "c"]], frame_of(100).y)
    found = opened(long_csv, None, None, held=10_000)
    assert (piece_of(Estimator(centred), found), piece_of(Estimator(forest), found)) == (None, 256)
    words = pieces.manner(Estimator(centred), found, None)
    assert "all rows in one call, since Pipeline is not known to answer row by row, for which it takes about" in words
    assert pieces.manner(Estimator(forest), found, 256) == ", in pieces of 256 rows"
    found.close()


def test_a_file_that_is_changed_while_it_is_read_is_refused(long_csv: Path) -> None:
    found = opened(long_csv, None, None, held=10_000)
    found.slice(0, 10)
    with open(long_csv, "ab") as file:
        file.write(b"1,2,3,Rome,0\n")
    with pytest.raises(Refusal, match="was changed while it was read"):
        found.slice(0, 3000)
    found.close()


def test_so_many_rows_are_read_and_no_more(tmp_path: Path) -> None:
    text = frame_of(20_000).to_csv(index=False) + "cut,short\n"
    (tmp_path / "rows.csv").write_text(text)
    (tmp_path / "rows.csv.gz").write_bytes(gzip.compress(text.encode(), 1))
    for name in ("rows.csv", "rows.csv.gz"):
        source = Source(os.open(tmp_path / name, os.O_RDONLY), name)
        found = open_table(source, None, None, ReadOptions(), Extent(rows=7))
        assert (found.rows, list(found.X.city)) == (7, list(frame_of(20_000).city[:7]))
        assert source.bytes_read < 10 << 20
        os.close(source.fd)


def test_an_encoding_that_shows_behind_the_rows_that_are_read_last(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_bytes(b"a,t\n" + (b"1," + b"x" * 500 + b"\n") * 6000 + "2,größe\n".encode("cp1252"))
    source = Source(os.open(tmp_path / "d.csv", os.O_RDONLY), "d.csv")
    found = read_delimited(source, ReadOptions(), Knowledge(), Extent(rows=6001))
    assert found.columns["t"][-1] == "größe"
    assert "cp1252" in found.decided
    os.close(source.fd)
