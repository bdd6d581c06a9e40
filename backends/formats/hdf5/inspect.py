"""The facts of a model in the project's own HDF5 layout, from its nodes: no array is read but labels and names."""

from __future__ import annotations

import math
import re
from typing import Any, Optional

import h5py

from backends.core.findings import finding
from backends.core.inspection import GlobalRef, Inspection, Json, ModelEntry, Signature
from backends.formats.hdf5.allowed import is_allowed
from backends.formats.hdf5.calls import odd_nodes
from backends.formats.hdf5.layout import ITEM_KINDS, LAYOUT, NAMED_FIELDS, split_name
from backends.formats.hdf5.nodes import Node, read_model
from backends.formats.hdf5.tree import Tree, text_of
from backends.formats.pickle.estimators import METHODS

_MAX_ITEMS = 200
_MAX_LABELS = 1000
_MAX_TEXT = 2000
_MAX_DEPTH = 6
_MAX_MODELS = 1000
_MAX_ARRAYS = 10_000
_ROLES = {"object": "new", "call": "call", "global": "name"}
_INNER = ("best_estimator_", "estimator_", "regressor_", "estimators_", "transformer_list", "estimator")
_NOT_DATA = ("object", "call", "global", "link")
_IDENTIFIER = re.compile(r"[A-Za-z_]\w*")


def inspect_own(tree: Tree) -> Inspection:
    """Everything `Inspection` asks for. Raises Damaged for a file that breaks the layout."""
    root = read_model(tree)
    tree.search()
    facts = _Facts(tree, root)
    models = facts.models(root, "")
    names = tuple(facts.names())
    arrays = tuple(
        tree.array_info(node.dataset, node.path)
        for node in root.below()
        if node.dataset is not None and node.value is None
    )
    versions = tree.versions()
    saved_by = next((model.version for model in models if model.version), None)
    if saved_by is not None:
        versions["scikit-learn"] = saved_by
    unlisted = facts.unlisted()
    for role_name, node in unlisted:
        tree.findings.append(finding("hdf5-unlisted-name", f"{node.path} names {role_name}", node.address))
    for odd, node in odd_nodes(root):
        tree.findings.append(finding("odd-call", f"{node.path} {odd}", node.address))
    for name, node in facts.overrides():
        tree.findings.append(finding("method-override", f"{node.path} is given a {name} of its own", node.address))
    return Inspection(
        format="hdf5",
        model_class=_dotted(root.name) if root.kind in ("object", "call") else models[0].class_name if models else None,
        names=(*names, *tree.names),
        library_versions=versions,
        parameters=models[0].parameters if models else {},
        signature=facts.signature(models[0] if models else None),
        models=tuple(models[:_MAX_MODELS]),
        arrays=tuple(arrays[:_MAX_ARRAYS]),
        n_weights=sum(math.prod(info.shape) for info in arrays if info.dtype not in ("str", "object")),
        complete=tree.complete,
        loadable=not unlisted and all(each.code == "hdf5-link" for each in tree.findings),
        findings=tuple(tree.findings),
        details={"layout": LAYOUT, **_left_out(len(models), len(arrays))},
    )


def _dotted(name: str) -> str:
    return name.replace(":", ".", 1)


def _short(name: str) -> str:
    return name.replace(":", ".").rsplit(".", 1)[-1]


def _step(at: str, name: str, is_key: bool = False) -> str:
    """The place of a member: `.name`, or `['odd name']` where it is no identifier."""
    if _IDENTIFIER.fullmatch(name) and not is_key:
        return f"{at}.{name}" if at else name
    quoted = re.sub(r"(['\\])", r"\\\1", name)
    return f"{at}['{quoted}']"


def _left_out(models: int, arrays: int) -> dict[str, Json]:
    """How many models and arrays are not listed, where there are too many."""
    over = {"models_left_out": models - _MAX_MODELS, "arrays_left_out": arrays - _MAX_ARRAYS}
    return {name: count for name, count in over.items() if count > 0}


class _Facts:
    """Facts that the nodes of one file tell."""

    def __init__(self, tree: Tree, root: Node) -> None:
        self._tree = tree
        self._root = root
        self._places: dict[str, Node] = {}

    def names(self) -> list[GlobalRef]:
        """Every class and function the file names, once each; `called` where loading would instantiate or call it."""
        found: dict[tuple[str, bool], GlobalRef] = {}
        for node in self._root.below():
            if node.kind in _ROLES:
                called = node.kind != "global"
                found.setdefault((node.name, called), GlobalRef(*split_name(node.name), node.address, called))
        return list(found.values())

    def unlisted(self) -> list[tuple[str, Node]]:
        """Names that loading would refuse to import, and where it is first named."""
        found: dict[str, Node] = {}
        for node in self._root.below():
            if node.kind in _ROLES and not is_allowed(_ROLES[node.kind], node.name):
                found.setdefault(_dotted(node.name), node)
        return list(found.items())

    def overrides(self) -> list[tuple[str, Node]]:
        """State that puts an object or a function in the place of a method, or anything in that of a special one."""
        found: list[tuple[str, Node]] = []
        for node in self._root.below():
            if "_sklearn_version" in node.members:
                names = [name for name in node.members if name in METHODS or name.startswith("__")]
                odd = (name for name in names if node.members[name].kind in _NOT_DATA or name.startswith("__"))
                found.extend((name, node) for name in odd)
        return found

    def models(self, root: Node, at: str) -> list[ModelEntry]:
        """Every estimator below a node with its place, parents first, in the order of the file."""
        found = []
        waiting = [(root, at)]
        while waiting:
            node, place = waiting.pop()
            if "_sklearn_version" in node.members and node.kind in ("object", "call"):
                self._places.setdefault(place, node)
                found.append(self._entry(node, place))
            waiting.extend(reversed(_children(node, place)))
        return found

    def _entry(self, node: Node, at: str) -> ModelEntry:
        version = node.members["_sklearn_version"].value
        parameters = [text_of(name) or "" for name in node.markers.get("@parameters", ())]
        return ModelEntry(
            at=at,
            class_name=_dotted(node.name),
            parameters={name: self.words(node.members[name]) for name in parameters if name in node.members},
            version=version if isinstance(version, str) else None,
            steps=_steps(node),
        )

    def words(self, node: Node, depth: int = 0) -> Json:
        """A value as JSON, capped in length and depth: plain values as they are, everything else in a few words."""
        node = node.target(self._root)
        if node.kind == "plain":
            return _plain_words(node.value)
        if depth > _MAX_DEPTH:
            return "<…>"
        if node.kind in ("array", "scalar", "str", "bytes") or (node.kind in ITEM_KINDS and node.dataset is not None):
            return self._dataset_words(node)
        if node.kind in ("object", "call"):
            has_state = any(name[0] != "@" for name in node.members)
            return f"{_short(node.name)}()" if has_state else f"<{_short(node.name)}>"
        if node.kind == "global":
            is_class = _short(node.name)[:1].isupper() or _is_type(node.name)
            return f"<{'class' if is_class else 'function'} {_dotted(node.name)}>"
        return self._container_words(node, depth + 1)

    def _container_words(self, node: Node, depth: int) -> Json:
        if node.kind in ITEM_KINDS:
            return _capped([self.words(item, depth) for item in node.items()[: _MAX_ITEMS + 1]], len(node.members))
        if node.kind == "named-list":
            keys = node.ordered_keys()
            return _capped([self._named_words(key, node.members[key], depth) for key in keys[:_MAX_ITEMS]], len(keys))
        if node.kind == "dict":
            return {key: self.words(node.members[key], depth) for key in node.ordered_keys()[:_MAX_ITEMS]}
        if node.kind == "pairs" and {"keys", "values"} <= set(node.members):
            left, right = self.words(node.members["keys"], depth), self.words(node.members["values"], depth)
            if isinstance(left, list) and isinstance(right, list):
                return {str(key): value for key, value in zip(left, right)}
        if node.kind == "dtype":
            return f"<dtype {node.name}>"
        if node.kind in ("object-array", "masked-array"):
            return f"<{node.kind.replace('-', ' ')}>"
        return f"<{node.kind}>"

    def _named_words(self, key: str, member: Node, depth: int) -> Json:
        if member.kind == "named-entry":
            parts = [member.members[name] for name in NAMED_FIELDS if name in member.members]
            return [key, *(self.words(part, depth) for part in parts)]
        return [key, self.words(member, depth)]

    def _dataset_words(self, node: Node) -> Json:
        info = self._tree.array_info(node.dataset, node.path)
        if node.kind == "str":
            return f"<text of {info.bytes} bytes>"
        if node.kind == "bytes":
            return f"<{info.bytes} bytes>"
        if node.kind == "array":
            return f"<array {text_of(node.markers.get('@dtype')) or info.dtype} {info.shape}>"
        values = self.values(node, _MAX_ITEMS)
        if values is None:
            return f"<{node.kind} of {info.shape}>"
        return values[0] if node.kind == "scalar" and values else _capped(list(values), math.prod(info.shape))

    def values(self, node: Node, limit: int) -> Optional[list[Json]]:
        """The first values of a small one-dimensional or scalar dataset; None for what is not read here."""
        dataset = node.dataset
        if dataset is None or dataset.ndim > 1 or not self._tree.check_dataset(dataset):
            return None
        if h5py.check_string_dtype(dataset.dtype) is not None:
            texts = self._tree.texts(dataset) or []
            return [text[:_MAX_TEXT] for text in texts[:limit]]
        if dataset.dtype.kind not in "biuf" or "@dtype" in node.markers:
            return None
        read = dataset[()] if dataset.ndim == 0 else dataset[:limit]
        return [_plain_words(item) for item in (read.tolist() if dataset.ndim else [read.item()])]

    def signature(self, model: Optional[ModelEntry]) -> Signature:
        """Inputs and outputs of a model, looked up where wrappers keep it: first step, last step, inner estimator."""
        if model is None:
            return Signature()
        node = self._places[model.at]
        width = self._find(node, "n_features_in_", 0)
        names = self._find(node, "feature_names_in_", 0)
        labels = self._find(node, "classes_", -1)
        outputs = self._find(node, "n_outputs_", -1)
        told = outputs.value if outputs is not None and type(outputs.value) is int else None
        if told is None and labels is not None:
            told = len(labels.members) if labels.kind == "list" and labels.dataset is None else 1
        listed = self._labels(names) if names is not None else None
        classes = self._labels(labels) if labels is not None else None
        return Signature(
            n_features=width.value if width is not None and type(width.value) is int else None,
            feature_names=tuple(str(name) for name in listed) if listed is not None else None,
            outputs=told,
            classes=tuple(classes[:_MAX_LABELS]) if classes is not None else None,
        )

    def _find(self, node: Node, name: str, step: int, depth: int = 0) -> Optional[Node]:
        node = node.target(self._root)
        if name in node.members:
            return node.members[name].target(self._root)
        if depth > _MAX_DEPTH:
            return None
        steps = node.members.get("steps")
        if steps is not None and steps.kind == "named-list" and steps.members:
            return self._find(steps.members[steps.ordered_keys()[step]], name, step, depth + 1)
        for inner in _INNER:
            if inner in node.members:
                return self._find(_first(node.members[inner].target(self._root)), name, step, depth + 1)
        return None

    def _labels(self, node: Node) -> Optional[list[Json]]:
        node = node.target(self._root)
        if node.kind == "object-array" and "items" in node.members:
            node = node.members["items"]
        if node.dataset is None and node.kind == "list":
            inner = [self._labels(item) for item in node.items()]
            return [each if each is not None else "<…>" for each in inner]
        if node.kind == "plain":
            return [_plain_words(node.value)]
        return self.values(node, 1_000_000)


def _children(node: Node, at: str) -> list[tuple[Node, str]]:
    """The nodes below one and their places, in order. Links are second names and give none."""
    found = []
    if node.kind == "named-list":
        for position, key in enumerate(node.ordered_keys()):
            found.append((node.members[key], f"{at}[{position}][1]"))
    elif node.kind in ("list", "tuple"):
        found = [(item, f"{at}[{position}]") for position, item in enumerate(node.items())] if not node.dataset else []
    elif node.kind == "named-entry":
        found = [(node.members[NAMED_FIELDS[0]], at)] if NAMED_FIELDS[0] in node.members else []
    elif node.kind == "dict":
        found = [(node.members[key], _step(at, key, is_key=True)) for key in node.ordered_keys()]
    elif node.kind in ("object", "call"):
        names = sorted((name for name in node.members if name[0] != "@"), key=lambda name: name.endswith("_"))
        found = [(node.members[name], _step(at, name)) for name in names]
        update = node.members.get("@update")
        if update is not None:
            found.append((update, at))
    return [(child, place) for child, place in found if child.kind not in ("plain", "link", "array")]


def _steps(node: Node) -> tuple[str, ...]:
    """The names of a composed model's parts, in order."""
    for name in ("steps", "transformer_list", "transformers", "estimators"):
        parts = node.members.get(name)
        if parts is not None and parts.kind == "named-list":
            return tuple(parts.ordered_keys())
    return ()


def _first(node: Node) -> Node:
    """The first estimator of a list of them; any other node itself."""
    if node.kind == "named-list":
        return next(iter(node.members.values()), node)
    return node.members.get("0", node) if node.kind in ITEM_KINDS else node


def _plain_words(value: Any) -> Json:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, complex):
        return str(value)
    if isinstance(value, str):
        return value if len(value) <= _MAX_TEXT else value[:_MAX_TEXT] + "…"
    return value if value is None or isinstance(value, (bool, int, float)) else f"<{type(value).__name__}>"


def _is_type(name: str) -> bool:
    return (
        re.fullmatch(r"numpy:(u?int|float|complex|bool|str|bytes|object|longdouble|datetime|timedelta)\w*", name)
        is not None
    )


def _capped(items: list[Json], total: int) -> Json:
    kept = items[:_MAX_ITEMS]
    return [*kept, f"… {total - len(kept)} more"] if total > len(kept) else kept
