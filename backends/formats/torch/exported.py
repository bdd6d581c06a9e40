"""Programs of torch.export (.pt2): a zip archive around a graph in JSON and its weights; read without PyTorch.

Format: torch/export/pt2_archive and torch/_export/serde/schema.py of PyTorch 2.13.
"""

from __future__ import annotations

import json
import zipfile
from collections import Counter
from dataclasses import replace
from typing import Any, Optional

from backends.core.counted import counted
from backends.core.errors import Damaged, NotLoadable
from backends.core.findings import finding
from backends.core.format import LoadedModel
from backends.core.inspection import ArrayInfo, Finding, Inspection, Json, TensorSpec
from backends.core.source import Source
from backends.core.zip_inside import inspect_members
from backends.core.zip_rules import check_contents, check_members, open_zip, read_member
from backends.formats.torch.running import load_exported, signature_of

_MOST_JSON = 64 << 20
_LISTED = 200
_DTYPES = {
    1: ("uint8", 1), 2: ("int8", 1), 3: ("int16", 2), 4: ("int32", 4), 5: ("int64", 8), 6: ("float16", 2),
    7: ("float32", 4), 8: ("float64", 8), 9: ("complex32", 4), 10: ("complex64", 8), 11: ("complex128", 16),
    12: ("bool", 1), 13: ("bfloat16", 2),
}  # fmt: skip
_OWN = ("torch.ops.aten.", "torch.ops.prims.", "torch.ops.higher_order.", "_operator.", "math.", "torch.sym_")
"""Operators that PyTorch brings; others need a library of their own."""


def _model_of(names: list[str]) -> Optional[str]:
    """The member that is the graph: ROOT/models/NAME.json beside ROOT/archive_format."""
    for name in names:
        root, _, rest = name.partition("/")
        if rest.startswith("models/") and rest.endswith(".json") and f"{root}/archive_format" in names:
            return name
    return None


def sniff(head: bytes, source: Source) -> bool:
    """Whether it is an archive with a graph of torch.export."""
    try:
        with open_zip(source) as archive:
            return _model_of(archive.namelist()) is not None
    except Damaged:
        return False


def inspect(source: Source) -> Inspection:
    """The graph, its weights and everything odd. Raises Damaged, Unsupported, OSError."""
    with open_zip(source) as archive:
        found = check_members(source, archive)
        name = _model_of(archive.namelist())
        if name is None:
            raise Damaged("the archive holds no graph", offset=0)
        root = name.partition("/")[0]
        graph, version = _graph(archive, name)
        inside = inspect_members(source, archive, [one for one in archive.infolist() if one.filename != name])
        found += [finding("torch-program", "an exported program: PyTorch evaluates the text of its shapes and guards")]
        found += [*inside.findings, *check_contents(archive)]
        arrays = _weights(archive, root, graph, found)
    facts = _facts(graph, version)
    broken = any(one.code != "torch-program" for one in found)
    return replace(
        facts,
        names=inside.names,
        arrays=tuple(arrays),
        n_weights=sum(_elements(one.shape) for one in arrays),
        complete=not broken and not facts.findings,
        findings=(*found, *facts.findings),
        summary=f"exported program · {counted(sum(_elements(one.shape) for one in arrays))} params",
    )


def load(source: Source, at: str = "") -> LoadedModel:
    """The program, ready to run. Raises Damaged, NotLoadable, what PyTorch raises."""
    if at:
        raise NotLoadable("an exported program is one model: leave out the place")
    return load_exported(source, inspect(source))


def _graph(archive: zipfile.ZipFile, name: str) -> tuple[dict[str, Any], str]:
    """The graph with its signature, and the version of PyTorch that wrote it. Raises Damaged."""
    info = archive.getinfo(name)
    if info.file_size > _MOST_JSON:
        raise Damaged(f"a graph of {info.file_size:,} bytes, of which at most {_MOST_JSON:,} are read")
    try:
        root = json.loads(read_member(archive, info, _MOST_JSON))
        module = root["graph_module"]
        graph = {**module["graph"], "signature": module["signature"]}
        version = str(root.get("torch_version", ""))[:40]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Damaged("its graph is no JSON that torch.export writes", offset=info.header_offset) from None
    return graph, version


def _facts(graph: dict[str, Any], version: str) -> Inspection:
    """Signature, operators and details. Raises Damaged."""
    try:
        operators = Counter(str(node["target"])[:200] for node in graph["nodes"])
        values = graph["tensor_values"]
        given = [one["user_input"]["arg"]["as_tensor"]["name"] for one in graph["signature"]["input_specs"]
                 if "as_tensor" in one.get("user_input", {}).get("arg", {})]  # fmt: skip
        answered = [one["user_output"]["arg"]["as_tensor"]["name"] for one in graph["signature"]["output_specs"]
                    if "as_tensor" in one.get("user_output", {}).get("arg", {})]  # fmt: skip
        takes, gives = [_spec(name, values) for name in given], [_spec(name, values) for name in answered]
    except (KeyError, TypeError, AttributeError, ValueError):
        raise Damaged("its graph misses what torch.export writes") from None
    details: dict[str, Json] = {
        "nodes": sum(operators.values()),
        "operators": {name.removeprefix("torch.ops."): count for name, count in operators.most_common(_LISTED)},
    }
    return Inspection(
        "torch-export",
        model_class="torch.export.ExportedProgram",
        library_versions={"torch": version} if version else {},
        signature=signature_of(takes, gives),
        findings=tuple(_foreign(operators)),
        details=details,
    )


def _foreign(operators: Counter[str]) -> list[Finding]:
    others = sorted(name for name in operators if not name.startswith(_OWN))
    return [finding("torch-operator", f"{name} is run by a library that is not PyTorch") for name in others[:20]]


def _spec(name: str, values: dict[str, Any]) -> TensorSpec:
    told = values[name]
    dtype, _size = _DTYPES.get(told["dtype"], ("", 0))
    return TensorSpec(str(name)[:200], dtype, tuple(_side(one) for one in told["sizes"]))


def _side(told: dict[str, Any]) -> Optional[int]:
    side = told.get("as_int")
    if side is not None and (type(side) is not int or not 0 <= side < 1 << 31):
        raise ValueError("a side")
    return side


def _weights(archive: zipfile.ZipFile, root: str, graph: dict[str, Any], found: list[Finding]) -> list[ArrayInfo]:
    """The weights by their places in the module, each with a member of its size. Raises Damaged."""
    members = {info.filename: info for info in archive.infolist()}
    config = next((name for name in members if name.startswith(f"{root}/data/weights/") and name.endswith(".json")), "")
    if not config:
        return []
    try:
        told = json.loads(read_member(archive, members[config], _MOST_JSON))["config"]
        pairs = [(str(place), one["path_name"], one["tensor_meta"]) for place, one in told.items()]
        infos = [_array(place, path, meta, members, root, found) for place, path, meta in pairs]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Damaged("its list of weights is none that torch.export writes") from None
    return infos


def _array(
    place: str, path: str, meta: dict[str, Any], members: dict[str, zipfile.ZipInfo], root: str, found: list[Finding]
) -> ArrayInfo:
    dtype, size = _DTYPES.get(meta["dtype"], ("unknown", 1))
    shape = tuple(side for one in meta["sizes"] if (side := _side(one)) is not None)
    info = members.get(f"{root}/data/weights/{path}")
    needed = _elements(shape) * size
    if info is None or info.file_size < needed:
        found.append(finding("torch-storage", f"the numbers of {place[:100]!r} are missing or cut off"))
    return ArrayInfo(place[:400], shape, dtype, needed)


def _elements(shape: tuple[int, ...]) -> int:
    count = 1
    for side in shape:
        count *= side
    return count
