"""MLflow: a directory with the file MLmodel, which says what the model beside it is; run as what the model is."""

from __future__ import annotations

from collections.abc import Collection

from backends.core.containers import is_zip
from backends.core.format import Format
from backends.core.inner_footprint import of_inner

MLMODEL = "MLmodel"
_NO_FOLDERS = (".yaml", ".yml", ".json", ".txt", ".pkl", ".skops", ".py", ".md", ".npy", ".npz", ".safetensors")
_REFUSED = frozenset(("model.skops", "input_example.json", "serving_input_example.json"))
_ENVIRONMENT = frozenset(("conda.yaml", "python_env.yaml"))


def folders(names: Collection[str]) -> tuple[str, ...]:
    """The entries beside MLmodel that may be directories."""
    if MLMODEL not in names:
        return ()
    return tuple(name for name in names if not name.endswith(_NO_FOLDERS) and not _is_mlmodel(name))


def members(names: Collection[str]) -> tuple[str, ...]:
    """All files beneath a directory with MLmodel; what a save left that MLflow refused before it wrote that."""
    if MLMODEL in names:
        holding = {name[:at] for name in names for at, mark in enumerate(name) if mark == "/"}
        files = (name for name in names if name not in holding and not name.rpartition("/")[2].startswith("."))
        return tuple(sorted(name for name in files if _is_mlmodel(name) or "." in name.rpartition("/")[2]))
    top = {name for name in names if "/" not in name and not name.startswith(".")}
    unfinished = "model.skops" in top and (top <= _REFUSED or top >= _ENVIRONMENT)
    return tuple(sorted(top if top <= _REFUSED else {"model.skops"})) if unfinished else ()


def _is_mlmodel(name: str) -> bool:
    return name in (MLMODEL, "registered_model_meta")


FORMATS = (
    Format(
        name="mlflow",
        suffix="",
        implementation="backends.formats.mlflow.models",
        title="an MLflow model",
        suffixes=(".zip",),
        starts=is_zip,
        worth=lambda head, size: is_zip(head) and MLMODEL.encode() in head,
        order=26,
        includes=("pickle", "joblib", "archive"),
        members=members,
        folders=folders,
        packed=lambda names: MLMODEL in names,
        footprint=of_inner,
        not_loadable="the model in it is code of its own, in a format that is not run here, or was never saved whole:"
        " its overview says which",
        not_writable="an MLflow model is written by mlflow itself, from the model in its own library",
    ),
)
