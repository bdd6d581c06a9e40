"""The structure of a model, checked before the runtime follows it: indices, sizes, divisors, and the order of calls.

The runtime takes them as they are: CVE-2022-23558 (sizes), CVE-2023-27579 (a filter without channels).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Optional

from backends.core.errors import Damaged
from backends.formats.tflite.graph import CUSTOM, DTYPES, Data, Model, Operator, Subgraph, Tensor

_LARGEST = 1 << 40
"""Bytes that a tensor may take."""
_DIVISORS: dict[str, tuple[tuple[int, int, str], ...]] = {
    "CONV_2D": ((1, 0, "stride"), (2, 0, "stride"), (4, 1, "dilation"), (5, 1, "dilation")),
    "DEPTHWISE_CONV_2D": ((1, 0, "stride"), (2, 0, "stride"), (5, 1, "dilation"), (6, 1, "dilation")),
    "TRANSPOSE_CONV": ((1, 0, "stride"), (2, 0, "stride")),
    "CONV_3D": tuple((number, 0, "stride") for number in (1, 2, 3)),
    "CONV_3D_TRANSPOSE": tuple((number, 0, "stride") for number in (1, 2, 3)),
    "AVERAGE_POOL_2D": tuple((number, 0, "window") for number in (1, 2, 3, 4)),
    "MAX_POOL_2D": tuple((number, 0, "window") for number in (1, 2, 3, 4)),
    "L2_POOL_2D": tuple((number, 0, "window") for number in (1, 2, 3, 4)),
    "SPACE_TO_DEPTH": ((0, 0, "block"),),
    "DEPTH_TO_SPACE": ((0, 0, "block"),),
    "SPLIT": ((0, 0, "number of parts"),),
    "SVDF": ((0, 0, "rank"),),
}
"""Operator to fields of its options by which is divided: number, default, and word."""
_WEIGHTS = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "CONV_3D", "CONV_3D_TRANSPOSE", "FULLY_CONNECTED", "SVDF")
"""Operators whose second input is divided by the sides of."""
_CALLS = {"IF": (0, 1), "WHILE": (0, 1), "CALL_ONCE": (0,)}
"""Operator to fields of its options that are numbers of subgraphs."""


def faults(model: Model) -> Iterator[str]:
    """The places where the runtime would be led out of its memory, in words."""
    calls: dict[int, set[int]] = {}
    for number, subgraph in enumerate(model.subgraphs):
        where = f"subgraph {number}"
        yield from (f"{where}: {words}" for words in _tensors(subgraph, model.buffers))
        yield from (f"{where}: {words}" for words in _operators(subgraph, model))
        calls[number] = set(_called(subgraph, model))
    for entry in model.entries:
        sound = entry.subgraph < len(model.subgraphs)
        count = len(model.subgraphs[entry.subgraph].tensors) if sound else 0
        if not sound or any(index >= count for _name, index in (*entry.inputs, *entry.outputs)):
            yield f"the signature '{entry.key[:100]}' names tensors that are not there"
    if _goes_round(calls):
        yield "a subgraph calls itself"


def _tensors(subgraph: Subgraph, buffers: list[Data]) -> Iterator[str]:
    for number, tensor in enumerate(subgraph.tensors):
        words = _tensor(tensor, buffers)
        if words:
            yield f"tensor {number} '{tensor.name[:100]}' {words}"


def _tensor(tensor: Tensor, buffers: list[Data]) -> Optional[str]:
    if tensor.kind not in DTYPES:
        return f"is of an unknown type ({tensor.kind})"
    if any(side < 0 for side in tensor.shape):
        return "has a negative side"
    size = -(-math.prod(tensor.shape) * DTYPES[tensor.kind][1] // 8)
    if size > _LARGEST:
        return f"would take {size:,} bytes"
    if tensor.buffer >= len(buffers):
        return f"is in buffer {tensor.buffer} of {len(buffers)}"
    held = buffers[tensor.buffer].size
    if held and not tensor.sparse and DTYPES[tensor.kind][1] and held != size:
        return f"takes {size:,} bytes, and its buffer holds {held:,}"
    return _quantized(tensor)


def _quantized(tensor: Tensor) -> Optional[str]:
    told = tensor.quantization
    counts = {len(told.scales), len(told.zero_points)} - {0}
    if len(counts) > 1 and len(told.scales) > 1 and len(told.zero_points) > 1:
        return "has as many scales as zero points in no sense"
    count = max(counts, default=0)
    if count > 1 and (not 0 <= told.side < len(tensor.shape) or tensor.shape[told.side] != count):
        return f"has {count} scales on a side of another length"
    return None


def _operators(subgraph: Subgraph, model: Model) -> Iterator[str]:
    """Indices of tensors, and that each is there before it is asked for and is written to once."""
    tensors = subgraph.tensors
    whole = range(len(tensors))
    if any(index not in whole for index in (*subgraph.inputs, *subgraph.outputs)):
        yield "an input or output is no tensor of it"
        return
    constant = {number for number, tensor in enumerate(tensors) if model.is_constant(tensor)}
    there = {number for number, tensor in enumerate(tensors) if tensor.variable or 0 in tensor.shape} | constant
    there.update(subgraph.inputs)
    for number, operator in enumerate(subgraph.operators):
        words = _operator(operator, model, whole, there, constant)
        if words:
            yield f"call {number} {words}"
            return
        words = _divisors(operator, subgraph, model)
        if words:
            yield f"call {number} ({model.codes[operator.code].name}) {words}"
        there.update(operator.outputs)
    if any(index not in there for index in subgraph.outputs):
        yield "an output is never computed"


def _operator(operator: Operator, model: Model, whole: range, there: set[int], constant: set[int]) -> Optional[str]:
    if operator.code >= len(model.codes):
        return f"is of operator {operator.code} of {len(model.codes)}"
    if any(index not in whole for index in operator.inputs if index != -1):
        return "takes a tensor that is not there"
    if any(index not in whole for index in (*operator.outputs, *operator.intermediates) if index != -1):
        return "gives a tensor that is not there"
    if any(index not in there for index in operator.inputs if index != -1):
        return "takes a tensor before it is computed"
    if any(index in constant for index in operator.outputs):
        return "writes to a constant"
    return None


def _divisors(operator: Operator, subgraph: Subgraph, model: Model) -> Optional[str]:
    name = model.codes[operator.code].name
    for field, default, word in _DIVISORS.get(name, ()):
        value = operator.options.number(field, "i", default) if operator.options is not None else default
        if value <= 0:
            return f"has a {word} of {value}"
    weights = operator.inputs[1] if name in _WEIGHTS and len(operator.inputs) > 1 else -1
    if weights >= 0 and 0 in subgraph.tensors[weights].shape:
        return "has weights without an element"
    return None


def _called(subgraph: Subgraph, model: Model) -> Iterator[int]:
    """The subgraphs that one calls. Raises Damaged for one that is not there."""
    for operator in subgraph.operators:
        code = model.codes[operator.code] if operator.code < len(model.codes) else None
        if code is None or code.builtin == CUSTOM:
            continue
        for field in _CALLS.get(code.name, ()):
            number = operator.options.number(field, "i") if operator.options is not None else 0
            if not 0 <= number < len(model.subgraphs):
                raise Damaged(f"{code.name} calls subgraph {number} of {len(model.subgraphs)}")
            yield number


def _goes_round(calls: dict[int, set[int]]) -> bool:
    """Whether following the calls comes back to where it was."""
    left = {number: set(called) for number, called in calls.items()}
    while ends := [number for number, called in left.items() if not called]:
        for number in ends:
            del left[number]
        for called in left.values():
            called.difference_update(ends)
    return bool(left)
