"""Commands on a model without a method that answers rows: each is refused and says what the model has."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy
import pytest
from sklearn.cluster import DBSCAN

from tests.cli.running import Run


@pytest.mark.slow
def test_every_command_that_needs_an_answer_is_refused(run: Run, tmp_path: Path) -> None:
    rows = numpy.random.default_rng(0).normal(size=(20, 2))
    model, data, out = tmp_path / "m.pkl", tmp_path / "d.csv", tmp_path / "out.csv"
    model.write_bytes(pickle.dumps(DBSCAN().fit(rows)))
    data.write_text("a,b\n" + "".join(f"{a},{b}\n" for a, b in rows))
    for command in (
        ("predict",),
        ("predict", "--out", str(out)),
        ("evaluate",),
        ("probe", "--seconds", "1"),
    ):
        done = run(command[0], str(model), "--data", str(data), *command[1:])
        assert done.code == 4, command
        assert done.out == ""
        assert "DBSCAN has n" in done.err
        assert "it has fit, fit_predict, " in done.err
        assert "this console calls predict, predict_proba, " in done.err
    assert not out.exists()
