"""Models of every format that runs here, small and large, written as their own libraries write them.

`python -m tests.benchmarks.memory_models DIRECTORY [torch=PYTHON] [keras=PYTHON]` writes them, in a process of its own:
one that has their libraries imported shares the pages of these with the workers that are measured.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import joblib
import numpy as np

from backends.core import registry
from tests import mlflow_files, serving_files, tflite_files

INTERPRETERS: dict[str, str] = {}
"""Interpreters that have PyTorch, or Keras with PyTorch, by "torch" and "keras"."""


@dataclass(frozen=True)
class Made:
    """A model: the name of its file or directory, what writes that, and the interpreter that it takes where it is
    another one ("torch", "keras")."""

    name: str
    write: Callable[[Path], object]
    interpreter: str = ""


@cache
def rows(count: int = 600, wide: int = 20) -> tuple[Any, Any]:
    """Rows of numbers and their labels."""
    random = np.random.default_rng(0)
    X = random.normal(size=(count, wide))
    return X, (X[:, 0] + X[:, 1] + random.normal(size=count) > 0).astype(int)


def pickled(make: Callable[[], Any]) -> Callable[[Path], object]:
    """Writes what `make` gives with pickle."""
    return lambda path: path.write_bytes(pickle.dumps(make(), 5))


def dumped(make: Callable[[], Any], compress: Any = 0) -> Callable[[Path], object]:
    """The same with joblib."""
    return lambda path: joblib.dump(make(), path, compress=compress)


def written(make: Callable[[], Any], name: str, **options: Any) -> Callable[[Path], object]:
    """The same in a format that this console writes."""

    def write(path: Path) -> None:
        with path.open("w+b") as file:
            registry.save(make(), name, file.fileno(), **options)

    return write


@cache
def linear() -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression().fit(*rows())


@cache
def forest(trees: int, count: int = 600) -> Any:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(trees, random_state=0).fit(*rows(count))


@cache
def extra(trees: int) -> Any:
    from sklearn.ensemble import ExtraTreesRegressor

    X, _ = rows(3000)
    return ExtraTreesRegressor(trees, random_state=0).fit(X, X[:, 0] * X[:, 1])


@cache
def neighbours(count: int, algorithm: str = "brute") -> Any:
    from sklearn.neighbors import KNeighborsClassifier

    return KNeighborsClassifier(algorithm=algorithm).fit(*rows(count, 50))


@cache
def network(wide: int) -> Any:
    from sklearn.neural_network import MLPClassifier

    X, y = rows(300, 100)
    return MLPClassifier((wide, wide), max_iter=1, random_state=0).fit(X, y)


@cache
def texts(words: int) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import SGDClassifier
    from sklearn.pipeline import make_pipeline

    documents = [" ".join(f"word{number}x" for number in range(at, at + 200)) for at in range(0, words, 200)]
    labels = np.arange(len(documents)) % 2
    return make_pipeline(TfidfVectorizer(), SGDClassifier(loss="log_loss", max_iter=5)).fit(documents, labels)


@cache
def histograms(rounds: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(max_iter=rounds, early_stopping=False).fit(*rows(4000))


@cache
def boosted(trees: int) -> Any:
    from sklearn.ensemble import GradientBoostingClassifier

    return GradientBoostingClassifier(n_estimators=trees).fit(*rows())


@cache
def vectors(count: int) -> Any:
    from sklearn.svm import SVC

    X, _ = rows(count, 100)
    return SVC().fit(X, np.random.default_rng(1).integers(0, 2, count))


@cache
def process(count: int) -> Any:
    from sklearn.gaussian_process import GaussianProcessRegressor

    X, _ = rows(count, 5)
    return GaussianProcessRegressor(optimizer=None).fit(X, X[:, 0])


@cache
def columns() -> Any:
    import pandas as pd
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    frame = pd.DataFrame({"a": np.arange(200.0), "b": ["red", "green"] * 100})
    parts = make_column_transformer((StandardScaler(), ["a"]), (OneHotEncoder(), ["b"]))
    return make_pipeline(parts, LogisticRegression()).fit(frame, np.arange(200) % 3 == 0)


@cache
def lightgbm(trees: int, leaves: int = 31) -> Any:
    from lightgbm import LGBMClassifier

    return LGBMClassifier(n_estimators=trees, num_leaves=leaves, verbose=-1, n_jobs=1).fit(*rows(5000))


@cache
def xgboost(trees: int, depth: int = 6) -> Any:
    from xgboost import XGBClassifier

    return XGBClassifier(n_estimators=trees, max_depth=depth, n_jobs=1).fit(*rows(5000))


@cache
def catboost(trees: int, depth: int) -> Any:
    from catboost import CatBoostClassifier

    model = CatBoostClassifier(iterations=trees, depth=depth, verbose=False, thread_count=1, allow_writing_files=False)
    return model.fit(*rows(1000))


def least_squares() -> Any:
    import statsmodels.api as sm

    X, y = rows(5000)
    return sm.OLS(y, X).fit()


def exported(make: Callable[[], Any]) -> Callable[[Path], object]:
    """Writes its ONNX export."""

    def write(path: Path) -> None:
        from skl2onnx import to_onnx  # type: ignore[import-untyped]

        model = make()
        path.write_bytes(to_onnx(model, rows()[0][:1, : model.n_features_in_].astype("f4")).SerializeToString())

    return write


def dense_onnx(wide: int) -> Callable[[Path], object]:
    """Two products with square matrices."""

    def write(path: Path) -> None:
        from onnx import TensorProto, helper, numpy_helper

        random = np.random.default_rng(0)
        arrays = [numpy_helper.from_array(random.normal(size=(wide, wide)).astype("f4"), name) for name in "ab"]
        nodes = [helper.make_node("MatMul", ["x", "a"], ["h"]), helper.make_node("MatMul", ["h", "b"], ["y"])]
        inputs, outputs = (
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, wide])] for name in ("x", "y")
        )
        graph = helper.make_graph(nodes, "dense", inputs, outputs, arrays)
        opsets = [helper.make_opsetid("", 17)]
        path.write_bytes(helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString())

    return write


def dense_tflite(wide: int) -> Callable[[Path], object]:
    """One product with a square matrix."""

    def write(path: Path) -> None:
        of = tflite_files
        kernel = np.random.default_rng(0).normal(size=(wide, wide)).astype("f4")
        tensors = [of.tensor("x", (1, wide)), of.tensor("k", kernel.shape, 1), of.tensor("b", (wide,), 2),
                   of.tensor("y", (1, wide))]  # fmt: skip
        call = of.operator(0, (0, 1, 2), (3,), (8, of.T({0: ("b", 0)})))
        graph = of.subgraph(tensors, (0,), (3,), [call])
        held = [b"", kernel.tobytes(), np.zeros(wide, "f4").tobytes()]
        path.write_bytes(of.packed(of.model([of.code(of.FULLY_CONNECTED)], [graph], held)))

    return write


def directory(make: Callable[[], dict[str, bytes]]) -> Callable[[Path], object]:
    """Writes the files of a directory."""
    return lambda path: mlflow_files.write(path, make())


def triton(path: Path) -> None:
    """An ONNX model in Triton's layout."""
    place = path / "1"
    place.mkdir(parents=True)
    dense_onnx(1000)(place / "model.onnx")
    (path / "config.pbtxt").write_text('name: "dense"\nplatform: "onnxruntime_onnx"\n')


_TORCH = """
import sys, torch
from torch import nn
wide, how, path = int(sys.argv[1]), sys.argv[2], sys.argv[3]
model = nn.Sequential(nn.Linear(100, wide), nn.ReLU(), nn.Linear(wide, wide), nn.ReLU(), nn.Linear(wide, 3)).eval()
given = torch.randn(2, 100)
if how == "exported":
    torch.export.save(torch.export.export(model, (given,)), path)
else:
    torch.jit.save(torch.jit.trace(model, given), path)
"""
_KERAS = """
import sys, keras
wide, path = int(sys.argv[1]), sys.argv[2]
layers = keras.layers
keras.Sequential([keras.Input((100,)), layers.Dense(wide), layers.Dense(wide), layers.Dense(3)]).save(path)
"""


def by(interpreter: str, program: str, *words: object) -> Callable[[Path], object]:
    """Has another interpreter write it."""

    def write(path: Path) -> None:
        command = [INTERPRETERS[interpreter], "-c", program, *map(str, words), str(path)]
        subprocess.run(command, check=True, capture_output=True, env={**os.environ, "KERAS_BACKEND": "torch"})

    return write


def torch(wide: int, how: str) -> Callable[[Path], object]:
    """A network of three layers, traced or exported."""
    return by("torch", _TORCH, wide, how)


def keras(wide: int) -> Callable[[Path], object]:
    """A network of three layers by Keras."""
    return by("keras", _KERAS, wide)


def _bst(trees: int) -> Callable[[Path], object]:
    return lambda path: xgboost(trees).get_booster().save_model(path)


MODELS = (
    Made("linear.pkl", pickled(linear)),
    Made("forest20.pkl", pickled(lambda: forest(20))),
    Made("forest500.pkl", pickled(lambda: forest(500, 3000))),
    Made("neighbours.pkl", pickled(lambda: neighbours(100_000))),
    Made("tree-neighbours.pkl", pickled(lambda: neighbours(50_000, "kd_tree"))),
    Made("network.pkl", pickled(lambda: network(2000))),
    Made("texts.pkl", pickled(lambda: texts(200_000))),
    Made("few-texts.pkl", pickled(lambda: texts(5000))),
    Made("histograms.pkl", pickled(lambda: histograms(400))),
    Made("boosted.pkl", pickled(lambda: boosted(300))),
    Made("vectors.pkl", pickled(lambda: vectors(5000))),
    Made("squares.pkl", pickled(least_squares)),
    Made("lightgbm.pkl", pickled(lambda: lightgbm(300))),
    Made("linear.joblib", dumped(linear)),
    Made("forest100.joblib", dumped(lambda: forest(100))),
    Made("forest300.z.joblib", dumped(lambda: forest(300, 3000), 3)),
    Made("neighbours.joblib", dumped(lambda: neighbours(200_000))),
    Made("neighbours.z.joblib", dumped(lambda: neighbours(100_000), 3)),
    Made("extra.bz2.joblib", dumped(lambda: extra(30), ("bz2", 3))),
    Made("process.joblib", dumped(lambda: process(3000))),
    Made("columns.joblib", dumped(columns)),
    Made("xgboost.joblib", dumped(lambda: xgboost(300))),
    Made("linear.h5", written(linear, "hdf5")),
    Made("forest200.h5", written(lambda: forest(200), "hdf5")),
    Made("neighbours.h5", written(lambda: neighbours(100_000), "hdf5")),
    Made("neighbours.gzip.h5", written(lambda: neighbours(50_000), "hdf5", compression="gzip")),
    Made("linear.skops", written(linear, "skops")),
    Made("forest100.skops", written(lambda: forest(100, 3000), "skops")),
    Made("network.skops", written(lambda: network(1500), "skops")),
    Made("few.lgb", lambda path: lightgbm(20).booster_.save_model(path)),
    Made("many.lgb", lambda path: lightgbm(1500, 63).booster_.save_model(path)),
    Made("few.ubj", _bst(20)),
    Made("many.ubj", _bst(1500)),
    Made("many.json", _bst(1000)),
    Made("few.cbm", lambda path: catboost(20, 6).save_model(path)),
    Made("many.cbm", lambda path: catboost(1500, 9).save_model(path)),
    Made("linear.onnx", exported(linear)),
    Made("forest200.onnx", exported(lambda: forest(200, 3000))),
    Made("dense.onnx", dense_onnx(3000)),
    Made("tiny.tflite", dense_tflite(10)),
    Made("wide.tflite", dense_tflite(4000)),
    Made("mlflow", directory(lambda: mlflow_files.files(forest(100), mlflow_files.mlmodel(signature="")))),
    Made("bento", directory(lambda: serving_files.bento(forest(200, 3000)))),
    Made("triton", triton),
    Made("torch-small.pt", torch(10, "traced"), "torch"),
    Made("exported-small.pt2", torch(10, "exported"), "torch"),
    Made("torch-large.pt", torch(4000, "traced"), "torch"),
    Made("exported-large.pt2", torch(3000, "exported"), "torch"),
    Made("keras-small.keras", keras(10), "keras"),
    Made("keras-large.keras", keras(3000), "keras"),
    Made("keras-legacy.h5", keras(2500), "keras"),
)


def main() -> None:
    """Write all that are not there yet, and a recipe beside those that take another interpreter."""
    directory, *named = sys.argv[1:]
    INTERPRETERS.update((name, python) for name, _, python in (one.partition("=") for one in named))
    for made in MODELS:
        path = Path(directory) / made.name
        if path.exists() or (made.interpreter and made.interpreter not in INTERPRETERS):
            continue
        made.write(path)
        if made.interpreter:
            recipe = f'[environment]\npython = "{INTERPRETERS[made.interpreter]}"\n'
            path.with_suffix(".recipe.toml").write_text(recipe)


if __name__ == "__main__":
    main()
