"""TensorFlow's SavedModels, frozen graphs and checkpoints, inspected without TensorFlow."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from backends.core import directories, registry
from backends.core.errors import ArtifactError, Damaged, NotLoadable
from backends.core.inspection import Inspection
from backends.core.source import MemorySource, Source
from backends.formats.tensorflow import frozen
from console.catalog.catalog import Catalog
from console.records import Verdict
from console.trust.policy import Policy
from console.trust.verdict import judge
from tests.backends.protobuf import field, text
from tests.inspecting import judged
from tests.tensorflow_files import constant, function, graph, index, node, placeholder, saved_model, write_saved_model

REAL = "MODEL_CONSOLE_REAL_ARTIFACTS"
KERNEL = {"dense/kernel": (4, 2), "dense/bias": (2,)}


def facts(data: bytes, name: str) -> Inspection:
    return registry.inspect(MemorySource(data, name))


def whole(place: Path) -> Inspection:
    """The facts of a directory by all of its members."""
    names = directories.members_of(os.listdir(place), directories.beneath(place))
    fds = {name: os.open(place / name, os.O_RDONLY) for name in names}
    try:
        return directories.inspect({name: Source(fd, name) for name, fd in fds.items()})
    finally:
        for fd in fds.values():
            os.close(fd)


def test_a_saved_model_tells_its_signatures_and_operators() -> None:
    found = facts(saved_model("Relu", functions=function("f", "Relu", "Add")), "saved_model.pb")
    assert (found.format, found.complete, found.findings, found.loadable) == ("saved-model", True, (), False)
    assert found.library_versions == {"tensorflow": "2.21.0"}
    assert [(one.name, one.dtype, one.shape) for one in found.signature.takes] == [("row", "float32", (None, 4))]
    assert [(one.name, one.dtype, one.shape) for one in found.signature.gives] == [("scores", "float32", (None, 2))]
    assert found.details["tags"] == ["serve"]
    assert found.details["signatures"] == {"serving_default": "row -> scores"}
    assert found.details["operators"] == {"Relu": 2, "Placeholder": 1, "Const": 1, "MatMul": 1, "Add": 1}
    assert found.details["functions"] == 1
    with pytest.raises(NotLoadable, match=r"tf2onnx\.convert"):
        registry.load(MemorySource(saved_model()), "saved-model")


def test_a_directory_tells_its_variables_and_is_one_artifact(tmp_path: Path) -> None:
    place = write_saved_model(tmp_path / "m" / "1")
    found = whole(place)
    assert (found.complete, found.findings, found.n_weights) == (True, (), 10)
    assert found.summary == "SavedModel · 4 operators · 10"
    assert [(one.name, one.shape, one.bytes) for one in found.arrays] == [
        ("dense/bias", (2,), 8), ("dense/kernel", (4, 2), 32),
    ]  # fmt: skip
    catalog = Catalog(tmp_path)
    catalog.scan_all()
    assert {path: row.members for path, row in catalog.rows().items()} == {"m": 3, "m/1": 3}


def cut_off(place: Path) -> None:
    os.truncate(place / "variables/variables.data-00000-of-00001", 39)


def without_data(place: Path) -> None:
    (place / "variables/variables.data-00000-of-00001").unlink()


def without_index(place: Path) -> None:
    (place / "variables/variables.index").unlink()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (cut_off, "has 39 bytes, and the index puts 40 in it"),
        (without_data, "is not there, and the index puts 40 in it"),
        (without_index, "the graph has 1 variables, and variables/variables.index is not there"),
    ],
)
def test_variables_that_are_missing_are_damage(change: Callable[[Path], None], words: str, tmp_path: Path) -> None:
    place = write_saved_model(tmp_path / "m")
    change(place)
    found = whole(place)
    assert [one.code for one in found.findings] == ["tensorflow-variables"]
    assert words in found.findings[0].detail
    assert judge(found, Policy()).verdict is Verdict.DAMAGED


@pytest.mark.parametrize(
    ("operator", "verdict"),
    [
        ("PyFunc", Verdict.BLOCKED),
        ("EagerPyFunc", Verdict.BLOCKED),
        ("WriteFile", Verdict.BLOCKED),
        ("SaveDatasetV2", Verdict.BLOCKED),
        ("ReadFile", Verdict.REVIEW),
        ("LoadDataset", Verdict.REVIEW),
        ("SaveV2", Verdict.SAFE),
        ("RestoreV2", Verdict.SAFE),
    ],
)
def test_operators_that_reach_beyond_the_graph_are_evidence(operator: str, verdict: Verdict) -> None:
    """In the graph, in its functions, and in a frozen one."""
    hidden = saved_model(functions=function("f", operator))
    for data in (saved_model(operator), hidden, graph(operator)):
        assert judged(data, "model.pb").verdict is verdict


def test_python_that_keras_keeps_beside_is_told(tmp_path: Path) -> None:
    code = base64.b64encode(b"harmless").decode()
    layer = {"class_name": "Lambda", "config": {"name": "l", "function": {"class_name": "__lambda__", "config": code}}}
    place = write_saved_model(tmp_path / "m")
    (place / "keras_metadata.pb").write_bytes(field(1, text(5, json.dumps(layer))))
    assert judge(whole(place), Policy()).verdict is Verdict.REVIEW
    inside = field(7, field(1, field(4, text(3, json.dumps(layer)))))
    assert {one.code for one in facts(saved_model(rest=inside), "saved_model.pb").findings} == {"keras-lambda"}


def test_an_asset_that_leads_out_is_told() -> None:
    for name in ("../../etc/passwd", "/etc/passwd"):
        assert judged(saved_model(rest=field(6, text(2, name))), "saved_model.pb").verdict is Verdict.BLOCKED
    assert not facts(saved_model(rest=field(6, text(2, "vocab.txt"))), "saved_model.pb").findings


def test_a_frozen_graph_tells_what_goes_in_and_what_comes_out() -> None:
    found = facts(graph("Softmax"), "frozen.pb")
    assert (found.format, found.complete, found.n_weights) == ("tf-graph", True, 8)
    assert [(one.name, one.shape) for one in found.signature.takes] == [("row", (None, 4))]
    assert [one.name for one in found.signature.gives] == ["c0"]
    assert [(one.name, one.shape) for one in found.arrays] == [("w", (4, 2))]
    assert not facts(constant("w", 4) + node("c", "Neg", "w"), "frozen.pb").complete


@pytest.mark.parametrize("sides", [(1 << 62,), (1 << 39, 1 << 39)])
def test_a_constant_larger_than_any_file_is_damage(sides: tuple[int, ...]) -> None:
    with pytest.raises(Damaged, match=r"larger than any file|with a side of"):
        facts(graph() + constant("huge", *sides), "frozen.pb")


def test_a_table_of_more_columns_than_any_has_is_none() -> None:
    found = facts(placeholder("p", -1, 1 << 20, 1 << 20) + field(4, b""), "frozen.pb")
    assert (found.signature.n_features, found.signature.takes[0].shape) == (None, (None, 1 << 20, 1 << 20))


@pytest.mark.parametrize("bomb", [b"\x0a\x00", node("a", "B"), b"\x18\x01"])
def test_fields_without_end_are_not_walked_to_it(bomb: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frozen, "BUDGET", 1000)
    with pytest.raises(Damaged, match="more than 1,000 fields"):
        facts(graph() + bomb * 1100, "frozen.pb")


def test_a_checkpoint_tells_its_variables() -> None:
    found = facts(index(KERNEL), "model.ckpt-7.index")
    assert (found.format, found.complete, found.n_weights) == ("tf-checkpoint", True, 10)
    assert [(one.name, one.shape, one.dtype) for one in found.arrays] == [
        ("dense/bias", (2,), "float32"), ("dense/kernel", (4, 2), "float32"),
    ]  # fmt: skip
    with pytest.raises(NotLoadable, match="not the program"):
        registry.load(MemorySource(index(KERNEL)), "tf-checkpoint")


def test_an_index_that_contradicts_itself_is_damage() -> None:
    data = index(KERNEL)
    for broken in (
        data.replace(b"\x28\x20", b"\x28\x21", 1),
        data[:-60] + bytes(12) + data[-48:],
        data.replace(data[-48:-40], b"\xff\xff\xff\x7f" * 2),
    ):
        assert broken != data
        with pytest.raises(Damaged):
            facts(broken, "m.index")


@pytest.mark.parametrize("at", range(0, 400, 7))
def test_lengths_that_lie_are_damage_or_change_nothing_else(at: int) -> None:
    for data in (saved_model("Relu"), graph("Relu"), index(KERNEL)):
        changed = bytearray(data)
        changed[at % len(data)] ^= 0x7F
        try:
            found = facts(bytes(changed), "m")
        except ArtifactError:
            continue
        assert isinstance(found, Inspection)


@pytest.mark.real
@pytest.mark.parametrize(
    ("path", "kind", "version", "operators"),
    [
        ("guesslang/data/model/saved_model.pb", "saved-model", "2.5.0", 659),
        ("GRUPredictor/saved_model.pb", "saved-model", "2.12.0", 14937),
        ("deepbrain/models/graph.pb", "tf-graph", None, 2588),
    ],
)
def test_files_of_the_wild_are_read_whole(path: str, kind: str, version: str | None, operators: int) -> None:
    root = os.environ.get(REAL)
    found = [one for one in Path(root).rglob(Path(path).name) if str(one).endswith(path)] if root else []
    if not found:
        pytest.skip(f"{path} is not there")
    told = facts(found[0].read_bytes(), found[0].name)
    assert (told.format, told.complete, told.library_versions.get("tensorflow")) == (kind, True, version)
    counts = told.details["operators"]
    assert isinstance(counts, dict)
    assert told.signature.takes
    assert f"{operators} operators" in told.summary
