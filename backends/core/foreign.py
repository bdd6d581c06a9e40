"""Model formats that are recognised and not read here, so that a file in one is told apart from a file that is broken.

Each is told by its first bytes, as the program that writes it puts them there, or by what its name promises.
"""

from __future__ import annotations

import os
import re
from typing import Optional

_STARTS: tuple[tuple[re.Pattern[bytes], str], ...] = tuple(
    (re.compile(start, re.DOTALL), name)
    for start, name in (
        (rb"\x12\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0", "MXNet"),
        (rb"\xba\x16\x4f\x2f[\x01-\x20]\0\0\0", "fastText"),
        (rb"(?:lmgg|fmgg|tjgg|algg)", "GGML (before GGUF)"),
        (rb"....ORTM", "ONNX Runtime's own (ORT)"),
        (rb"....ET\d\d", "ExecuTorch"),
        (rb"7767517\r?\n\d+ \d+\r?\n", "ncnn"),
        (rb"(?:<\?xml[^>]{0,100}\?>\s*)?<net name=\"[^\"]{0,200}\" version=\"\d+\"", "OpenVINO"),
        (rb"(?:<\?xml[^>]{0,100}\?>\s*)?<opencv_storage>", "OpenCV"),
        (rb"%YAML:1\.0\s+---\s+(?:\w+:\s+)?!*opencv", "OpenCV"),
        (rb"(?:ptrt|ftrt)", "TensorRT"),
        (rb"RKNN\0", "RKNN"),
        (rb"lCRF", "CRFsuite"),
        (rb"#(?:Lookup)?Parameter# /", "DyNet"),
        (rb"\x01\x01(?:\x01.loss_metric_|[\x01-\x08]?\x81.\x81[\x01-\x08])", "dlib"),
        (rb"I(?:x(?:FI|F2|Fl|PT|PQ|SQ|Mp|M2|HE)|w(?:Fl|PQ|SQ|Sq|QR)|HN[a-z]|BxF|BwF)[\0-\xff]{4}\0\0", "Faiss"),
        (rb"\n.\n\x05<unk>\x15", "SentencePiece"),
        (rb"svm_type (?:c_svc|nu_svc|one_class|epsilon_svr|nu_svr)\s+kernel_type ", "LIBSVM"),
        (rb"solver_type [A-Z0-9_]+\s+nr_class ", "LIBLINEAR"),
        (rb"\0B<(?:TransitionModel|Nnet3|Nnet|DIAGGMM)> ", "Kaldi"),
        (rb"\xac\xed\0\x05", "Java's serialisation (Weka, Stanford NLP and others)"),
        (rb"\s*\{\s*\"(?:format\"\s*:\s*\"(?:layers|graph)-model\"|modelTopology\"\s*:)", "TensorFlow.js"),
    )
)
"""First bytes and the format. Sources: fasttext.cc; `GGML_FILE_MAGIC` of ggml and what came after it; the schemas of
ONNX Runtime and ExecuTorch; param.cpp of ncnn; index_write.cpp of Faiss; crf1d_model.c of CRFsuite."""
_NAMES = {
    ".ggml": "GGML",
    ".pdparams": "PaddlePaddle",
    ".pdmodel": "PaddlePaddle",
    ".pdiparams": "PaddlePaddle",
    ".caffemodel": "Caffe",
    ".t7": "Lua Torch",
    ".pte": "ExecuTorch",
    ".ort": "ONNX Runtime's own (ORT)",
    ".ftz": "fastText",
    ".mnn": "MNN",
    ".rknn": "RKNN",
    ".hef": "Hailo",
    ".dlc": "Qualcomm's DLC",
    ".crfsuite": "CRFsuite",
    ".traineddata": "Tesseract",
    ".nnet3": "Kaldi",
}
FOREIGN_SUFFIXES = frozenset((".tflite", ".pb", ".gguf", ".txt", ".json", ".csv"))
"""Extensions that promise something else than a format that is read here."""
PROMISING_SUFFIXES = frozenset(_NAMES)
"""Extensions that make a file worth a row, so that the operator sees what is to be done about it."""


def foreign_format(head: bytes) -> Optional[str]:
    """The model format that starts with these bytes and is not read here, None for any other."""
    return next((name for start, name in _STARTS if start.match(head)), None)


def promised_format(name: str) -> Optional[str]:
    """The model format not read here that a file's name promises."""
    return _NAMES.get(os.path.splitext(name.lower())[1])
