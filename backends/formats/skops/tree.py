"""The tree of a skops file as abstract values of a pickle, with each name that building it would import or call.

Nodes: skops/io/_general.py, _numpy.py, _scipy.py, _sklearn.py, protocols 0 to 2. A node has `__class__`, `__module__`,
the `__loader__` that builds it, and an `__id__`: of nodes that share one, skops builds the first for all.
"""

from __future__ import annotations

import json
import re
from typing import Any, Callable, Optional

from backends.core.errors import Damaged
from backends.core.findings import finding
from backends.core.inspection import Finding, GlobalRef
from backends.formats.pickle.arrays import is_shape
from backends.formats.pickle.values import DictValue, Global, Instance, Opaque, SetValue, Value
from backends.formats.skops.arrays import Members, dtype_of, objects, scalar_in
from backends.formats.skops.schema import SCHEMA

MAX_DEPTH = 100
"""Nodes inside nodes; a real model has 30."""
_TOLD = 100
_PLACE = 200
_NAME = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*\Z")
_SCALARS = re.compile(r"bool_?|u?int(?:8|16|32|64)|float(?:16|32|64|128)|longdouble|complex(?:64|128)|str_|bytes_|void")
RANDOM = frozenset(
    (
        ("numpy.random.mtrand", "RandomState"),
        ("numpy.random._generator", "Generator"),
        *(("numpy.random", bits) for bits in ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64")),
    )
)
"""numpy's generators of random numbers, which a pickle spells by functions that make them: nothing else is one."""
_KEYS: dict[str, Callable[[str], Value]] = {"int": int, "float": float, "str": str, "bool": bool}
_PENDING = Opaque("a part of itself")
_SAME = ("__loader__", "__module__", "__class__")
"""Fields that are the same in all nodes of one object; each is read all the same, as another reader might."""

Node = dict[str, Any]


class Tree:
    """The reading of one tree: `names` and `findings` grow with each node, `nodes` counts them."""

    def __init__(self, members: Members, protocol: int, offset: int) -> None:
        self.names: dict[tuple[str, str], GlobalRef] = {}
        self.findings: list[Finding] = []
        self.nodes = 0
        self._members = members
        self._protocol = protocol
        self._offset = offset
        self._known: dict[int, tuple[Node, Value]] = {}
        self._globals: dict[tuple[str, str], Global] = {}

    def value(self, node: Any, place: str = "", depth: int = 0) -> Value:
        """The value that stands for what a node would build. Raises Damaged, OSError."""
        if type(node) is not dict or depth > MAX_DEPTH:
            why = "no node" if type(node) is not dict else f"nodes nested deeper than {MAX_DEPTH}"
            raise Damaged(f"{SCHEMA} has {why} at '{place[:_PLACE]}'", offset=self._offset)
        self.nodes += 1
        key = node.get("__id__")
        known = self._known.get(key) if type(key) is int else None
        if known is not None and node.get("__loader__") == "CachedNode":
            return known[1]
        if known is not None and any(known[0].get(part) != node.get(part) for part in _SAME):
            self._report("skops-node", f"two objects have one id, of which skops builds one, at '{place[:_PLACE]}'")
        if known is None and type(key) is int:
            self._known[key] = (node, _PENDING)
        reader = _READERS.get(str(node.get("__loader__")))
        if reader is None:
            self._unknown(node, place)
            return Opaque("an unknown node")
        made = reader(self, node, place, depth + 1)
        if known is None and type(key) is int:
            self._known[key] = (node, made)
        return made if known is None else known[1]

    def _report(self, code: str, detail: str) -> None:
        if len(self.findings) < _TOLD:
            self.findings.append(finding(code, detail, self._offset))

    def _unknown(self, node: Node, place: str) -> None:
        loader = str(node.get("__loader__"))[:100]
        self._report("skops-node", f"the loader {loader!r} is none that is known, at '{place[:_PLACE]}'")
        if type(node.get("__module__")) is str and type(node.get("__class__")) is str:
            self._name(node["__module__"], node["__class__"], place, called=True)

    def _name(self, module: Any, name: Any, place: str, *, called: bool = False, given: Value = None) -> Global:
        """The global of this name, which is told once. Raises Damaged for what is no name."""
        if type(module) is not str or type(name) is not str:
            raise Damaged(f"{SCHEMA} has a node without a class at '{place[:_PLACE]}'", offset=self._offset)
        key = (module, name)
        if key not in self._globals:
            self._globals[key] = Global(module, name, self._offset)
            if not (_NAME.match(module) and _NAME.match(name)):
                self._report("odd-name", f"the name {f'{module}.{name}'[:200]!r} is none that a class has")
        before = self.names.get(key)
        if before is None or (called and not before.called):
            told = repr(given)[:160] if type(given) in (str, int, float) else None
            where = f"{SCHEMA}, {place[:_PLACE]}" if place else SCHEMA
            self.names[key] = GlobalRef(module, name, self._offset, called, told, where)
        return self._globals[key]

    def _class(self, node: Node, place: str, *, called: bool = True) -> Global:
        return self._name(node.get("__module__"), node.get("__class__"), place, called=called)

    def _part(self, node: Node, key: str, place: str) -> Any:
        if key not in node:
            raise Damaged(f"{SCHEMA} has a node without its {key} at '{place[:_PLACE]}'", offset=self._offset)
        return node[key]

    def _parts(self, node: Node, key: str, kind: type, place: str) -> Any:
        found = self._part(node, key, place)
        if type(found) is not kind:
            raise Damaged(f"{SCHEMA} has an odd {key} at '{place[:_PLACE]}'", offset=self._offset)
        return found

    def _list(self, content: list[Any], place: str, depth: int) -> list[Value]:
        return [self.value(item, f"{place}[{index}]", depth) for index, item in enumerate(content)]

    def read_dict(self, node: Node, place: str, depth: int) -> Value:
        """A dict; the text of each key is made what it was by a class, which is called with it."""
        kind = self._class(node, place)
        types = self.value(self._part(node, "key_types", place), place, depth)
        content = self._parts(node, "content", dict, place)
        if type(types) is not list or len(types) != len(content):
            raise Damaged(f"{SCHEMA} has an odd key_types at '{place[:_PLACE]}'", offset=self._offset)
        flat: list[Value] = []
        for made, (key, item) in zip(types, content.items()):
            flat += [self._key(made, key, place), self.value(item, f"{place}.{key}" if place else key, depth)]
        if str(kind) in ("builtins.dict", "collections.OrderedDict"):
            return DictValue(flat)
        made = Instance(kind, ())
        made.pairs = flat
        return made

    def _key(self, made: Value, key: str, place: str) -> Value:
        if type(made) is not Global:
            self._report("computed-callee", f"a key is made by something that was computed, at '{place[:_PLACE]}'")
            return key
        if made.module != "builtins" or made.name not in _KEYS:
            self._name(made.module, made.name, place, called=True, given=key)
            return key
        try:
            return _KEYS[made.name](key)
        except ValueError:
            return key

    def read_default_dict(self, node: Node, place: str, depth: int) -> Value:
        """A dict whose factory is called for keys that are missing."""
        content = self._parts(node, "content", dict, place)
        self._name("collections", "defaultdict", place, called=True)
        factory = self.value(self._part(content, "default_factory", place), place, depth)
        made = Instance(self._class(node, place), (factory,))
        main = self.value(self._part(content, "main", place), place, depth)
        made.pairs = main.flat if type(main) is DictValue else None
        return made

    def read_list(self, node: Node, place: str, depth: int) -> Value:
        """A list, tuple or set; another class is called with what is in it."""
        kind = self._class(node, place)
        items = self._list(self._parts(node, "content", list, place), place, depth)
        plain = {"builtins.list": list, "builtins.tuple": tuple}.get(str(kind))
        if plain is not None:
            return plain(items)
        return SetValue(items, False) if str(kind) == "builtins.set" else Instance(kind, (items,))

    def read_json(self, node: Node, place: str, depth: int) -> Value:
        """A number, a text, a truth value or None."""
        try:
            found = json.loads(self._parts(node, "content", str, place))
        except (ValueError, RecursionError):
            raise Damaged(f"{SCHEMA} has a value that is no JSON at '{place[:_PLACE]}'", offset=self._offset) from None
        return found if found is None or type(found) in (bool, int, float, str) else Opaque("JSON")

    def read_object(self, node: Node, place: str, depth: int) -> Value:
        """An object, made without a call of its class and given its state."""
        made = Instance(self._class(node, place), (), new=True)
        if node.get("content") is not None:
            made.state = self.value(node["content"], place, depth)
        return made

    def read_reduced(self, node: Node, place: str, depth: int) -> Value:
        """An object that its class makes of arguments, and that is then given its state."""
        kind = self._class(node, place)
        loader = node["__loader__"]
        if loader != "LossNode":
            module, name = _CONSTRUCTORS[loader]
            kind = self._name(module, name, place, called=True)
        reduced = self._parts(node, "__reduce__", dict, place)
        made = Instance(kind, self.value(self._part(reduced, "args", place), place, depth), new=True)
        made.state = self.value(self._part(node, "content", place), place, depth)
        return made

    def read_called(self, node: Node, place: str, depth: int) -> Value:
        """The result of calling its class with arguments."""
        arguments = self.value(self._part(node, "content", place), place, depth)
        return Instance(self._class(node, place), arguments)

    def read_name(self, node: Node, place: str, depth: int) -> Value:
        """A class or a function itself."""
        old = node.get("content")
        if self._protocol == 0 and type(old) is dict:
            return self._name(old.get("module_path"), old.get("function"), place)
        return self._class(node, place, called=False)

    def read_partial(self, node: Node, place: str, depth: int) -> Value:
        """A function with arguments, called when the object is used."""
        content = self._parts(node, "content", dict, place)
        parts = {key: self.value(self._part(content, key, place), f"{place}.{key}", depth) for key in _PARTIAL}
        function, arguments = parts["func"], parts["args"]
        if type(function) is Global:
            self._name(function.module, function.name, place, called=True)
        given = arguments if type(arguments) is tuple else (arguments,)
        return Instance(self._name("functools", "partial", place, called=True), (function, *given))

    def read_method(self, node: Node, place: str, depth: int) -> Value:
        """A method of an object that stands in the node; another class than the object's is nobody's honest word."""
        content = self._parts(node, "content", dict, place)
        owner, method = self._part(content, "obj", place), self._part(content, "func", place)
        inner = self.value(owner, place, depth)
        told = (node.get("__module__"), node.get("__class__"))
        if (owner.get("__module__"), owner.get("__class__")) != told or type(method) is not str or "." in method:
            self._report("skops-node", f"a method is said to be of another class than it is, at '{place[:_PLACE]}'")
        self._name(node.get("__module__"), f"{node.get('__class__')}.{method}", place)
        self._name(owner.get("__module__"), f"{owner.get('__class__')}.{method}", place)
        return Instance(self._global("builtins", "getattr"), (inner, method))

    def read_operator(self, node: Node, place: str, depth: int) -> Value:
        """A function of the module operator, whatever module the node names."""
        arguments = self.value(self._part(node, "attrs", place), place, depth)
        if node.get("__module__") != "operator":
            self._report("skops-node", f"a function of operator is said to be another one, at '{place[:_PLACE]}'")
            self._class(node, place)
        return Instance(self._name("operator", node.get("__class__"), place, called=True), arguments)

    def read_bytes(self, node: Node, place: str, depth: int) -> Value:
        """Bytes in a member of their own."""
        return self._members.data(node.get("file"))

    def read_slice(self, node: Node, place: str, depth: int) -> Value:
        """A slice."""
        return Instance(self._global("builtins", "slice"), ())

    def read_array(self, node: Node, place: str, depth: int) -> Value:
        """An array or a number of numpy's; one of objects has them as nodes."""
        module, name = node.get("__module__"), node.get("__class__")
        plain = module == "numpy" and type(name) is str and (name == "ndarray" or _SCALARS.fullmatch(name))
        if not plain:
            self._class(node, place)
        if node.get("type") == "numpy":
            array = self._members.array(node.get("file"))
            return array if name == "ndarray" else scalar_in(array)
        items = self._list(self._parts(node, "content", list, place), place, depth)
        shape = self.value(self._part(node, "shape", place), place, depth)
        return objects(items, shape if is_shape(shape) else (len(items),))

    def read_masked(self, node: Node, place: str, depth: int) -> Value:
        """An array with a mask; the array stands for both."""
        content = self._parts(node, "content", dict, place)
        self._class(node, place)
        self.value(self._part(content, "mask", place), place, depth)
        return self.value(self._part(content, "data", place), place, depth)

    def read_dtype(self, node: Node, place: str, depth: int) -> Value:
        """A dtype, kept as an empty array of it."""
        self._class(node, place)
        array = self.value(self._part(node, "content", place), place, depth)
        return dtype_of(getattr(array, "dtype", None))

    def read_random(self, node: Node, place: str, depth: int) -> Value:
        """A generator of random numbers of numpy's; its class of bits is found by a text and called."""
        content = self._part(node, "content", place)
        if node["__loader__"] == "RandomGeneratorNode" and type(content) is dict:
            bits = content.get("bit_generator")
            state = bits if self._protocol == 0 else self.value(bits, place, depth)
            name = state.get("bit_generator") if isinstance(state, (dict, DictValue)) else None
            self._random("numpy.random", name, place)
            if "seed_seq" in content:
                self.value(content["seed_seq"], place, depth)
        else:
            self.value(content, place, depth)
        return Instance(self._random(node.get("__module__"), node.get("__class__"), place), ())

    def _random(self, module: Any, name: Any, place: str) -> Global:
        if type(name) is str and (module, name) in RANDOM:
            return self._global(module, name)
        return self._name(module, name, place, called=True)

    def read_sparse(self, node: Node, place: str, depth: int) -> Value:
        """A sparse matrix of scipy's, whose arrays are an archive in a member."""
        self._members.sparse(node.get("file"))
        return Instance(self._class(node, place), ())

    def read_cached(self, node: Node, place: str, depth: int) -> Value:
        """An object that stands elsewhere in the tree; this one is not there."""
        raise Damaged(f"{SCHEMA} refers to an object that is not there at '{place[:_PLACE]}'", offset=self._offset)

    def _global(self, module: str, name: str) -> Global:
        return Global(module, name, self._offset)


_PARTIAL = ("func", "args", "kwds", "namespace")
_CONSTRUCTORS = {
    "TreeNode": ("sklearn.tree._tree", "Tree"),
    "QuantileForestNode": ("quantile_forest._quantile_forest_fast", "QuantileForest"),
}
_READERS: dict[str, Callable[[Tree, Node, str, int], Value]] = {
    "DictNode": Tree.read_dict,
    "DefaultDictNode": Tree.read_default_dict,
    "ListNode": Tree.read_list,
    "SetNode": Tree.read_list,
    "TupleNode": Tree.read_list,
    "BytesNode": Tree.read_bytes,
    "BytearrayNode": Tree.read_bytes,
    "SliceNode": Tree.read_slice,
    "FunctionNode": Tree.read_name,
    "TypeNode": Tree.read_name,
    "PartialNode": Tree.read_partial,
    "MethodNode": Tree.read_method,
    "ConstructorFromReduceNode": Tree.read_called,
    "ObjectNode": Tree.read_object,
    "JsonNode": Tree.read_json,
    "OperatorFuncNode": Tree.read_operator,
    "NdArrayNode": Tree.read_array,
    "MaskedArrayNode": Tree.read_masked,
    "DTypeNode": Tree.read_dtype,
    "RandomStateNode": Tree.read_random,
    "RandomGeneratorNode": Tree.read_random,
    "SparseMatrixNode": Tree.read_sparse,
    "LossNode": Tree.read_reduced,
    "TreeNode": Tree.read_reduced,
    "QuantileForestNode": Tree.read_reduced,
    "CachedNode": Tree.read_cached,
}
"""Each loader of skops by its name."""


def text_of(value: Any, limit: int = 100) -> Optional[str]:
    """A short text, None for anything else."""
    return value if type(value) is str and len(value) <= limit else None
