"""Facts of a transformers directory: the model by its configuration, its weights, and whether it runs here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Optional

from backends.core.counted import counted
from backends.core.findings import finding
from backends.core.inspection import ONE_TEXT, Finding, Json, Signature
from backends.core.source import Source
from backends.formats.transformers import CONFIG
from backends.formats.transformers.architectures import (
    CLASSIFICATION,
    EMBEDDING,
    Running,
    family_of,
    positions,
    running_of,
)
from backends.formats.transformers.sentence import Sentence, sentence_of
from backends.formats.transformers.settings import class_name, inner, keys_beneath, labels_of, settings_in, whole, word
from backends.formats.transformers.tokenizing import Tokenizing
from backends.formats.transformers.weights import Weights, read_weights

_CODE = frozenset(("auto_map", "custom_pipelines"))
"""Settings that name classes in Python files of the directory, or of another repository."""
_TOLD = 20
_REGRESSION, _SEVERAL = "regression", "multi_label_classification"


@dataclass
class Described:
    """All that is known of a directory with a configuration and weights."""

    config: dict[str, Any]
    architecture: str
    model_type: str
    weights: Weights
    tokenizing: Tokenizing
    sentence: Sentence
    code: tuple[Finding, ...]
    generation: dict[str, Any]
    running: Optional[Running]

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of a classifier, by number; none of any other model."""
        return labels_of(self.config) if "Classification" in self.architecture else ()

    @property
    def problem(self) -> str:
        """The kind of its answers: REGRESSION, of several labels each, or one label, which is the empty word."""
        said = word(self.config, "problem_type")
        return said if said in (_REGRESSION, _SEVERAL) else _REGRESSION if len(self.labels) == 1 else ""

    @property
    def longest(self) -> int:
        """How many tokens of a text are looked at."""
        room = positions(
            self.model_type, whole(self.config, "max_position_embeddings"), whole(self.config, "pad_token_id")
        )
        asked = self.sentence.longest if self.sentence.there else None
        found = [one for one in (room, asked or self.tokenizing.longest) if one]
        return min(found, default=512)

    @property
    def why_not(self) -> str:
        """Why it is not run; empty where it is."""
        if self.code:
            return "it comes with Python code of its own"
        if self.running is None:
            return (
                f"{self.architecture or self.model_type or 'a model without an architecture'} is not on the list here"
            )
        if inner(self.config, "quantization_config"):
            return "its weights are quantised"
        sentence = self.sentence.why_not if self.running.task == EMBEDDING else ""
        return self.weights.why_not or self.tokenizing.why_not or sentence

    @property
    def signature(self) -> Signature:
        """Inputs and outputs, where it is run."""
        if self.running is None or self.why_not:
            return Signature()
        if self.running.task == CLASSIFICATION:
            classes = None if self.problem else self.labels
            return Signature(outputs=len(self.labels) if self.problem else 1, classes=classes, texts=(ONE_TEXT,))
        width = whole(self.config, "hidden_size", "dim", "d_model")
        return Signature(outputs=width and width * max(len(self.sentence.pooling), 1), texts=(ONE_TEXT,))

    @property
    def summary(self) -> str:
        """The model in a few words: `Bert · 22.7M`."""
        labels = f" · {len(self.labels)} {'label' if len(self.labels) == 1 else 'labels'}" if self.labels else ""
        return f"{family_of(self.architecture) or self.model_type or 'model'} · {counted(self.weights.count)}{labels}"

    def details(self) -> dict[str, Json]:
        """The details that are told of it, in the order in which they are shown."""
        config = {**inner(self.config, "text_config"), **self.config}
        poolings = ", ".join(self.sentence.pooling)
        heads, shared = whole(config, "num_attention_heads", "n_head", "n_heads"), whole(config, "num_key_value_heads")
        told: dict[str, Json] = {
            "architecture": self.architecture,
            "model type": self.model_type,
            "runs as": self.running.task if self.running and not self.why_not else None,
            "not run": self.why_not,
            "parameters by dtype": {**dict(sorted(self.weights.elements.items()))},
            "dtype": word(config, "dtype", "torch_dtype").rpartition(".")[2],
            "hidden size": whole(config, "hidden_size", "n_embd", "d_model", "dim"),
            "layers": whole(config, "num_hidden_layers", "n_layer", "n_layers", "num_layers"),
            "heads": f"{heads}, {shared} of keys and values" if shared not in (None, heads) else heads,
            "context": whole(config, "max_position_embeddings", "n_positions", "n_ctx", "max_seq_len"),
            "vocabulary": whole(config, "vocab_size"),
            "labels": _some(self.labels),
            "problem": self.problem,
            "quantisation": word(inner(config, "quantization_config"), "quant_method"),
            **self.tokenizing.details(),
            "longest text": f"{self.longest:,} tokens",
            "modules": ", ".join(self.sentence.modules),
            "pooling": f"{poolings}{', normalised' if self.sentence.normalised else ''}",
            "generation": _plain(self.generation),
            "weight files": _some(self.weights.files),
            "missing files": _some(self.weights.missing),
            "surplus files": _some(self.weights.surplus),
        }
        return {key: value for key, value in told.items() if value not in (None, "", [], {})}

    def findings(self) -> list[Finding]:
        """All that is remarkable, the weights' own included."""
        return [*self.code, *self.weights.findings, *self.tokenizing.findings()]


def described(members: Mapping[str, Source]) -> Described:
    """The facts of these members. Raises Damaged, OverBudgetError, OSError."""
    config = settings_in(members, CONFIG)
    named = config.get("architectures")
    architecture = class_name(named[0]) if type(named) is list and named else ""
    model_type = word(config, "model_type")[:60]
    sentence = sentence_of(members)
    return Described(
        config=config,
        architecture=architecture,
        model_type=model_type,
        weights=read_weights(members),
        tokenizing=Tokenizing(members, model_type),
        sentence=sentence,
        code=(*sentence.findings(), *code_named_in(members)),
        generation=settings_in(members, "generation_config.json"),
        running=running_of(architecture, model_type),
    )


def code_named_in(members: Mapping[str, Source]) -> Iterator[Finding]:
    """Classes that a configuration would have imported from elsewhere, and Python files."""
    named = False
    for name in members:
        if not name.endswith(".json") or name.endswith((".index.json", "tokenizer.json", "vocab.json", "modules.json")):
            continue
        for key, value in keys_beneath(settings_in(members, name)):
            if (key in _CODE and value) or (key == "trust_remote_code" and value is not False):
                named = True
                yield finding("transformers-code", f"{name} has {key}: {_shortly(value)}", 0)
            elif "attn_implementation" in key and type(value) is str and "/" in value:
                named = True
                yield finding("transformers-code", f"{name} takes code for attention from {_shortly(value)}", 0)
    files = sorted(name for name in members if name.endswith(".py"))
    if files and not named:
        yield finding("served-code", f"{files[0][:200]} lies beside the model, and no configuration names it", 0)


def _shortly(value: Any) -> str:
    return repr(list(value.values())[:3] if type(value) is dict else value)[:200]


def _some(words: tuple[str, ...]) -> list[Json]:
    more = [f"… {len(words) - _TOLD:,} more"] if len(words) > _TOLD else []
    return [*(one[:200] for one in words[:_TOLD]), *more]


def _plain(settings: Mapping[str, Any]) -> dict[str, Json]:
    """Numbers, truth values and short texts of a configuration."""
    plain = {key[:60]: value for key, value in settings.items() if type(value) in (bool, int, float, str)}
    short = {key: value[:100] if type(value) is str else value for key, value in plain.items()}
    return dict(list(short.items())[:_TOLD])
