"""TensorFlow's own files: SavedModel directories, frozen graphs and checkpoints; inspected and not run.

Cheap to import, since a scan asks it about first bytes and names of entries.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from backends.core.format import Format

_MODEL = "saved_model.pb"
_FOLDERS = ("variables", "assets", "assets.extra")
_BESIDE = ("keras_metadata.pb", "fingerprint.pb")
_LENGTH = rb"[\x80-\xff]{0,4}[\x00-\x7f]"
_SAVED = re.compile(rb"\x08\x01\x12" + _LENGTH + rb"\x0a" + _LENGTH + rb"[\x0a\x12\x1a\x22\x2a\x32\x38\x42]", re.DOTALL)
_NODE = _LENGTH + rb"[\w./>:^-]{1,300}\x12[\x01-\x7f][A-Z_][\w>]*"
_GRAPH = re.compile(rb"\x0a" + _LENGTH + rb"\x0a" + _NODE, re.DOTALL)
_CHECKPOINT = re.compile(rb"\x00\x00[\x04-\x20]\x08[\x01-\x7f](?:\x10.)?\x1a[\x02-\x08]\x08\x01", re.DOTALL)
_NOT_RUN = (
    "TensorFlow is not run by this console: export the model to ONNX "
    "(python -m tf2onnx.convert --saved-model DIRECTORY --output model.onnx) or to TensorFlow Lite, and run that"
)
_NOT_WRITTEN = "it is written by TensorFlow"


def _members(names: Collection[str]) -> tuple[str, ...]:
    """The model, its variables and assets, and what Keras writes beside them."""
    if _MODEL not in names:
        return ()
    inside = tuple(f"{folder}/" for folder in _FOLDERS)
    return tuple(sorted(name for name in names if name in (_MODEL, *_BESIDE) or name.startswith(inside)))


def _folders(names: Collection[str]) -> tuple[str, ...]:
    return tuple(name for name in _FOLDERS if name in names) if _MODEL in names else ()


FORMATS = (
    Format(
        name="saved-model",
        suffix=".pb",
        implementation="backends.formats.tensorflow.saved_model",
        title="a TensorFlow SavedModel",
        promises=(".pb",),
        starts=lambda head: _SAVED.match(head) is not None,
        order=26,
        members=_members,
        folders=_folders,
        not_loadable=_NOT_RUN,
        not_writable=_NOT_WRITTEN,
    ),
    Format(
        name="tf-graph",
        suffix=".pb",
        implementation="backends.formats.tensorflow.frozen",
        title="a frozen graph of TensorFlow",
        starts=lambda head: _GRAPH.match(head) is not None,
        order=27,
        not_loadable=_NOT_RUN.replace("--saved-model DIRECTORY", "--graphdef FILE --inputs NAMES --outputs NAMES"),
        not_writable=_NOT_WRITTEN,
    ),
    Format(
        name="tf-checkpoint",
        suffix=".index",
        implementation="backends.formats.tensorflow.checkpoint",
        title="a checkpoint of TensorFlow",
        starts=lambda head: _CHECKPOINT.match(head) is not None,
        order=29,
        not_loadable="a checkpoint holds variables and not the program that computes with them: save the model with "
        "TensorFlow or Keras as a whole",
        not_writable=_NOT_WRITTEN,
    ),
)
