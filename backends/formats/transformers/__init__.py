"""Directories of Hugging Face's transformers: configuration, weights and tokenizer as one artifact.

Cheap to import, since a scan asks it about names of entries; `directory` does the reading.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from backends.core.containers import is_zip
from backends.core.footprint import MB, Footprint
from backends.core.format import Format
from backends.core.inspection import Inspection

CONFIG, ADAPTER, PIPELINE, MODULES = "config.json", "adapter_config.json", "model_index.json", "modules.json"
_SAFETENSORS = re.compile(r"model(-\d{1,6}-of-\d{1,6})?\.safetensors(\.index\.json)?")
_PICKLES = re.compile(r"pytorch_model(-\d{1,6}-of-\d{1,6})?\.bin(\.index\.json)?")
_ADAPTER = re.compile(r"adapter_model\.(safetensors|bin)")
_PART = re.compile(r"\d{1,3}_\w{1,60}")
"""The directory of a module in a sentence-transformers model."""
_PART_FILE = re.compile(rf"{_PART.pattern}/(config\.json|model\.safetensors|pytorch_model\.bin)")
_PIPELINE_FILE = re.compile(r"\w{1,60}/[\w.-]{1,100}\.(json|safetensors|bin|txt|model|py)")
_BESIDE = frozenset(
    (
        *("tokenizer.json", "tokenizer_config.json", "vocab.txt", "vocab.json", "merges.txt", "spiece.model"),
        *("sentencepiece.bpe.model", "tokenizer.model", "special_tokens_map.json", "added_tokens.json"),
        *("chat_template.jinja", "chat_template.json", "generation_config.json", "preprocessor_config.json"),
        *("processor_config.json", "sentence_bert_config.json", "config_sentence_transformers.json"),
        *(CONFIG, MODULES, ADAPTER),
    )
)


def weights_in(names: Collection[str]) -> tuple[str, ...]:
    """The files of weights that transformers takes, in their order: safetensors before pickles of PyTorch."""
    for pattern in (_SAFETENSORS, _PICKLES):
        found = tuple(sorted(name for name in names if pattern.fullmatch(name)))
        if found:
            return found
    return ()


def members(names: Collection[str]) -> tuple[str, ...]:
    """The files that transformers, PEFT or diffusers would read; none where there is no configuration with weights."""
    if PIPELINE in names:
        files = tuple(name for name in names if _PIPELINE_FILE.fullmatch(name))
        return tuple(sorted((PIPELINE, *files))) if files else ()
    weights = weights_in(names)
    if CONFIG not in names or not weights:
        weights = tuple(name for name in names if ADAPTER in names and _ADAPTER.fullmatch(name))
    if not weights:
        return ()
    parts = (name for name in names if MODULES in names and _PART_FILE.fullmatch(name))
    code = (name for name in names if name.endswith(".py") and "/" not in name)
    return tuple(sorted({*weights, *parts, *code, *_BESIDE.intersection(names)}))


def folders(names: Collection[str]) -> tuple[str, ...]:
    """Modules of a sentence-transformers model, and parts of a pipeline of diffusers."""
    if PIPELINE in names:
        return tuple(name for name in names if re.fullmatch(r"\w{1,60}", name))
    return tuple(name for name in names if MODULES in names and _PART.fullmatch(name))


def _footprint(found: Inspection, size: int) -> Footprint:
    """PyTorch and transformers, and four bytes for each weight, however it is kept in the file."""
    return Footprint(405 * MB, 405 * MB, 4 * (found.n_weights or 0), between=0.2)


FORMATS = (
    Format(
        name="transformers",
        suffix="",
        implementation="backends.formats.transformers.directory",
        title="a transformers directory",
        suffixes=(".zip",),
        starts=is_zip,
        worth=lambda head, size: is_zip(head) and CONFIG.encode() in head,
        order=24,
        includes=("pickle", "joblib", "archive", "torch"),
        members=members,
        folders=folders,
        packed=lambda names: CONFIG in names and PIPELINE not in names,
        compiles=True,
        not_loadable="embeddings and text classification run here, of a whole directory with a tokenizer.json, in"
        " architectures of transformers' own: its overview says under 'not run' what is missing",
        not_writable="a transformers directory is written by save_pretrained of transformers",
        portability="transformers: Python",
        extra="transformers",
        footprint=_footprint,
    ),
)
