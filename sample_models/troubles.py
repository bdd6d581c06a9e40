"""The models that go wrong, each in a way of its own, made of nothing but scikit-learn and the standard library."""

from __future__ import annotations

import copy
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from sklearn import datasets
from sklearn.ensemble import BaggingClassifier
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, PolynomialFeatures, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from sample_models import place

MARKER = "model-console-demo-payload-ran"
"""The file that the payload of `do-not-load.pkl` would create in the temporary directory, and nothing else."""

LEGACY = Path(__file__).with_name("legacy") / "forest-1.2.2.joblib"

_WINE = '[data]\nholdout = "../wine/data/wine-holdout.csv"\ntarget = "cultivar"\n'
_CANCER = '[data]\nholdout = "../cancer/data/cancer-holdout.csv"\ntarget = "benign"\n'


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
    """Its worker dies: the tree's root points a billion nodes past the end, so that predict reads foreign memory."""
    X, y = datasets.load_wine(return_X_y=True)
    model = DecisionTreeClassifier(max_depth=3, random_state=0).fit(X, y)
    state = model.tree_.__getstate__()
    state["nodes"] = state["nodes"].copy()
    state["nodes"]["left_child"][0] = state["nodes"]["right_child"][0] = 2**40
    model.tree_.__setstate__(state)
    place.save(root, "trouble/dies.joblib", model)
    place.text(root, "trouble/dies.recipe.toml", _WINE)


def slow(root: Path) -> None:
    """About 300 ms a row: a committee of 400 nearest-neighbour searches."""
    X, y = datasets.load_wine(return_X_y=True)
    member = KNeighborsClassifier(5, metric="canberra")
    model = BaggingClassifier(member, n_estimators=400, max_samples=0.25, random_state=0).fit(X, y)
    place.save(root, "trouble/slow.joblib", model, compress=("zlib", 3))
    place.text(root, "trouble/slow.recipe.toml", _WINE)


def leaks(root: Path) -> None:
    """Keeps every input it ever saw, some 90 KB a row: its copying step was given one memo for good."""
    X, y = datasets.load_breast_cancer(return_X_y=True)
    keep = FunctionTransformer(copy.deepcopy, kw_args={"memo": {}})
    model = make_pipeline(
        StandardScaler(), PolynomialFeatures(3), keep, SGDClassifier(max_iter=5, tol=None, random_state=0)
    )
    model.fit(X, y)
    keep.kw_args["memo"].clear()
    place.save(root, "trouble/leaks.joblib", model)
    place.text(root, "trouble/leaks.recipe.toml", _CANCER)


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
