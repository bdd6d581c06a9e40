"""The formats that come with the console, a folder each; nothing about one stands anywhere else."""

from __future__ import annotations

BUILT_IN = (
    "archive",
    "catboost",
    "coreml",
    "gguf",
    "hdf5",
    "keras",
    "lightgbm",
    "mlflow",
    "npy",
    "onnx",
    "pickle",
    "pmml",
    "safetensors",
    "serving",
    "skops",
    "tensorflow",
    "tflite",
    "torch",
    "transformers",
    "xgboost",
)
"""The folders, each a package that names its descriptors `FORMATS`."""
