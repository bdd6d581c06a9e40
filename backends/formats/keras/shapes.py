"""Output shapes of Keras's layers, from their settings and the shapes that go in; None where it cannot be told.

A shape has the batch for its first side; a side of any length is None.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, Callable, Optional

_LARGEST = 1 << 48
Shape = Optional[tuple[Optional[int], ...]]
_CONV = re.compile(r"(?P<kind>Separable|Depthwise|)(?:Conv|Convolution)(?P<rank>[123])D(?P<transpose>Transpose|)")
_POOL = re.compile(r"(?:Max|Average|Avg)(?:Pooling|Pool)(?P<rank>[123])D")
_GLOBAL = re.compile(r"Global(?:Max|Average|Avg)(?:Pooling|Pool)[123]D")
_SIZED = re.compile(r"(?P<kind>UpSampling|ZeroPadding|Cropping)(?P<rank>[123])D")
_SAME = frozenset(
    (
        *("Activation", "ReLU", "LeakyReLU", "PReLU", "ELU", "ThresholdedReLU", "Softmax", "Dropout", "GaussianNoise"),
        *("GaussianDropout", "AlphaDropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "Masking"),
        *("BatchNormalization", "LayerNormalization", "GroupNormalization", "UnitNormalization", "Normalization"),
        *("RMSNormalization", "ActivityRegularization", "Rescaling", "Identity", "InputLayer"),
        *("Add", "Multiply", "Subtract", "Average", "Maximum", "Minimum", "MultiHeadAttention", "Attention"),
    )
)
_RECURRENT = ("LSTM", "GRU", "SimpleRNN", "CuDNNLSTM", "CuDNNGRU")


def output_shape(class_name: str, settings: dict[str, Any], given: Sequence[Shape]) -> Shape:
    """The shape that one layer gives for the shapes of its inputs."""
    try:
        found = _shape(class_name, settings, given) if given and all(given) else None
        return None if found is None or any(side is not None and side > _LARGEST for side in found) else found
    except (TypeError, ValueError, IndexError, KeyError, ZeroDivisionError, AttributeError, OverflowError):
        return None


def _shape(class_name: str, settings: dict[str, Any], given: Sequence[Shape]) -> Shape:
    first = given[0]
    if first is None:
        return None
    rule = _RULES.get(class_name)
    if rule is not None:
        return rule(settings, first)
    if class_name in _SAME:
        return max((one for one in given if one), key=len) if len(given) > 1 else first
    if class_name in ("Concatenate", "Merge"):
        return _concatenated(int(settings.get("axis", settings.get("concat_axis", -1))), given)
    if class_name in _RECURRENT:
        return _recurrent(settings, first)
    if class_name in ("Bidirectional", "TimeDistributed"):
        return _wrapped(class_name, settings, first)
    if match := _CONV.fullmatch(class_name):
        return _convolved(settings, first, match)
    if (match := _POOL.fullmatch(class_name)) or (match := _SIZED.fullmatch(class_name)):
        return _moved(class_name, settings, first, int(match["rank"]))
    if _GLOBAL.fullmatch(class_name):
        ends = first[:2] if _channels_first(settings) else (first[0], first[-1])
        return ends if not settings.get("keepdims") else None
    return None


def _product(sides: Sequence[Optional[int]]) -> Optional[int]:
    known = [side for side in sides if side is not None]
    return math.prod(known) if len(known) == len(sides) else None


def _reshaped(settings: dict[str, Any], first: tuple[Optional[int], ...]) -> Shape:
    target = tuple(int(side) for side in settings["target_shape"])
    if -1 not in target:
        return (first[0], *target)
    whole, rest = _product(first[1:]), math.prod(side for side in target if side != -1)
    return (first[0], *(side if side != -1 else whole // rest if whole is not None else None for side in target))


_RULES: dict[str, Callable[[dict[str, Any], tuple[Optional[int], ...]], Shape]] = {
    "Dense": lambda settings, first: (*first[:-1], int(settings.get("units") or settings["output_dim"])),
    "Embedding": lambda settings, first: (*first, int(settings["output_dim"])),
    "Flatten": lambda settings, first: (first[0], _product(first[1:])),
    "Reshape": _reshaped,
    "Permute": lambda settings, first: (first[0], *(first[int(place)] for place in settings["dims"])),
    "RepeatVector": lambda settings, first: (first[0], int(settings["n"]), *first[1:]),
}


def _concatenated(axis: int, given: Sequence[Shape]) -> Shape:
    sides = [one[axis] for one in given if one is not None]
    first = list(given[0] or ())
    first[axis] = None if None in sides else sum(side for side in sides if side is not None)
    return tuple(first)


def _recurrent(settings: dict[str, Any], first: tuple[Optional[int], ...]) -> Shape:
    units = int(settings.get("units") or settings["output_dim"])
    if settings.get("return_state"):
        return None
    return (first[0], first[1], units) if settings.get("return_sequences") else (first[0], units)


def _wrapped(class_name: str, settings: dict[str, Any], first: tuple[Optional[int], ...]) -> Shape:
    """The shape that a wrapper gives; wrappers in wrappers are not followed."""
    inner = settings["layer"]["config"]
    name = settings["layer"]["class_name"]
    if name in ("Bidirectional", "TimeDistributed"):
        return None
    if class_name == "TimeDistributed":
        found = output_shape(name, inner, [(first[0], *first[2:])])
        return None if found is None else (first[0], first[1], *found[1:])
    found = output_shape(name, inner, [first])
    if found is None or settings.get("merge_mode", "concat") is None:
        return None
    last = found[-1]
    return (*found[:-1], last * 2) if settings.get("merge_mode", "concat") == "concat" and last is not None else found


def _channels_first(settings: dict[str, Any]) -> bool:
    return settings.get("data_format") == "channels_first"


def _each(value: Any, rank: int) -> list[Any]:
    """One value for each side: a number stands for all."""
    return list(value) if isinstance(value, (list, tuple)) else [value] * rank


def _split(settings: dict[str, Any], first: tuple[Optional[int], ...]) -> tuple[list[Optional[int]], Optional[int]]:
    """The sides in space, and the channels."""
    return (list(first[2:]), first[1]) if _channels_first(settings) else (list(first[1:-1]), first[-1])


def _joined(
    settings: dict[str, Any], batch: Optional[int], sides: Sequence[Optional[int]], channels: Optional[int]
) -> Shape:
    return (batch, channels, *sides) if _channels_first(settings) else (batch, *sides, channels)


def _convolved(settings: dict[str, Any], first: tuple[Optional[int], ...], match: re.Match[str]) -> Shape:
    rank = int(match["rank"])
    sides, channels = _split(settings, first)
    kernels, strides = _each(settings["kernel_size"], rank), _each(settings.get("strides", 1), rank)
    dilations = _each(settings.get("dilation_rate", 1), rank)
    if len(sides) != rank:
        return None
    if match["transpose"]:
        found = [_grown(*each, settings) for each in zip(sides, kernels, strides)]
    else:
        padding = settings.get("padding", settings.get("border_mode", "valid"))
        found = [_slid(*each, padding) for each in zip(sides, kernels, strides, dilations)]
    if match["kind"] == "Depthwise":
        channels = None if channels is None else channels * int(settings.get("depth_multiplier", 1))
    else:
        channels = int(settings["filters"])
    return _joined(settings, first[0], found, channels)


def _slid(side: Optional[int], kernel: int, stride: int, dilation: int, padding: str) -> Optional[int]:
    """The places of a window that slides along a side."""
    if side is None:
        return None
    if padding in ("same", "causal"):
        return -(-side // stride)
    return max((side - (dilation * (kernel - 1) + 1)) // stride + 1, 0)


def _grown(side: Optional[int], kernel: int, stride: int, settings: dict[str, Any]) -> Optional[int]:
    if side is None or settings.get("output_padding") is not None:
        return None
    return side * stride if settings.get("padding") == "same" else side * stride + max(kernel - stride, 0)


def _moved(class_name: str, settings: dict[str, Any], first: tuple[Optional[int], ...], rank: int) -> Shape:
    """Pooling, and layers that add or take away at the edges."""
    sides, channels = _split(settings, first)
    if len(sides) != rank:
        return None
    if class_name.startswith("UpSampling"):
        sizes = _each(settings.get("size", 2), rank)
        found = [None if side is None else side * int(size) for side, size in zip(sides, sizes)]
    elif class_name.startswith(("ZeroPadding", "Cropping")):
        sign = 1 if class_name.startswith("Zero") else -1
        value = settings.get("padding" if sign > 0 else "cropping")
        pairs = [value] if rank == 1 and isinstance(value, list) else _each(value, rank)
        edges = [sum(pair) if isinstance(pair, list) else 2 * pair for pair in pairs]
        found = [None if side is None else side + sign * int(edge) for side, edge in zip(sides, edges)]
    else:
        sizes = _each(settings.get("pool_size", settings.get("pool_length", 2)), rank)
        strides = _each(settings.get("strides") or sizes, rank)
        padding = settings.get("padding", settings.get("border_mode", "valid"))
        found = [_slid(side, size, stride, 1, padding) for side, size, stride in zip(sides, sizes, strides)]
    return _joined(settings, first[0], found, channels)
