"""Layouts of model servers: what they say of a model, and the model in them, inspected and run as what that is."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import partial

from backends.core.containers import is_zip
from backends.core.format import Format
from backends.core.inner_footprint import of_inner

MANIFEST = "MAR-INF/MANIFEST.json"
MODEL_YAML = "model.yaml"
CONFIG = "config.pbtxt"
_VERSION = re.compile(r"[0-9]{1,18}")
_SAVED = re.compile(r"saved_model\.[a-z0-9]+")
_NOT_RUN = "the model in it is code of its own, or in a format that is not run here: its overview names it"


def is_version(name: str) -> bool:
    """Whether a directory of this name holds a version: a number, as TensorFlow Serving and Triton name them."""
    return _VERSION.fullmatch(name) is not None


def mar_members(names: Collection[str]) -> tuple[str, ...]:
    """All files of an archive with TorchServe's manifest."""
    return tuple(names) if MANIFEST in names else ()


def bento_members(names: Collection[str]) -> tuple[str, ...]:
    """The files of a model in BentoML's store."""
    there = any(_SAVED.fullmatch(name) for name in names)
    files = (name for name in names if "/" not in name and "." in name and not name.startswith("."))
    return tuple(sorted(files)) if MODEL_YAML in names and there else ()


def triton_members(names: Collection[str]) -> tuple[str, ...]:
    """The configuration of a model in Triton's repository, and the files of its versions."""
    files = _in_versions(names)
    return tuple(sorted((CONFIG, *files))) if CONFIG in names and files else ()


def triton_folders(names: Collection[str]) -> tuple[str, ...]:
    """The versions beside a configuration, and what may be a directory in one."""
    return _versions(names) if CONFIG in names else ()


def tf_members(names: Collection[str]) -> tuple[str, ...]:
    """The files of the versions beneath a base path of TensorFlow Serving."""
    tops = {name.partition("/")[0] for name in names if not name.startswith(".")}
    models = {name.partition("/")[0] for name in names if name.endswith("/saved_model.pb") and name.count("/") == 1}
    whole = models and all(map(is_version, tops))
    return tuple(sorted(name for name in _in_versions(names) if name.partition("/")[0] in models)) if whole else ()


def tf_folders(names: Collection[str]) -> tuple[str, ...]:
    """The versions of a directory that has nothing but versions."""
    tops = {name.partition("/")[0] for name in names if not name.startswith(".")}
    return _versions(names) if tops and all(map(is_version, tops)) else ()


def _versions(names: Collection[str]) -> tuple[str, ...]:
    """Entries that are versions, or may be directories in one."""
    return tuple(
        name
        for name in names
        if is_version(name.partition("/")[0]) and ("/" not in name or "." not in name or "savedmodel" in name)
    )


def _in_versions(names: Collection[str]) -> tuple[str, ...]:
    """Files of versions; a name without an extension may be that of an empty directory, and is left out."""
    holding = {name[:at] for name in names for at, mark in enumerate(name) if mark == "/"}
    files = (name for name in names if "/" in name and name not in holding and "." in name.rpartition("/")[2])
    return tuple(name for name in files if is_version(name.partition("/")[0]))


_layout = partial(
    Format,
    suffix="",
    starts=is_zip,
    order=27,
    includes=("pickle", "joblib", "archive"),
    not_loadable=_NOT_RUN,
    footprint=of_inner,
    not_writable="a server's own tools write its layout, from the model as a file",
)

FORMATS = (
    _layout(
        name="torchserve",
        suffixes=(".zip",),
        promises=(".mar",),
        implementation="backends.formats.serving.torchserve",
        title="a TorchServe archive",
        worth=lambda head, size: is_zip(head) and b"MAR-INF/" in head,
    ),
    _layout(
        name="bentoml",
        suffixes=(".zip",),
        implementation="backends.formats.serving.bentoml",
        title="a BentoML model",
        worth=lambda head, size: is_zip(head) and MODEL_YAML.encode() in head,
        members=bento_members,
        packed=lambda names: True,
    ),
    _layout(
        name="triton",
        suffixes=(".zip",),
        implementation="backends.formats.serving.triton",
        title="a model of a Triton repository",
        worth=lambda head, size: is_zip(head) and CONFIG.encode() in head,
        members=triton_members,
        folders=triton_folders,
        packed=lambda names: True,
    ),
    _layout(
        name="tfserving",
        suffixes=(".zip",),
        implementation="backends.formats.serving.tfserving",
        title="versions of a model for TensorFlow Serving",
        worth=lambda head, size: is_zip(head) and b"/saved_model.pb" in head,
        members=tf_members,
        folders=tf_folders,
    ),
)
