"""A transformers directory on the command line: one artifact with facts, and texts in, embeddings or labels out."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.running import Run
from tests.transformers_files import CLASSIFIER, CONFIG, SENTENCE, files, shard, sharded, write

PYTHON = os.environ.get("MODEL_CONSOLE_TORCH", "")
RUNNER = Path(__file__).parents[1] / "backends" / "transformers_runner.py"
TEXTS = ("Good film, very good.", "a bad plot", "x " * 1000)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    write(tmp_path / "store" / "embedder", {**files(), **SENTENCE, "README.md": b"# A model\n"})
    write(tmp_path / "store" / "sentiment", files(CLASSIFIER))
    (tmp_path / "rows.csv").write_text("review\n" + "".join(f'"{text}"\n' for text in TEXTS))
    return tmp_path / "store"


def test_it_is_one_row_with_its_family_and_size(run: Run, store: Path) -> None:
    listed = {one["path"]: one for one in run("ls", "--json", str(store)).json}
    assert set(listed) == {"embedder", "sentiment"}
    assert {(one["format"], one["verdict"]) for one in listed.values()} == {("transformers", "safe")}
    assert "Bert · 32 · 2 labels" in run("ls", str(store)).out
    done = run("inspect", "--json", "--digest", str(store / "embedder"))
    assert (done.code, done.json["details"]["pooling"]) == (0, "cls, normalised")
    assert done.json["digest"].startswith("sha256:")


def test_code_of_its_own_blocks_it(run: Run, store: Path) -> None:
    config = {**CONFIG, "auto_map": {"AutoModel": "own.Own"}}
    write(store / "embedder", {"config.json": json.dumps(config).encode(), "own.py": b"raise SystemExit\n"})
    done = run("inspect", str(store / "embedder"))
    assert "blocked" in done.out
    assert "own.Own" in done.out
    refused = run("predict", str(store / "embedder"), "--data", str(store.parent / "rows.csv"))
    assert refused.code != 0
    assert "own.Own" in refused.err


def test_what_is_missing_is_told(run: Run, store: Path) -> None:
    write(store / "half", sharded({"a": shard(1), "b": shard(2)}, _1={"a": ("F32", [4])}))
    done = run("inspect", str(store / "half"))
    assert (done.code, f"names {shard(2)}: not there" in done.out) == (4, True)
    (store / "half" / shard(2)).symlink_to(store / "half" / shard(1))
    assert f"it holds {shard(2)}, which is a symbolic link" in run("inspect", str(store / "half")).out


@pytest.mark.skipif(importlib.util.find_spec("torch") is not None, reason="PyTorch is installed")
def test_a_missing_package_is_named_with_its_extra(run: Run, store: Path) -> None:
    done = run("predict", str(store / "embedder"), "--data", str(store.parent / "rows.csv"))
    assert done.code != 0
    assert "needs the Python package torch: install the transformers extra" in done.err


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.skipif(not PYTHON, reason="MODEL_CONSOLE_TORCH names no interpreter with PyTorch")
def test_texts_are_answered_in_the_sandbox(run: Run, store: Path, tmp_path: Path) -> None:
    subprocess.run([PYTHON, str(RUNNER), str(tmp_path / "made")], check=True, capture_output=True, timeout=200)
    for name, made in {"embedder": "bert, Model", "sentiment": "named labels"}.items():
        shutil.rmtree(store / name)
        shutil.copytree(tmp_path / "made" / made, store / name)
        write(store / name, SENTENCE if name == "embedder" else {})
        (store / f"{name}.recipe.toml").write_text(f'[environment]\npython = "{PYTHON}"\n')
    rows = str(tmp_path / "rows.csv")
    embedded = run("predict", "--json", str(store / "embedder"), "--data", rows).json["outputs"]["transform"]
    assert [len(one) for one in embedded] == [16] * len(TEXTS)
    assert all(math.isclose(sum(number**2 for number in one), 1, rel_tol=1e-5) for one in embedded)
    methods = ("--method", "predict", "--method", "predict_proba")
    told = run("predict", "--json", str(store / "sentiment"), "--data", rows, *methods).json["outputs"]
    labels = ("negative", "positive", "neutral")
    assert told["predict"] == [labels[shares.index(max(shares))] for shares in told["predict_proba"]]
