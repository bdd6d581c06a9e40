"""PyTorch's own files: state dicts, checkpoints and modules are shown and judged, programs are run by PyTorch."""

from __future__ import annotations

from typing import Optional

from backends.core.containers import ZIP_MAGIC
from backends.core.footprint import MB, linear
from backends.core.format import Format
from backends.formats.torch.names import is_legacy

_TELLING = (b"data.pkl", b".data/extern_modules")


def _starts(head: bytes) -> bool:
    return head.startswith(ZIP_MAGIC) or is_legacy(head)


def _is_worth(head: bytes, size: Optional[int]) -> bool:
    return is_legacy(head) or (head.startswith(ZIP_MAGIC) and any(name in head for name in _TELLING))


def _holds_graph(head: bytes, size: Optional[int]) -> bool:
    return head.startswith(ZIP_MAGIC) and (b"archive_format" in head or b"/data/weights/" in head)


NOT_RUN = (
    "it holds tensors, or objects of somebody's own classes, and not the program that computes with them: save it with"
    " torch.jit or torch.export, or export it to ONNX"
)
"""Why nothing but a program is run, and what to do."""

FORMATS = (
    Format(
        name="torch",
        suffix=".pt",
        implementation="backends.formats.torch.files",
        title="a PyTorch file",
        suffixes=(".pt", ".pth", ".jit", ".bin", ".ckpt", ".tar", ".model", ".zip", ".pkl", ".pickle"),
        promises=(".pt", ".pth", ".jit", ".ptl", ".ckpt", ".mar", ".nemo"),
        starts=_starts,
        worth=_is_worth,
        order=30,
        includes=("pickle",),
        compressed=True,
        compiles=True,
        not_loadable=NOT_RUN,
        not_writable="a PyTorch file is written by PyTorch",
        portability="PyTorch: Python; TorchScript also C++",
        extra="torch",
        footprint=linear(225 * MB, 225 * MB, arrays=1.0, rest=1.0, between=0.3),
    ),
    Format(
        name="torch-export",
        suffix=".pt2",
        implementation="backends.formats.torch.exported",
        title="an exported PyTorch program",
        suffixes=(".pt2", ".zip"),
        promises=(".pt2",),
        starts=lambda head: head.startswith(ZIP_MAGIC),
        worth=_holds_graph,
        order=29,
        includes=("torch", "pickle"),
        compiles=True,
        not_writable="an exported program is written by torch.export.save",
        portability="PyTorch: Python",
        extra="torch",
        footprint=linear(302 * MB, 302 * MB, arrays=1.0, rest=1.0, between=0.3),
    ),
)
