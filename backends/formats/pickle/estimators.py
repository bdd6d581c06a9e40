"""Facts about the models in a pickle, from its abstract values: classes, parameters, versions, signature, arrays."""

from __future__ import annotations

import functools
import json
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from backends.core.findings import finding
from backends.core.inspection import ArrayInfo, Finding, Json, ModelEntry, Signature
from backends.formats.pickle.arrays import read_array, read_scalar
from backends.formats.pickle.text_inputs import text_inputs
from backends.formats.pickle.value_graph import MAX_DEPTH, Node, attributes, place, unfolds, visit
from backends.formats.pickle.value_json import JsonBudget, class_of, labels, to_json
from backends.formats.pickle.values import DictValue, Global, Instance, SetValue, Span, Value

MAX_MODELS = 1000
MAX_ARRAYS = 10_000
_MAX_UNFOLDED = 1_000_000_000
_DATA = Path(__file__).with_name("sklearn_parameters.json")
_PLAIN_PACKAGES = frozenset(
    [
        "numpy",
        "scipy",
        "pandas",
        "builtins",
        "__builtin__",
        "collections",
        "datetime",
        "decimal",
        "uuid",
        "pathlib",
        "joblib",
        "copyreg",
        "copy_reg",
        "functools",
        "fractions",
        "random",
        "re",
        "threading",
        "types",
        "array",
        "enum",
        "operator",
        "itertools",
    ]
)
"""Packages whose objects are data, not models."""
METHODS = frozenset(
    ("predict", "predict_proba", "predict_log_proba", "decision_function", "transform", "inverse_transform", "fit",
     "fit_transform", "fit_predict", "partial_fit", "score", "score_samples", "get_params", "set_params", "apply")
)  # fmt: skip
"""Methods that a model is asked by: what stands in their place is called."""
_LAST_STEPS = ("best_estimator_", "estimator_", "classifier_", "regressor_", "final_estimator_")


@dataclass
class Facts:
    """The facts of one file; see Inspection for what each means."""

    model_class: Optional[str] = None
    models: list[ModelEntry] = field(default_factory=list)
    arrays: list[ArrayInfo] = field(default_factory=list)
    n_weights: int = 0
    signature: Signature = field(default_factory=Signature)
    library_versions: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    details: dict[str, Json] = field(default_factory=dict)
    words: JsonBudget = field(default_factory=JsonBudget)


def read_facts(roots: list[Value], seconds: float = 5.0) -> Facts:
    """The facts that stand below these abstract roots. Raises OSError when small arrays cannot be read.

    What takes longer than `seconds`, or is nested too deep, is cut short with a finding.
    """
    facts, main, models, arrays = Facts(), None, 0, 0
    deadline = time.monotonic() + seconds
    for count, node in enumerate(visit(roots)):
        if node.depth >= MAX_DEPTH:
            facts.findings.append(finding("limit", f"values nested deeper than {MAX_DEPTH}", 0))
            break
        if count % 64 == 0 and time.monotonic() > deadline:
            facts.findings.append(finding("limit", f"telling the facts took longer than {seconds:g} seconds", 0))
            break
        array = read_array(node.value)
        if array is not None:
            arrays += 1
            facts.n_weights += array.numbers
            if arrays <= MAX_ARRAYS:
                info = ArrayInfo(place(node), array.shape, array.dtype.text, array.nbytes)
                facts.arrays.append(info)
        elif type(node.value) is Instance:
            kind = class_of(node.value)
            values = attributes(node.value)
            _check_methods(facts, node, kind, values)
            _booster(facts, kind, values)
            if kind is not None and _is_model(node, kind, values):
                models += 1
                if models <= MAX_MODELS:
                    facts.models.append(_entry(node, kind, values, facts.words))
                main = main or node.value
    if any(unfolds([root], _MAX_UNFOLDED) for root in roots):
        facts.findings.append(finding("exponential", f"containers that unfold to over {_MAX_UNFOLDED} parts", 0))
    _root_facts(facts, roots, main)
    _left_out(facts, models, arrays)
    return facts


def _root_facts(facts: Facts, roots: list[Value], main: Optional[Instance]) -> None:
    first = facts.models[0] if facts.models else None
    root = class_of(roots[0]) if len(roots) == 1 else None
    if root is None and len(roots) == 1:
        root = _class_and_state(roots[0])
    if root is not None and root.module.split(".")[0] not in _PLAIN_PACKAGES:
        facts.model_class = str(root)
    elif first is not None:
        facts.model_class = first.class_name
    versions = {entry.version: None for entry in facts.models if entry.version}
    if versions:
        facts.library_versions["scikit-learn"] = next(iter(versions))
    if len(versions) > 1:
        facts.details["scikit-learn versions"] = list(versions)
    if main is not None:
        facts.signature = _signature(main)
    facts.details["root"] = ", ".join(_shape_of(root) for root in roots[:10])


def _class_and_state(root: Value) -> Optional[Global]:
    """The class of a model that its writer took apart into a pair of class and state."""
    pair = type(root) is tuple and len(root) == 2 and type(root[0]) is Global and type(root[1]) is DictValue
    return root[0] if pair else None


def _left_out(facts: Facts, models: int, arrays: int) -> None:
    if models > MAX_MODELS:
        facts.details["models_left_out"] = models - MAX_MODELS
    if arrays > MAX_ARRAYS:
        facts.details["arrays_left_out"] = arrays - MAX_ARRAYS


def _shape_of(root: Value) -> str:
    """The root of a file in a few words: `dict(2): model, scaler`."""
    if type(root) is DictValue:
        keys = [str(to_json(key))[:40] for key in root.flat[:20:2]]
        return f"dict({len(root.flat) // 2}): {', '.join(keys)}"
    if type(root) in (list, tuple):
        return f"{type(root).__name__}({len(root)})"
    if type(root) is SetValue:
        return f"set({len(root.items)})"
    kind = class_of(root)
    return str(kind) if kind is not None else str(to_json(root))[:200]


def _check_methods(facts: Facts, node: Node, kind: Optional[Global], values: dict[str, Value]) -> None:
    """Report state that puts something callable in the place of a method."""
    for name in values:
        suspicious = name in METHODS or (name.startswith("__") and name.endswith("__"))
        if suspicious and _may_be_called(values[name]) and len(facts.findings) < MAX_MODELS:
            what = f"{kind or 'an object'} gets {to_json(values[name])} as its {name}"
            facts.findings.append(finding("method-override", f"{what} at '{place(node)}'", kind.offset if kind else 0))


def _may_be_called(value: Value) -> bool:
    """Whether a value can be a function: a name, or what an ordinary function or a wrapper of functions returns."""
    if type(value) is not Instance:
        return type(value) is Global
    kind = class_of(value)
    if kind is None:
        return read_array(value) is None and read_scalar(value) is None
    return kind.module.split(".")[0] in ("functools", "operator", "types", "builtins", "__builtin__")


def _is_model(node: Node, kind: Global, values: dict[str, Value]) -> bool:
    package = kind.module.split(".")[0]
    if "_sklearn_version" in values:
        return True
    if package in _PLAIN_PACKAGES:
        return False
    if package == "sklearn":
        return _known_parameters(kind) is not None
    return node.open or any(name.endswith("_") and not name.startswith("_") for name in values)


@functools.lru_cache(maxsize=1)
def _table() -> tuple[dict[str, list[str]], dict[str, set[str]]]:
    """Constructor parameters by dotted class, and by bare class name for the paths of other releases."""
    classes = json.loads(_DATA.read_text(encoding="ascii"))["classes"]
    bare: dict[str, set[str]] = {}
    for dotted, names in classes.items():
        bare.setdefault(dotted.rsplit(".", 1)[1], set()).update(names)
    return classes, bare


def _known_parameters(kind: Global) -> Optional[set[str]]:
    classes, bare = _table()
    exact = classes.get(str(kind))
    return set(exact) if exact is not None else bare.get(kind.name)


def _parameters(kind: Global, values: dict[str, Value], words: JsonBudget) -> dict[str, Json]:
    """Constructor parameters among an object's attributes: by the table, else by the field's convention."""
    known = _known_parameters(kind) if kind.module.split(".")[0] == "sklearn" else None
    if known is None:
        names = [name for name in values if not (name.startswith("_") or name.endswith("_"))]
    else:
        names = [name for name in values if name in known]
    return {name: to_json(values[name], 0, words) for name in names[:200]}


def _entry(node: Node, kind: Global, values: dict[str, Value], words: JsonBudget) -> ModelEntry:
    version = values.get("_sklearn_version")
    told = version if type(version) is str else None
    return ModelEntry(place(node), str(kind), _parameters(kind, values, words), told, _steps(values))


def _steps(values: dict[str, Value]) -> tuple[str, ...]:
    for name in ("steps", "transformer_list", "transformers", "estimators"):
        parts: Value = values.get(name)
        if type(parts) not in (list, tuple) or not 0 < len(parts) <= MAX_MODELS:
            continue
        names = [part[0] for part in parts if type(part) is tuple and part and type(part[0]) is str]
        if len(names) == len(parts):
            return tuple(names)
    return ()


def _signature(model: Instance, depth: int = 0) -> Signature:
    """Inputs and outputs of a model; a pipeline takes what its first step takes and answers what its last does."""
    values = attributes(model)
    first, last = _ends(values) if depth < 8 else (None, None)
    inner_in = _signature(first, depth + 1) if first is not None else Signature()
    inner_out = _signature(last, depth + 1) if last is not None and last is not first else inner_in
    own_names = labels(values.get("feature_names_in_"))
    names = tuple(str(name) for name in own_names) if own_names is not None else inner_in.feature_names
    n_features = _n_features(model, values)
    classes = labels(values.get("classes_"))
    outputs = values.get("n_outputs_")
    if type(outputs) is not int:
        outputs = None
    if outputs is None and classes is not None:
        outputs = len(classes) if type(values.get("classes_")) is list else 1
    return Signature(
        n_features=n_features if n_features is not None else inner_in.n_features,
        feature_names=names,
        outputs=outputs if outputs is not None else (inner_out.outputs if last is not None else None),
        classes=classes if classes is not None else (inner_out.classes if last is not None else None),
        texts=text_inputs(model, values) or inner_in.texts,
    )


def _ends(values: dict[str, Value]) -> tuple[Optional[Instance], Optional[Instance]]:
    """The parts of a composed model that see its input and give its output."""
    for name in ("steps", "transformer_list"):
        parts = _parts(values.get(name))
        if parts:
            return parts[0], parts[-1] if name == "steps" else None
    last = next((values[name] for name in _LAST_STEPS if _has_state(values.get(name))), None)
    first = next(iter(_parts(values.get("estimators_"))), last)
    if first is None and _has_state(values.get("estimator")):
        return values["estimator"], values["estimator"]
    return first, last


def _parts(value: Value) -> list[Instance]:
    """The fitted parts of a list of models, or of pairs of name and model."""
    if type(value) is not list or len(value) > 100 * MAX_MODELS:
        return []
    parts = [part[1] if type(part) is tuple and len(part) == 2 else part for part in value]
    return [part for part in parts if _has_state(part)]


def _has_state(value: Value) -> bool:
    return type(value) is Instance and bool(attributes(value))


def _n_features(model: Instance, values: dict[str, Value]) -> Optional[int]:
    """The number of input columns: told by newer releases, read off the fitted arrays of older ones."""
    kind = class_of(model)
    parameters = (_known_parameters(kind) if kind is not None else None) or set()
    for name in ("n_features_in_", "n_features_", "n_features"):
        if type(values.get(name)) is int and name not in parameters:
            return int(values[name])
    shape_fit = values.get("shape_fit_")
    if type(shape_fit) is tuple and len(shape_fit) == 2 and type(shape_fit[1]) is int:
        return int(shape_fit[1])
    if kind is None or not kind.module.startswith("sklearn."):
        return None
    for name in ("coef_", "theta_", "_fit_X", "cluster_centers_", "scale_"):
        array = read_array(values.get(name))
        if array is not None and len(array.shape) in (1, 2) and (name != "_fit_X" or len(array.shape) == 2):
            return array.shape[-1]
    return None


_MAX_BOOSTER = 64 << 20
_LIGHTGBM = re.compile(r"^tree\nversion=(v\d+)", re.MULTILINE)


def _booster(facts: Facts, kind: Optional[Global], values: dict[str, Value]) -> None:
    """Formats and versions of boosters that stand inside a pickle as text or bytes of their own."""
    package = kind.module.split(".")[0] if kind is not None else ""
    if package == "lightgbm":
        _lightgbm(facts, values)
    elif package == "xgboost":
        _xgboost(facts, values)


def _lightgbm(facts: Facts, values: dict[str, Value]) -> None:
    text = values.get("handle", values.get("_handle"))
    text = text.read(4096) if type(text) is Span else text
    match = _LIGHTGBM.search(text) if type(text) is str else None
    if match:
        facts.details["lightgbm model_str"] = f"version={match.group(1)}"


def _xgboost(facts: Facts, values: dict[str, Value]) -> None:
    raw = values.get("handle")
    if type(raw) is Instance and str(raw.callee) == "builtins.bytearray" and type(raw.args) is tuple and raw.args:
        raw = raw.args[0]
    raw = raw.read(_MAX_BOOSTER) if type(raw) is Span else raw
    if type(raw) is not bytes or len(raw) < 16:
        return
    facts.details["xgboost model"] = "ubj" if raw[:2] == b"{L" else "json" if raw[:1] == b"{" else "binary"
    version = _xgboost_version(raw)
    if version:
        facts.library_versions["xgboost"] = version


def _xgboost_version(raw: bytes) -> str:
    """The version in xgboost's JSON or UBJSON, e.g. `…version[L 0 0 … i]`; empty where there is none."""
    at = raw.rfind(b"version")
    if at < 0:
        return ""
    tail = raw[at + 7 : at + 80]
    plain = re.match(rb'"\s*:\s*\[(\d+),(\d+),(\d+)\]', tail)
    if plain:
        return ".".join(part.decode() for part in plain.groups())
    return _ubjson_numbers(tail)


def _ubjson_numbers(tail: bytes) -> str:
    sizes = {"i": 1, "U": 1, "I": 2, "l": 4, "L": 8}
    if tail[:1] != b"[":
        return ""
    numbers: list[int] = []
    position, typed = 1, ""
    while position < len(tail) and len(numbers) < 3:
        mark = chr(tail[position])
        if mark == "$":
            typed = chr(tail[position + 1])
            position += 2
        elif mark == "#":
            position += 2 + sizes.get(chr(tail[position + 1]), 1)
            if typed:
                width = sizes.get(typed, 1)
                numbers = [int.from_bytes(tail[at : at + width], "big") for at in
                           range(position, position + 3 * width, width)]  # fmt: skip
        elif mark in sizes:
            width = sizes[mark]
            numbers.append(int.from_bytes(tail[position + 1 : position + 1 + width], "big"))
            position += 1 + width
        else:
            break
    return ".".join(map(str, numbers)) if len(numbers) == 3 else ""
