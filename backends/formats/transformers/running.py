"""Embeddings and text classification by transformers, in a worker: its own classes, from weights in the directory.

Nothing is looked up by a name that a file holds, and nothing is fetched: the class stands on the list of
`architectures`, weights are tensors, and the tokenizer is the one of `tokenizer.json`.
"""

from __future__ import annotations

import importlib
import io
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from backends.core.descriptors import named
from backends.core.errors import NotLoadable
from backends.core.format import LoadedModel
from backends.core.inspection import Signature
from backends.core.registry import inspect
from backends.core.source import Source
from backends.formats.transformers.architectures import CLASSIFICATION, EMBEDDING
from backends.formats.transformers.described import Described
from backends.formats.transformers.tokenizing import FAST, WORDS

_OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "TOKENIZERS_PARALLELISM": "false",
    "USE_TF": "0",
    "USE_FLAX": "0",
}
_TOGETHER = 32
"""Texts of one pass through the model, those of like length together."""
_DROPPED = ("architectures", "auto_map", "custom_pipelines", "quantization_config", "dtype", "torch_dtype")
_POOLER = re.compile(r"(^|\.)pooler\.")
"""Weights of what transformers makes of a text's first token: no embedding is made of them here."""


class TextModel:
    """A model that answers one text for each row; a subclass says what its answers are."""

    methods: tuple[str, ...] = ()

    def __init__(self, torch: Any, model: Any, tokenizer: Any, told: Described) -> None:
        self.signature: Signature = told.signature
        self.row_wise = frozenset(self.methods)
        self._torch = torch
        self._model = model
        self._tokenizer = tokenizer
        self._told = told

    def call(self, method: str, inputs: Any) -> Any:
        """One answer for each text. Raises ValueError for rows that are no texts, what transformers raises."""
        numpy = importlib.import_module("numpy")
        parts, order = [], list[int]()
        with self._torch.inference_mode():
            for places, tokens, mask in self._passes(_texts(inputs)):
                found = self._model(input_ids=tokens, attention_mask=mask)
                parts.append(self._answers(found, mask).numpy())
                order.extend(places)
        if not parts:
            return self._named(method, numpy.empty((0, self.signature.outputs or 1), "float32"))
        whole = numpy.concatenate(parts)
        answers = numpy.empty_like(whole)
        answers[order] = whole
        return self._named(method, answers)

    def _passes(self, texts: Sequence[str]) -> Iterator[tuple[list[int], Any, Any]]:
        """The places of some texts, their tokens and which of them count, filled up to one length."""
        sentence = self._told.sentence
        if sentence.there:
            texts = [one.strip().lower() if sentence.lower else one.strip() for one in texts]
        ids = [one.ids for one in self._tokenizer.encode_batch(list(texts))]
        order = sorted(range(len(ids)), key=lambda place: len(ids[place]))
        padding = self._model.config.pad_token_id or 0
        for begin in range(0, len(order), _TOGETHER):
            places = order[begin : begin + _TOGETHER]
            longest = max(len(ids[place]) for place in places)
            filled = [ids[place] + [padding] * (longest - len(ids[place])) for place in places]
            counts = [[1] * len(ids[place]) + [0] * (longest - len(ids[place])) for place in places]
            yield places, self._torch.tensor(filled), self._torch.tensor(counts)

    def _answers(self, found: Any, mask: Any) -> Any:
        """The numbers of each text, as a tensor."""
        raise NotImplementedError

    def _named(self, method: str, answers: Any) -> Any:
        """The answers of this method, as an array."""
        return answers

    def close(self) -> None:
        """Let go of the model."""
        self._model = self._tokenizer = None


class TextEmbedding(TextModel):
    """A text becomes a row of numbers: `transform`."""

    methods: tuple[str, ...] = ("transform",)

    def _answers(self, found: Any, mask: Any) -> Any:
        tokens, counts = found.last_hidden_state, mask.unsqueeze(-1).to(found.last_hidden_state.dtype)
        sums, numbers = (tokens * counts).sum(1), counts.sum(1).clamp(min=1e-9)
        ways = {
            "cls": lambda: tokens[:, 0],
            "max": lambda: tokens.masked_fill(counts == 0, -1e9).max(1)[0],
            "mean": lambda: sums / numbers,
            "mean_sqrt_len_tokens": lambda: sums / numbers.sqrt(),
        }
        pooled = self._torch.cat([ways[one]() for one in self._told.sentence.pooling or ("mean",)], 1)
        normalised = self._told.sentence.normalised
        return self._torch.nn.functional.normalize(pooled, dim=1) if normalised else pooled


class TextClassification(TextModel):
    """A text gets a label, and a share for each: `predict`, `predict_proba`; a number where it has but one output."""

    methods: tuple[str, ...] = ("predict", "predict_proba")

    def __init__(self, torch: Any, model: Any, tokenizer: Any, told: Described) -> None:
        if told.problem == "regression":
            self.methods = ("predict",)
        super().__init__(torch, model, tokenizer, told)

    def _answers(self, found: Any, mask: Any) -> Any:
        if self._told.problem == "regression":
            return found.logits
        return found.logits.sigmoid() if self._told.problem else found.logits.softmax(-1)

    def _named(self, method: str, answers: Any) -> Any:
        if method == "predict_proba":
            return answers
        if self._told.problem == "regression":
            return answers[:, 0] if answers.shape[1] == 1 else answers
        if self._told.problem:
            return (answers > 0.5).astype("int64")
        labels = importlib.import_module("numpy").asarray(self._told.labels, dtype=object)
        return labels[answers.argmax(1)]


def load_model(members: Mapping[str, Source], told: Described) -> LoadedModel:
    """The model of a directory that is run. Raises NotLoadable, and what transformers raises."""
    os.environ.update(_OFFLINE)
    begun = time.perf_counter()
    torch, transformers, tokenizers = map(_imported, ("torch", "transformers", "tokenizers"))
    torch.set_num_threads(1)
    running = told.running
    if running is None:
        raise NotLoadable("its architecture is not on the list here")
    classes = _class(transformers, running.config), _class(transformers, running.model)
    imported = time.perf_counter()
    tokenizer = _tokenizer(tokenizers, members, told)
    model = _built(torch, classes, members, told)
    kind = TextClassification if running.task == CLASSIFICATION else TextEmbedding
    phases = {"libraries": imported - begun, "weights": time.perf_counter() - imported}
    return LoadedModel(kind(torch, model, tokenizer, told), "transformers", phases=phases)


def _imported(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise NotLoadable(
            f"running it needs the Python package {name}: install the transformers extra in the environment that the"
            " recipe names, or in this one (pip install 'model-console[transformers]')"
        ) from None


def _class(transformers: Any, name: str) -> Any:
    found = getattr(transformers, name, None)
    if found is None:
        raise NotLoadable(f"transformers {transformers.__version__} has no {name}: install a newer one")
    return found


def _built(torch: Any, classes: tuple[Any, Any], members: Mapping[str, Source], told: Described) -> Any:
    """The model with all the weights that its answers are made of. Raises NotLoadable."""
    config_class, model_class = classes
    settings = {name: value for name, value in told.config.items() if name not in _DROPPED and not name.startswith("_")}
    settings = {name: value for name, value in settings.items() if "attn_implementation" not in name}
    model, loading = model_class.from_pretrained(
        None,
        config=config_class.from_dict(settings),
        state_dict=dict(_state(torch, members, told)),
        local_files_only=True,
        ignore_mismatched_sizes=True,
        output_loading_info=True,
    )
    if loading["mismatched_keys"]:
        name, has, wants = min(loading["mismatched_keys"])
        shapes = f"{list(has)}, and the configuration takes {list(wants)}"
        raise NotLoadable(f"{name} of its weights has the shape {shapes}")
    embeds = told.running is not None and told.running.task == EMBEDDING
    missing = sorted(name for name in loading["missing_keys"] if not (embeds and _POOLER.search(name)))
    if missing:
        raise NotLoadable(f"its weights do not hold {missing[0]}, of which answers are made ({len(missing)} missing)")
    return model.float().eval()


def _state(torch: Any, members: Mapping[str, Source], told: Described) -> Iterator[tuple[str, Any]]:
    """The tensors of all files of weights by their names, numbers with a fraction as float32."""
    for name in told.weights.files:
        source = members[name]
        if name.endswith(".safetensors"):
            yield from _tensors(torch, source)
            continue
        data = io.BytesIO(source.read(0, source.size))
        for key, tensor in torch.load(data, map_location="cpu", weights_only=True).items():
            if torch.is_tensor(tensor):
                yield key, tensor.float() if tensor.is_floating_point() else tensor


def _tensors(torch: Any, source: Source) -> Iterator[tuple[str, Any]]:
    """The tensors of one file of safetensors."""
    shapes = {one.name: one.shape for one in inspect(source).arrays}
    for name, numbers in named("safetensors").arrays(source):
        tensor = torch.from_numpy(numbers.copy()).reshape(shapes[name])
        yield name, tensor.float() if tensor.is_floating_point() else tensor


def _tokenizer(tokenizers: Any, members: Mapping[str, Source], told: Described) -> Any:
    """The tokenizer, which cuts texts off at the length that the model takes."""
    if told.tokenizing.file == FAST:
        found = tokenizers.Tokenizer.from_str(_text(members, FAST))
    else:
        found = _wordpiece(tokenizers, _text(members, WORDS), told.tokenizing.settings)
    found.no_padding()
    found.enable_truncation(told.longest)
    return found


def _text(members: Mapping[str, Source], name: str) -> str:
    source = members[name]
    return source.read(0, source.size).decode("utf-8")


def _wordpiece(tokenizers: Any, text: str, settings: Mapping[str, Any]) -> Any:
    """BERT's tokenizer over the words of its list, one a line."""
    words = {word: number for number, word in enumerate(text.rstrip("\n").split("\n"))}
    missing = [one for one in ("[UNK]", "[CLS]", "[SEP]") if one not in words]
    if missing:
        raise NotLoadable(f"{WORDS} has no {missing[0]}: save the model again with a fast tokenizer")
    found = tokenizers.Tokenizer(tokenizers.models.WordPiece(words, unk_token="[UNK]"))
    lower = settings.get("do_lower_case") is not False
    found.normalizer = tokenizers.normalizers.BertNormalizer(lowercase=lower)
    found.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    ends = [(one, words[one]) for one in ("[SEP]", "[CLS]")]
    found.post_processor = tokenizers.processors.BertProcessing(*ends)
    found.add_special_tokens([one for one in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]") if one in words])
    return found


def _texts(inputs: Any) -> list[str]:
    """One text of each row. Raises ValueError for rows that are no texts."""
    numpy = importlib.import_module("numpy")
    rows = numpy.asarray(inputs.to_numpy() if hasattr(inputs, "to_numpy") else inputs, dtype=object)
    if not len(rows):
        return []
    rows = rows.reshape(len(rows), -1)
    if rows.shape[1] != 1:
        raise ValueError(f"a row has {rows.shape[1]} values, and the model takes one text")
    odd = next((number for number, one in enumerate(rows[:, 0], 1) if not isinstance(one, str)), None)
    if odd is not None:
        raise ValueError(f"row {odd} is no text, and the model takes one text for each row")
    return [str(one) for one in rows[:, 0]]
