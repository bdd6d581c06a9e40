"""PyTorch's own files; shown and judged, never run by this console."""

from __future__ import annotations

from typing import Optional

from backends.core.containers import ZIP_MAGIC
from backends.core.format import Format
from backends.formats.torch.names import is_legacy


def _starts(head: bytes) -> bool:
    return head.startswith(ZIP_MAGIC) or is_legacy(head)


def _is_worth(head: bytes, size: Optional[int]) -> bool:
    return is_legacy(head) or (head.startswith(ZIP_MAGIC) and b"data.pkl" in head)


FORMATS = (
    Format(
        name="torch",
        suffix=".pt",
        implementation="backends.formats.torch.files",
        title="a PyTorch file",
        suffixes=(".pt", ".pth", ".bin", ".ckpt", ".tar", ".model", ".zip", ".pkl", ".pickle"),
        promises=(".pt", ".pth", ".ptl", ".ckpt", ".mar", ".nemo"),
        starts=_starts,
        worth=_is_worth,
        order=30,
        includes=("pickle",),
        compressed=True,
        not_loadable="this console does not run PyTorch models: export the weights, or the model to ONNX",
    ),
)
