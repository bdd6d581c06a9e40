"""The formats that come with the console, a folder each; nothing about one stands anywhere else."""

from __future__ import annotations

BUILT_IN = (
    "archive",
    "coreml",
    "hdf5",
    "keras",
    "mlflow",
    "npy",
    "onnx",
    "pickle",
    "pmml",
    "safetensors",
    "serving",
    "skops",
    "torch",
)
"""The folders, each a package that names its descriptors `FORMATS`."""
