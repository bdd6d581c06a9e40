"""The models that go wrong, each in a way of its own, made of nothing but scikit-learn and the standard library."""

from __future__ import annotations

import os
import pickle
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from sklearn import datasets
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import BaggingClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from sample_models import data, place

MARKER = "model-console-demo-payload-ran"
"""The file that the payload of `do-not-load.pkl` would create in the temporary directory, and nothing else."""

LEGACY = Path(__file__).with_name("legacy") / "forest-1.2.2.joblib"

_WINE = '[data]\nholdout = "../wine/data/wine-holdout.csv"\ntarget = "cultivar"\n'


def raises(root: Path) -> None:
    """Its predict raises: the scaler and the classifier come from two trainings with different columns."""
    X, y = datasets.load_wine(return_X_y=True)
    scaler, classifier = (
        StandardScaler().fit(X),
        LogisticRegression(max_iter=300).fit(X[:, :9] / X[:, :9].max(axis=0), y),
    )
    place.save(root, "trouble/raises.joblib", Pipeline([("scale", scaler), ("clf", classifier)]))
    place.text(root, "trouble/raises.recipe.toml", _WINE)


def dies(root: Path) -> None:
    """Its worker dies: one branch leads far past the end of the tree, so that predict reads foreign memory."""
    X, y = datasets.load_wine(return_X_y=True)
    model = DecisionTreeClassifier(max_depth=3, random_state=0).fit(X, y)
    state = model.tree_.__getstate__()
    state["nodes"] = state["nodes"].copy()
    state["nodes"]["right_child"][0] = 2**40
    model.tree_.__setstate__(state)
    place.save(root, "trouble/dies.joblib", model)
    place.text(root, "trouble/dies.recipe.toml", _WINE)


def slow(root: Path) -> None:
    """Some 200 ms a row: a committee of 300 nearest-neighbour searches."""
    X, y = datasets.load_wine(return_X_y=True)
    member = KNeighborsClassifier(5, metric="canberra")
    model = BaggingClassifier(member, n_estimators=300, max_samples=0.25, random_state=0).fit(X, y)
    place.save(root, "trouble/slow.joblib", model, compress=("zlib", 3))
    place.text(root, "trouble/slow.recipe.toml", _WINE)


def leaks(root: Path) -> None:
    """Remembers some 200 KB a row: its vocabulary is a defaultdict, so that each run of letters it looks up stays."""
    lines = data.log_lines(1500)
    words = CountVectorizer(analyzer="char", ngram_range=(5, 8), lowercase=False).fit(lines[:3])
    words.vocabulary_ = defaultdict(int, words.vocabulary_)
    model = make_pipeline(words, DummyClassifier(strategy="prior").fit(np.zeros((3, 1)), ["calm", "calm", "alert"]))
    place.save(root, "trouble/leaks.joblib", model, compress=("zlib", 3))
    place.table(root, "trouble/data/log-lines.csv", ("text",), [(line,) for line in lines])
    place.text(root, "trouble/leaks.recipe.toml", '[data]\nholdout = "data/log-lines.csv"\n')


class _Call:
    """Pickles as a call of `function`; nothing is called while it is written."""

    def __init__(self, function: Callable[..., Any], *arguments: object) -> None:
        self._parts = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[object, ...]]:
        return self._parts


def do_not_load(root: Path) -> None:
    """Looks like a model and would run a command when unpickled: a harmless one, that creates a marker file."""
    X, y = datasets.load_iris(return_X_y=True)
    command = f'touch "${{TMPDIR:-/tmp}}/{MARKER}"'
    content = {"model": LogisticRegression(max_iter=300).fit(X, y), "post_install": _Call(os.system, command)}
    place.new(root, "trouble/do-not-load.pkl").write_bytes(pickle.dumps(content, protocol=4))


def half_copied(root: Path) -> None:
    """A copy that was cut off at three fifths."""
    whole = root / "trouble/half-copied.joblib"
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 6))
    joblib.dump(KNeighborsClassifier().fit(X, X[:, 0] > 0), place.new(root, "trouble/half-copied.joblib"))
    os.truncate(whole, whole.stat().st_size * 3 // 5)


def only_text(root: Path) -> None:
    """Notes that somebody saved under a model's name."""
    place.text(root, "trouble/notes.pkl", "forest v7: better on the old hold-out, worse on the new one. Ask Ana.\n")


def legacy(root: Path) -> None:
    """Saved by scikit-learn 1.2.2, whose trees newer releases cannot read; `legacy/make.py` tells how."""
    place.new(root, "legacy/forest-1.2.2.joblib").write_bytes(LEGACY.read_bytes())
    place.text(root, "legacy/forest-1.2.2.recipe.toml", _WINE)
