"""skops files: read without skops, built by skops from the judged names alone, and never more than their tree says."""

from __future__ import annotations

import io
import itertools
import json
import pickle
import random
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.cluster import Birch, KMeans
from sklearn.decomposition import PCA
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from backends.core import registry
from backends.core.errors import ArtifactError, Damaged, NotLoadable
from backends.core.inspection import Inspection
from backends.core.source import MemorySource
from backends.formats.skops import archive
from console.records import Verdict
from console.trust.policy import Policy
from console.trust.verdict import judge

X = np.abs(np.random.default_rng(0).normal(size=(60, 4)))
Y = (X[:, 0] > X[:, 1]).astype(int)
_IDS = itertools.count(1)
Node = dict[str, Any]

MODELS = (
    make_pipeline(StandardScaler(), LogisticRegression()),
    RandomForestClassifier(3, random_state=0),
    GradientBoostingClassifier(n_estimators=3, random_state=0),
    HistGradientBoostingRegressor(max_iter=3, random_state=0),
    KNeighborsClassifier(3),
    MLPClassifier((4,), max_iter=20, random_state=0),
    SVC(probability=False),
    GaussianNB(),
    make_pipeline(SimpleImputer(), PCA(2), SGDClassifier(random_state=0)),
    KMeans(3, n_init=1, random_state=0),
)


def dumped(model: Any) -> bytes:
    skops = pytest.importorskip("skops.io")
    data: bytes = skops.dumps(model)
    return data


def node(module: str, name: str, loader: str, **fields: Any) -> Node:
    return {"__module__": module, "__class__": name, "__loader__": loader, "__id__": next(_IDS), **fields}


def plain(value: Any) -> Node:
    return node("builtins", "str", "JsonNode", content=json.dumps(value), is_json=True)


def listed(*items: Node, kind: str = "list") -> Node:
    return node("builtins", kind, f"{kind.capitalize()}Node", content=list(items))


def mapping(keys: Node | None = None, **items: Node) -> Node:
    types = listed(*(node("builtins", "str", "TypeNode") for _ in items)) if keys is None else keys
    return node("builtins", "dict", "DictNode", content=items, key_types=types)


def forged(root: Node, members: dict[str, bytes] | None = None, **fields: Any) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in (members or {}).items():
            archive.writestr(name, data)
        archive.writestr("schema.json", json.dumps({**root, "protocol": 2, "_skops_version": "0.16.0", **fields}))
    return file.getvalue()


def inspected(data: bytes, name: str = "m.skops") -> Inspection:
    return registry.inspect(MemorySource(data, name))


def verdict(data: bytes, name: str = "m.skops") -> Verdict | None:
    return judge(inspected(data, name), Policy()).verdict


def npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


@pytest.mark.parametrize("model", MODELS, ids=lambda each: type(each).__name__)
def test_a_real_model_is_safe_and_answers_as_skops_and_the_model_itself_do(model: Any) -> None:
    fitted = model.fit(X, Y)
    data = dumped(fitted)
    found = inspected(data)
    assert (found.format, found.complete, found.loadable, found.findings) == ("skops", True, True, ())
    assert judge(found, Policy()).verdict is Verdict.SAFE
    loaded = registry.load(MemorySource(data), "skops").model
    assert type(loaded) is type(fitted)
    assert np.array_equal(loaded.predict(X), fitted.predict(X))


def test_the_facts_are_those_that_a_pickle_of_the_model_gives() -> None:
    model = make_pipeline(StandardScaler(), RandomForestClassifier(3, random_state=0)).fit(X, Y)
    found, pickled = inspected(dumped(model)), registry.inspect(MemorySource(pickle.dumps(model)))
    assert found.model_class == pickled.model_class == "sklearn.pipeline.Pipeline"
    assert found.signature == pickled.signature
    assert [(one.at, one.class_name, one.parameters, one.steps) for one in found.models if "steps" in one.at] == [
        (one.at, one.class_name, one.parameters, one.steps) for one in pickled.models if "steps" in one.at
    ]
    assert found.library_versions["scikit-learn"] == pickled.library_versions["scikit-learn"]
    assert found.library_versions["skops"]
    shapes = sorted((one.shape, one.dtype) for one in found.arrays if one.shape)
    assert ((4,), "float64") in shapes


def test_texts_are_read_as_the_input_of_a_vectorizer() -> None:
    model = TfidfVectorizer().fit(["a cat sat", "a dog sat"])
    assert inspected(dumped(model)).signature.texts == ("text",)


def test_a_model_that_skops_cannot_hold_is_refused_with_a_sentence() -> None:
    pytest.importorskip("skops")
    with pytest.raises(NotLoadable, match="skops cannot hold"):
        registry.save(Birch().fit(X), "skops", 1)


COMMAND = "touch {}"
SYSTEM = node("os", "system", "FunctionNode")
ATTACKS = {
    "a function of the system": lambda: SYSTEM,
    "a partial that is called later": lambda: node(
        "functools",
        "partial",
        "PartialNode",
        content={
            "func": SYSTEM,
            "args": listed(plain(COMMAND), kind="tuple"),
            "kwds": mapping(),
            "namespace": plain(None),
        },
    ),
    "a class that is called": lambda: node(
        "subprocess", "Popen", "ConstructorFromReduceNode", content=listed(plain([COMMAND]), kind="tuple")
    ),
    "keys that a function makes": lambda: mapping(listed(SYSTEM), touch=plain(1)),
    "a function of operator": lambda: node(
        "operator", "methodcaller", "OperatorFuncNode", attrs=listed(plain("system"), kind="tuple")
    ),
    "operator under another module's name": lambda: node(
        "sklearn.linear_model._base", "methodcaller", "OperatorFuncNode", attrs=listed(plain("x"), kind="tuple")
    ),
    "a method of another class": lambda: node(
        "sklearn.linear_model._base",
        "LinearRegression",
        "MethodNode",
        content={"func": "__class__.__bases__", "obj": node("subprocess", "Popen", "ObjectNode")},
    ),
    "a list of another class": lambda: node("posix", "system", "ListNode", content=[]),
    "bits that are a function": lambda: node(
        "numpy.random._generator",
        "Generator",
        "RandomGeneratorNode",
        content={"bit_generator": mapping(bit_generator=plain("set_bit_generator")), "seed_seq": mapping()},
    ),
    "a loss of another class": lambda: node(
        "os", "system", "LossNode", __reduce__={"args": listed(plain(COMMAND), kind="tuple")}, content=mapping()
    ),
    "a state that replaces a method": lambda: node(
        "sklearn.linear_model._base", "LinearRegression", "ObjectNode", content=mapping(predict=SYSTEM)
    ),
    "an unknown loader": lambda: node("builtins", "dict", "ExecNode", content=COMMAND),
    "two objects with one id": lambda: listed(
        {**plain(1), "__id__": 7}, {**node("sklearn.linear_model._base", "LinearRegression", "ObjectNode"), "__id__": 7}
    ),
    "a name with other characters": lambda: node("os\n", "sys tem", "TypeNode"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_trick_in_a_tree_is_safe(attack: str) -> None:
    data = forged(ATTACKS[attack]())
    found = inspected(data)
    assert found.format == "skops"
    assert judge(found, Policy()).verdict in (Verdict.BLOCKED, Verdict.REVIEW)


@pytest.mark.parametrize("attack", [each for each in ATTACKS if "bits" not in each and "id" not in each.split()])
def test_what_runs_commands_is_blocked(attack: str) -> None:
    blocked = {"an unknown loader", "a name with other characters", "operator under another module's name"}
    data = forged(ATTACKS[attack]())
    assert (verdict(data) is Verdict.BLOCKED) or attack in blocked or "method" in attack


def test_nothing_outside_of_the_judged_names_is_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The inspection is the list: what skops would build beyond it is refused by skops itself."""
    skops = pytest.importorskip("skops.io.exceptions")
    marker = tmp_path / "marker"
    arguments = listed(plain(f"touch {marker}"), kind="tuple")
    data = forged(node("os", "system", "ConstructorFromReduceNode", content=arguments))
    assert verdict(data) is Verdict.BLOCKED
    monkeypatch.setattr(archive, "inspect", lambda source: Inspection("skops", complete=True))
    with pytest.raises(skops.UntrustedTypesFoundException):
        registry.load(MemorySource(data), "skops")
    assert not marker.exists()


def test_a_joblib_file_under_the_name_is_a_disguise() -> None:
    assert verdict(pickle.dumps(Ridge().fit(X, Y))) is Verdict.BLOCKED


def test_a_pickle_in_a_member_is_told_with_its_names() -> None:
    class Payload:
        def __reduce__(self) -> Any:
            return print, ("ran",)

    array = np.array([Payload()], dtype=object)
    root = node("numpy", "ndarray", "NdArrayNode", type="numpy", file="1.npy")
    found = inspected(forged(root, {"1.npy": npy(array)}))
    assert "builtins.print" in map(str, found.names)
    assert judge(found, Policy()).verdict is not Verdict.SAFE
    beside = inspected(forged(plain(1), {"extra.pkl": pickle.dumps(Ridge())}))
    assert {"unread-member", "nested-pickle"} <= {each.code for each in beside.findings}
    assert not beside.loadable


@pytest.mark.parametrize(
    "root",
    [
        node("numpy", "ndarray", "NdArrayNode", type="numpy", file="gone.npy"),
        node("builtins", "dict", "DictNode", content={"a": plain(1)}, key_types=listed()),
        node("builtins", "list", "ListNode", content="abc"),
        node("builtins", "str", "JsonNode", content="{"),
        {**plain(1), "__loader__": "CachedNode", "__id__": 99},
        {"__loader__": "ListNode", "content": []},
    ],
    ids=["a missing member", "keys without types", "a list of nothing", "no JSON", "no object", "no class"],
)
def test_a_broken_tree_is_damaged_with_a_sentence(root: Node) -> None:
    with pytest.raises(Damaged):
        inspected(forged(root))


def test_depth_and_size_are_bounded() -> None:
    deep = plain(1)
    for _ in range(400):
        deep = listed(deep)
    with pytest.raises(Damaged, match="nested"):
        inspected(forged(deep))
    text = '{"__loader__":' + "[" * 100_000
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("schema.json", text)
    with pytest.raises(Damaged):
        inspected(file.getvalue())
    wide = inspected(forged(plain(1), beside=[0] * 800_000))
    assert [each.code for each in wide.findings] == ["limit"]
    assert not wide.loadable


def test_a_newer_protocol_is_shown_and_not_run() -> None:
    found = inspected(forged(plain(1), protocol=3))
    assert not found.loadable
    assert judge(found, Policy()).verdict is Verdict.REVIEW


def test_an_archive_without_such_a_tree_is_none() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.npy", npy(np.arange(3)))
        archive.writestr("schema.json", "{}")
    assert inspected(file.getvalue(), "m.npz").format == "npz"


@pytest.mark.parametrize("count", [30, pytest.param(1000, marks=pytest.mark.slow)])
def test_any_change_of_the_tree_ends_in_facts_or_one_sentence(count: int) -> None:
    """Fields of nodes are taken out, exchanged or replaced: an honest outcome each time, and no other error."""
    model = make_pipeline(StandardScaler(), RandomForestClassifier(2, max_depth=2, random_state=0)).fit(X, Y)
    with zipfile.ZipFile(io.BytesIO(dumped(model))) as archive:
        members = {name: archive.read(name) for name in archive.namelist() if name != "schema.json"}
        schema = archive.read("schema.json").decode()
    draw = random.Random(0)
    for _ in range(count):
        root = json.loads(schema)
        nodes = [root]
        for each in nodes:
            inner = each.values() if isinstance(each, dict) else each
            nodes.extend(part for part in inner if isinstance(part, (dict, list)))
        for _change in range(draw.randrange(1, 4)):
            chosen = draw.choice([each for each in nodes if isinstance(each, dict) and each])
            key = draw.choice(list(chosen))
            odd: tuple[Any, ...] = ("os", "system", "DictNode", "ListNode", None, 1, [], {}, draw.choice(nodes))
            chosen[key] = json.loads(json.dumps(draw.choice(odd)))
            if draw.randrange(3) == 0:
                del chosen[key]
        try:
            found = inspected(forged(root, members))
        except ArtifactError:
            continue
        assert not (found.complete and found.format == "skops" and found.findings)
