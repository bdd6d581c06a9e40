"""Transformers directories: what their files tell, what blocks or breaks one, and which run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from backends.core import directories, registry
from backends.core.errors import Damaged, NotLoadable
from backends.core.findings import KINDS
from backends.core.inspection import ONE_TEXT, Inspection
from backends.core.source import MemorySource, Source
from backends.formats.transformers import members
from console.records import Verdict
from console.trust.policy import Policy
from console.trust.verdict import judge
from tests import torch_files
from tests.backends.contract import changes
from tests.mlflow_files import zipped
from tests.safetensors_files import packed
from tests.transformers_files import CLASSIFIER, CONFIG, POOLING, SENTENCE, files, shard, sharded, tokenizer, write

ROOT = Path(__file__).parents[2]
PYTHON = os.environ.get("MODEL_CONSOLE_TORCH", "")
HALF = {"a": ("F32", [4])}, {"b": ("F32", [2])}


def facts(made: dict[str, bytes]) -> Inspection:
    """The facts of these files as a directory."""
    return directories.inspect({name: MemorySource(data, name) for name, data in made.items()})


def codes(found: Inspection) -> set[str]:
    return {each.code for each in found.findings}


def verdict(found: Inspection) -> Verdict | None:
    return judge(found, Policy()).verdict


def test_a_model_is_told_by_its_configuration() -> None:
    found = facts(files())
    assert (found.format, found.summary, found.n_weights) == ("transformers", "Bert · 32", 32)
    assert (found.complete, found.loadable, found.findings) == (True, True, ())
    assert (found.signature.texts, found.signature.outputs) == ((ONE_TEXT,), 4)
    assert found.library_versions == {"transformers": "4.50.0"}
    told = found.details
    assert told["parameters by dtype"] == {"BF16": 4, "F32": 28}
    assert (told["hidden size"], told["layers"], told["heads"], told["context"], told["vocabulary"]) == (4, 1, 2, 40, 7)
    assert (told["tokenizer"], told["tokenizer words"], told["longest text"]) == ("WordPiece", 7, "40 tokens")
    assert (told["runs as"], told["dtype"]) == ("embedding", "float32")
    assert verdict(found) is Verdict.SAFE


def test_a_classifier_names_its_labels_in_the_order_of_their_numbers() -> None:
    found = facts(files(CLASSIFIER))
    assert (found.signature.classes, found.summary) == (("negative", "positive"), "Bert · 32 · 2 labels")
    assert found.details["runs as"] == "text classification"
    assert facts(files({**CLASSIFIER, "problem_type": "multi_label_classification"})).signature.classes is None


def test_modules_of_sentence_transformers_say_how_tokens_become_an_embedding() -> None:
    found = facts({**files(), **SENTENCE})
    assert found.details["modules"] == "Transformer, Pooling, Normalize"
    assert (found.details["pooling"], found.details["longest text"]) == ("cls, normalised", "12 tokens")
    newer = facts({**files(), **SENTENCE, POOLING: b'{"pooling_mode": ["mean", "max"]}'})
    assert (newer.details["pooling"], newer.signature.outputs) == ("mean, max, normalised", 8)
    other = facts({**files(), **SENTENCE, POOLING: b'{"pooling_mode": "lasttoken"}'})
    assert (other.loadable, other.details["not run"]) == (False, "lasttoken of sentence-transformers is not built here")


def test_a_pickle_of_weights_is_walked_and_its_names_are_told() -> None:
    made = files()
    del made["model.safetensors"]
    made["pytorch_model.bin"] = torch_files.archive(torch_files.state_dict(torch_files.pid()))
    found = facts(made)
    assert (found.loadable, verdict(found)) == (True, Verdict.SAFE)
    made["pytorch_model.bin"] = torch_files.archive(b"\x80\x02cposix\nsystem\nX\x02\x00\x00\x00id\x85R.")
    evil = facts(made)
    assert verdict(evil) is Verdict.BLOCKED
    assert [(str(use), use.place) for use in evil.names] == [
        ("posix.system", "pytorch_model.bin, member archive/data.pkl")
    ]


def test_files_that_are_not_loaded_are_looked_into_as_well() -> None:
    evil = torch_files.archive(b"\x80\x02cposix\nsystem\nX\x02\x00\x00\x00id\x85R.")
    part = facts({**files(), **SENTENCE, "2_Dense/config.json": b"{}", "2_Dense/pytorch_model.bin": evil})
    assert verdict(part) is Verdict.BLOCKED
    with pytest.raises(Damaged, match=f"{shard(2)}: cut off"):
        facts({**sharded({"a": shard(1)}, _1=HALF[0]), shard(2): packed(HALF[1])[:-1]})


def test_shards_are_held_against_their_index() -> None:
    whole = facts(sharded({"a": shard(1), "b": shard(2)}, _1=HALF[0], _2=HALF[1]))
    assert (whole.complete, whole.loadable, whole.n_weights) == (True, True, 6)
    missing = facts(sharded({"a": shard(1), "b": shard(2)}, _1=HALF[0]))
    assert (missing.loadable, missing.details["missing files"]) == (False, [shard(2)])
    assert (missing.details["not run"], verdict(missing)) == (f"{shard(2)} is missing", Verdict.DAMAGED)
    surplus = facts(sharded({"a": shard(1)}, _1=HALF[0], _2=HALF[1]))
    assert (surplus.loadable, surplus.n_weights, surplus.details["surplus files"]) == (True, 4, [shard(2)])


@pytest.mark.parametrize(
    ("placed", "words"),
    [
        ({"a": shard(2), "b": shard(1)}, f"holds tensor 'a', which model.safetensors.index.json places in {shard(2)}"),
        ({"b": shard(2), "c": shard(1)}, "holds tensor 'a', which model.safetensors.index.json does not name"),
        ({"a": shard(1), "b": shard(2), "c": shard(2)}, "names tensor 'c', which is in no file"),
    ],
)
def test_tensors_are_where_the_index_places_them(placed: dict[str, str], words: str) -> None:
    found = facts(sharded(placed, _1=HALF[0], _2=HALF[1]))
    assert (found.loadable, verdict(found)) == (False, Verdict.DAMAGED)
    assert words in found.findings[0].detail


@pytest.mark.parametrize("name", ["../other/model.safetensors", "/etc/passwd", "..\\x", "~/x", "c:x"])
def test_an_index_that_leads_out_of_the_directory_is_blocked(name: str) -> None:
    found = facts(sharded({"a": shard(1), "b": name}, _1=HALF[0]))
    assert ("unsafe-path" in codes(found), found.loadable, verdict(found)) == (True, False, Verdict.BLOCKED)


AUTO = {"auto_map": {"AutoModel": "modeling_own.OwnModel"}}
CODE: dict[str, dict[str, bytes]] = {
    "of the configuration": files({**CONFIG, **AUTO}, modeling_own__py=b"print(1)\n"),
    "of another repository": files({**CONFIG, "auto_map": {"AutoModel": "other/repository--modeling.Model"}}),
    "of a part of it": files({**CONFIG, "text_config": AUTO}),
    "of the tokenizer": files(tokenizer_config__json=b'{"auto_map": {"AutoTokenizer": ["own.Own", null]}}'),
    "of a pipeline": files({**CONFIG, "custom_pipelines": {"own": {"impl": "own.Own"}}}),
    "trusted by itself": files({**CONFIG, "trust_remote_code": True}),
    "for attention": files({**CONFIG, "_attn_implementation_internal": "somebody/kernel"}),
    "of a module": {**files(), **SENTENCE, "modules.json": b'[{"type": "own.Module", "path": ""}]'},
    "of a processor": files(preprocessor_config__json=b'{"auto_map": {"AutoProcessor": "own.Own"}}'),
}


@pytest.mark.parametrize("made", CODE.values(), ids=list(CODE))
def test_code_of_its_own_is_blocked_and_never_run(made: dict[str, bytes]) -> None:
    found = facts(made)
    assert (codes(found), found.loadable, verdict(found)) == ({"transformers-code"}, False, Verdict.BLOCKED)
    with pytest.raises(NotLoadable, match="Python code of its own"):
        registry.load(MemorySource(zipped(made)), "transformers")


def test_python_that_nothing_names_is_looked_at() -> None:
    found = facts(files(setup__py=b"print(1)\n"))
    assert (codes(found), verdict(found)) == ({"served-code"}, Verdict.REVIEW)


def test_a_chat_template_that_reaches_out_is_told() -> None:
    template = "{{ ''.__class__.__mro__[1].__subclasses__() }}"
    for made in (
        files(tokenizer_config__json=json.dumps({"chat_template": template}).encode()),
        files(tokenizer_config__json=json.dumps({"chat_template": [{"name": "a", "template": template}]}).encode()),
        files(chat_template__jinja=template.encode()),
        files(chat_template__json=json.dumps({"chat_template": template}).encode()),
    ):
        assert codes(facts(made)) == {"chat-template"}
    honest = facts(files(chat_template__jinja=b"{% for one in messages %}{{ one.content }}{% endfor %}"))
    assert (honest.findings, honest.details["chat template"]) == ((), "54 characters")


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (files({**CONFIG, "architectures": ["LlamaForCausalLM"], "model_type": "llama"}), "LlamaForCausalLM is not on"),
        (files({**CONFIG, "architectures": ["__import__"]}), "__import__ is not on the list"),
        (files({**CONFIG, "architectures": ["os.system"], "model_type": "x"}), "x is not on the list"),
        (files({**CONFIG, "architectures": 3, "model_type": []}), "a model without an architecture is not"),
        (files({**CONFIG, "quantization_config": {"quant_method": "gptq"}}), "its weights are quantised"),
        ({name: data for name, data in files().items() if name != "tokenizer.json"}, "there is no tokenizer"),
        (
            {name: data for name, data in files(spiece__model=b"x").items() if name != "tokenizer.json"},
            "there is only spiece.model",
        ),
    ],
)
def test_what_does_not_run_says_why(made: dict[str, bytes], words: str) -> None:
    found = facts(made)
    assert words in str(found.details["not run"])
    assert (found.loadable, found.complete) == (False, True)
    with pytest.raises(NotLoadable, match="it is not run: "):
        registry.load(MemorySource(zipped(made)), "transformers")


def nested(depth: int) -> bytes:
    return b'{"a":' + b"[" * depth + b"]" * depth + b"}"


DAMAGED = {
    "config.json is nested": files(config__json=nested(200_000)),
    "config.json holds the key 'model_type' twice": files(config__json=b'{"model_type": "bert", "model_type": "x"}'),
    "config.json is JSON, but no object": files(config__json=b"[]"),
    "config.json is not valid UTF-8": files(config__json=b'{"a": "\xff"}'),
    "tokenizer.json is not valid JSON": files(tokenizer__json=tokenizer()[:40]),
    "modules.json is no list": {**files(), **SENTENCE, "modules.json": b'{"a": 1}'},
    "model.safetensors: cut off": files(model__safetensors=packed({"a": ("F32", [4])})[:-1]),
    "has no weight_map": {**sharded({}, _1=HALF[0]), "model.safetensors.index.json": b'{"weight_map": {"a": 1}}'},
}


@pytest.mark.parametrize("words", DAMAGED)
def test_what_no_writer_makes_is_damaged(words: str) -> None:
    with pytest.raises(Damaged, match=words):
        facts(DAMAGED[words])


def test_settings_of_other_types_than_theirs_are_not_told() -> None:
    odd: list[Any] = ["x", [], {}, -1, 1 << 70, None, True, 1.5, "\ud800"]
    for value in odd:
        named = dict.fromkeys((*CONFIG, "id2label", "problem_type", "text_config", "num_labels"), value)
        for made in (files(named), files(named | {"architectures": ["BertForSequenceClassification"]})):
            made["tokenizer_config.json"] = made["generation_config.json"] = made["config.json"]
            assert facts({**made, **SENTENCE, POOLING: made["config.json"]}).format == "transformers"


def test_a_large_tokenizer_is_told_by_its_head() -> None:
    words = {f"word{number}": number for number in range(300_000)}
    data = json.dumps({"version": "1.0", "model": {"type": "BPE", "dropout": None, "vocab": words}}).encode()
    found = facts(files(tokenizer__json=data))
    assert (len(data) > 4 << 20, found.details["tokenizer"], found.loadable) == (True, "BPE", True)


def test_text_of_any_length_ends_in_time() -> None:
    many = {f"t{number}": f"model-{number:06d}-of-100000.safetensors" for number in range(100_000)}
    begun = time.process_time()
    found = facts(sharded(many, _1=HALF[0]))
    assert (len(found.details["missing files"]), found.loadable) == (21, False)  # type: ignore[arg-type]
    assert codes(facts(files(config__json=b'{"a": "' + b" " * (17 << 20) + b'"}'))) == {"limit"}
    labels = {str(number): "x" for number in range(300_000)}
    assert facts(files({**CLASSIFIER, "id2label": labels})).signature.classes == ("LABEL_0", "LABEL_1")
    assert time.process_time() - begun < 8


@pytest.mark.parametrize("made", [{**files(CLASSIFIER), **SENTENCE}, sharded({"a": shard(1)}, _1=HALF[0])])
def test_whatever_is_done_to_a_member_ends_in_facts_or_a_sentence(made: dict[str, bytes]) -> None:
    for name, data in made.items():
        for words, changed in changes(data, name, 60, False):
            if words.startswith("cut") and int(words.rpartition(" ")[2]) % 7:
                continue
            try:
                found = facts({**made, name: changed})
            except Damaged:
                continue
            assert not (found.complete and {KINDS[code] for code in codes(found)} & {"damaged", "limit"}), words
            json.dumps([found.details, found.summary, found.model_class], ensure_ascii=False).encode()


def test_adapters_and_pipelines_are_named_as_what_they_are() -> None:
    settings = {"peft_type": "LORA", "r": 8, "base_model_name_or_path": "somebody/base"}
    made = {"adapter_config.json": json.dumps(settings).encode(), "adapter_model.safetensors": packed(HALF[0])}
    adapter = facts(made)
    assert (adapter.summary, adapter.loadable, verdict(adapter)) == ("LORA adapter · 4", False, Verdict.SAFE)
    assert (adapter.details["of"], adapter.details["rank"]) == ("somebody/base", 8)
    index = {"_class_name": "StableDiffusionPipeline", "unet": ["diffusers", "UNet2DConditionModel"]}
    parts = {"unet/config.json": b"{}", "unet/diffusion_pytorch_model.safetensors": packed(HALF[0])}
    pipeline = facts({"model_index.json": json.dumps(index).encode(), **parts})
    assert (pipeline.summary, verdict(pipeline)) == ("StableDiffusionPipeline · 4", Verdict.SAFE)
    own = facts({"model_index.json": json.dumps({**index, "vae": ["own_code", "Vae"]}).encode(), **parts})
    assert verdict(own) is Verdict.BLOCKED
    index["_class_name"] = ["own_pipeline", "Own"]
    assert verdict(facts({"model_index.json": json.dumps(index).encode(), **parts})) is Verdict.BLOCKED


@pytest.mark.parametrize(
    ("names", "count"),
    [
        (("config.json", "model.safetensors", "README.md", ".gitattributes", "model.onnx"), 2),
        (("config.json", "model.safetensors", "pytorch_model.bin"), 2),
        (("config.json", "pytorch_model.bin", "tokenizer.json", "own.py"), 4),
        (("config.json", "tokenizer.json"), 0),
        (("model.safetensors", "tokenizer.json"), 0),
        (("config.json", "1_Pooling/config.json", "model.safetensors"), 2),
        (("config.json", "1_Pooling/config.json", "model.safetensors", "modules.json"), 4),
        (("model_index.json", "unet"), 0),
    ],
)
def test_an_artifact_is_told_by_names(names: tuple[str, ...], count: int) -> None:
    assert len(members(names)) == count


def test_it_is_read_in_no_time_and_nothing_is_imported(tmp_path: Path) -> None:
    write(tmp_path, {**files(), **SENTENCE})
    program = (
        "import os, sys, time\nfrom backends.core import directories\nfrom backends.core.source import Source\n"
        "names = directories.members_of(os.listdir('.'), directories.beneath('.'))\n"
        "found = {one: Source(os.open(one, os.O_RDONLY), one) for one in names}\n"
        "directories.inspect(found); begun = time.process_time(); directories.inspect(found)\n"
        "print(len(names), time.process_time() - begun, {'numpy', 'torch', 'safetensors'} & set(sys.modules))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    count, seconds, heavy = ended.stdout.split(maxsplit=2)
    assert (count, heavy.strip()) == ("7", "set()")
    assert float(seconds) < 0.1


def test_an_archive_of_it_is_read_alike(tmp_path: Path) -> None:
    packed_path = tmp_path / "model.zip"
    packed_path.write_bytes(zipped({**files(), **SENTENCE, "README.md": b"# A model\n"}))
    with open(packed_path, "rb") as file:
        found = registry.inspect(Source(file.fileno(), "model.zip"))
    assert found == facts({**files(), **SENTENCE})


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.skipif(not PYTHON, reason="MODEL_CONSOLE_TORCH names no interpreter with PyTorch")
def test_answers_are_those_of_transformers(tmp_path: Path) -> None:
    command = [PYTHON, str(Path(__file__).parent / "transformers_runner.py"), str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert ended.returncode == 0, ended.stderr[-2000:]
    told = json.loads(ended.stdout.splitlines()[-1])
    assert len(told) > 50
    assert {name: far for name, far in told.items() if not far < 2e-6} == {}
