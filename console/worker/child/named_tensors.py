"""Tensors of a request for a model that takes such: held against its inputs, and its outputs as they are sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backends.core.errors import Refusal
from backends.core.inspection import Json, TensorSpec
from backends.core.tensor_model import fitting
from console.worker.child.calls import Place, array_from, raw_arrays
from console.worker.child.jsonable import jsonable
from console.worker.child.lazy import numpy
from console.worker.wire import size_of

_SAFE = frozenset("iuf")


def given(fields: Mapping[str, Any], body: Any) -> dict[str, Any]:
    """The tensors of a request: numbers one behind another in the body, texts in the head. Raises Refusal."""
    found: dict[str, Any] = {}
    data, place = memoryview(body), 0
    for name, dtype, shape in fields.get("tensors") or ():
        size = size_of(dtype, tuple(shape))
        found[str(name)] = array_from(data[place : place + size], dtype, shape)
        place += size
    if place != len(data):
        raise Refusal("bad-input", f"{len(data) - place} bytes came behind the last tensor")
    for name, shape, texts in fields.get("texts") or ():
        try:
            found[str(name)] = numpy.array(texts, dtype=object).reshape(tuple(shape))
        except ValueError:
            raise Refusal("bad-input", f"{len(texts)} texts are no tensor of the shape {list(shape)}") from None
    return found


def fitted(takes: Sequence[TensorSpec], found: dict[str, Any], *, plain: bool) -> dict[str, Any]:
    """The tensors as the inputs take them; one alone goes into the only input, whatever its name.

    dtypes have to be equal, but for `plain` numbers, which JSON gives no type: those become what is wanted where that
    keeps whole numbers as they are. Raises Refusal that tells what was expected and found.
    """
    if len(takes) == len(found) == 1:
        found = {takes[0].name: next(iter(found.values()))}
    by_name = {one.name: one for one in takes}
    surplus = next((name for name in found if name not in by_name), None)
    if surplus is not None:
        raise Refusal("bad-input", f"the model has no input {surplus}; it takes {', '.join(by_name)[:500]}")
    missing = next((name for name, one in by_name.items() if one.dtype and name not in found), None)
    if missing is not None:
        raise Refusal("bad-input", f"the input {missing} is missing; the model takes {', '.join(by_name)[:500]}")
    try:
        return {
            name: fitting(by_name[name], _typed(one, by_name[name].dtype) if plain else one)
            for name, one in found.items()
        }
    except ValueError as error:
        raise Refusal("bad-input", str(error)) from None


def _typed(array: Any, dtype: str) -> Any:
    """Numbers of float64 in another dtype; as they are where it has no room for them."""
    wanted = numpy.dtype(dtype) if dtype not in ("", "str") else array.dtype
    if array.dtype != numpy.float64 or wanted == array.dtype or wanted.kind not in _SAFE:
        return array
    with numpy.errstate(all="ignore"):
        made = array.astype(wanted)
        same = numpy.array_equal(numpy.isfinite(made), numpy.isfinite(array))
        return made if same and (wanted.kind == "f" or numpy.array_equal(made.astype(array.dtype), array)) else array


def picked(results: dict[str, Any], wanted: Sequence[str]) -> dict[str, Any]:
    """The outputs that are wanted, all where none is named. Raises Refusal."""
    unknown = next((name for name in wanted if name not in results), None)
    if unknown is not None:
        raise Refusal("bad-input", f"the model has no output {unknown}; it gives {', '.join(results)[:500]}")
    return {name: results[name] for name in wanted} if wanted else results


def sent(results: dict[str, Any]) -> tuple[list[Place], list[Any], dict[str, list[Json]]]:
    """Outputs as `raw_arrays` has them; sequences, maps and what is left out are JSON values."""
    arrays = {name: one for name, one in results.items() if hasattr(one, "dtype")}
    places, bodies, values = raw_arrays(arrays)
    for name, one in results.items():
        if name not in arrays:
            plain = jsonable(one)
            values[name] = plain if isinstance(plain, list) else [plain]
    return places, bodies, values
