"""Transformers directories made by hand: the files by name, of a model so small that its numbers are zeros."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.safetensors_files import packed

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad")
CONFIG: dict[str, Any] = {
    "architectures": ["BertModel"], "model_type": "bert", "hidden_size": 4, "num_hidden_layers": 1,
    "num_attention_heads": 2, "intermediate_size": 8, "max_position_embeddings": 40, "vocab_size": len(WORDS),
    "pad_token_id": 0, "torch_dtype": "float32", "transformers_version": "4.50.0",
}  # fmt: skip
CLASSIFIER = {
    **CONFIG,
    "architectures": ["BertForSequenceClassification"],
    "id2label": {"1": "positive", "0": "negative"},
}
POOLING = "1_Pooling/config.json"
SENTENCE: dict[str, bytes] = {
    "modules.json": json.dumps(
        [
            {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
            {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
            {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
        ]
    ).encode(),
    POOLING: b'{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false}',
    "sentence_bert_config.json": b'{"max_seq_length": 12, "do_lower_case": false}',
}


def tokenizer() -> bytes:
    """A tokenizer of a few words."""
    model = {"type": "WordPiece", "vocab": {word: number for number, word in enumerate(WORDS)}}
    return json.dumps({"version": "1.0", "added_tokens": [], "model": model}).encode()


def files(config: dict[str, Any] | None = None, **more: bytes) -> dict[str, bytes]:
    """The files of a directory; `more` are named with `__` for the dot."""
    made = {
        "config.json": json.dumps(CONFIG if config is None else config).encode(),
        "model.safetensors": packed({"embeddings.word_embeddings.weight": ("F32", [7, 4]), "bias": ("BF16", [4])}),
        "tokenizer.json": tokenizer(),
        "tokenizer_config.json": b'{"tokenizer_class": "BertTokenizer", "model_max_length": 1' + b"0" * 30 + b"}",
    }
    made.update({name.replace("__", "."): data for name, data in more.items()})
    return made


def write(directory: Path, made: dict[str, bytes]) -> Path:
    """A directory with these files."""
    for name, data in made.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return directory


def sharded(weight_map: dict[str, Any], **shards: dict[str, Any]) -> dict[str, bytes]:
    """A directory with an index of this map, and with these shards, named by their numbers: `of_2=…`."""
    made = files()
    del made["model.safetensors"]
    made["model.safetensors.index.json"] = json.dumps({"metadata": {}, "weight_map": weight_map}).encode()
    for number, tensors in shards.items():
        made[shard(int(number[1:]))] = packed(tensors)
    return made


def shard(number: int) -> str:
    """The name of one of two shards."""
    return f"model-{number:05d}-of-00002.safetensors"
