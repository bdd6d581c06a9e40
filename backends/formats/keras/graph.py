"""The graph of a Keras model by its configuration: what goes in, what comes out, and the shape that each layer gives.

A functional model names the layers before each one in `inbound_nodes`: Keras 1 and 2 as `[[[name, node, tensor, {}]]]`,
Keras 3 as arguments with `__keras_tensor__` in them, whose `keras_history` begins with the name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Optional

from backends.core.inspection import TensorSpec
from backends.formats.keras.shapes import Shape, output_shape

_MODELS = ("Functional", "Sequential", "Model")
_DEEPEST = 4
_MOST = 10_000
_MOST_SIDES = 64


@dataclass
class Graph:
    """The tensors that a model takes and gives, and the output shapes of its layers by name, as far as they are
    known."""

    takes: tuple[TensorSpec, ...] = ()
    gives: tuple[TensorSpec, ...] = ()
    shapes: dict[str, Shape] = field(default_factory=dict)


def read_graph(config: Any, given: Shape = None, prefix: str = "", depth: int = 0) -> Graph:
    """The graph of a model's configuration; `given` is the shape of what goes in, where that is known otherwise."""
    inner = config.get("config") if isinstance(config, dict) else None
    listed = inner.get("layers") if isinstance(inner, dict) else inner
    if not isinstance(listed, list) or depth > _DEEPEST:
        return Graph()
    layers = [one for one in listed[:_MOST] if isinstance(one, dict) and isinstance(one.get("class_name"), str)]
    if isinstance(inner, dict) and isinstance(inner.get("output_layers"), list):
        return _functional(inner, layers, prefix, depth)
    built = _told(config.get("build_config", {}), inner)
    return _sequential(layers, given or built, prefix, depth)


def shape_of(value: Any) -> Shape:
    """A shape as JSON writes it; None where it is none."""
    if not isinstance(value, list) or not value or len(value) > _MOST_SIDES:
        return None
    sound = all(side is None or (type(side) is int and 0 <= side < 1 << 48) for side in value)
    return tuple(value) if sound else None


def _told(*holders: Any) -> Shape:
    """The shape that a model or layer was built with."""
    for holder in holders:
        for key in ("input_shape", "build_input_shape", "batch_input_shape", "batch_shape", "batch_shape"):
            found = shape_of(holder.get(key)) if isinstance(holder, dict) else None
            if found is not None:
                return found
    return None


def _settings(layer: dict[str, Any]) -> dict[str, Any]:
    found = layer.get("config")
    return found if isinstance(found, dict) else {}


def _name(layer: dict[str, Any]) -> str:
    found = _settings(layer).get("name", layer.get("name"))
    return found if isinstance(found, str) else str(layer["class_name"]).lower()


def _dtype(layer: dict[str, Any]) -> str:
    """The dtype that a layer computes in."""
    found = _settings(layer).get("dtype")
    if isinstance(found, dict):
        held = found.get("config")
        found = held.get("name") if isinstance(held, dict) else None
    return found.removeprefix("mixed_") if isinstance(found, str) and len(found) < 40 else "float32"


def _given_by(layer: dict[str, Any], given: list[Shape], prefix: str, depth: int, graph: Graph) -> Shape:
    """The shape that a layer gives, which is noted; a model in the model is gone through."""
    name = prefix + _name(layer)
    if layer["class_name"] in _MODELS:
        inner = read_graph(layer, given[0] if given else None, f"{name}/", depth + 1)
        graph.shapes.update(inner.shapes)
        found = inner.gives[0].shape if len(inner.gives) == 1 else None
    else:
        found = output_shape(layer["class_name"], _settings(layer), given)
    graph.shapes[name] = found
    return found


def _sequential(layers: list[dict[str, Any]], given: Shape, prefix: str, depth: int) -> Graph:
    graph = Graph()
    if not layers:
        return graph
    first = layers[0]
    here = _told(_settings(first), first.get("build_config")) or given
    entry = first if first["class_name"] == "InputLayer" else None
    name = _name(first) if entry is not None else f"{_name(first)}_input"
    graph.takes = (TensorSpec(name, _dtype(first), here),)
    for layer in layers:
        here = _given_by(layer, [_told(layer.get("build_config")) or here], prefix, depth, graph)
    graph.gives = (TensorSpec(_name(layers[-1]), _dtype(layers[-1]), here),)
    return graph


def _functional(inner: dict[str, Any], layers: list[dict[str, Any]], prefix: str, depth: int) -> Graph:
    graph = Graph()
    named = {_name(layer): layer for layer in layers}
    written: dict[str, Shape] = {}
    for layer in layers:
        for source, shape in _sources(layer.get("inbound_nodes")):
            if shape is not None:
                written.setdefault(source, shape)
    for layer in layers:
        name = _name(layer)
        if layer["class_name"] == "InputLayer":
            graph.shapes[prefix + name] = _told(_settings(layer))
            continue
        before = list(_first_call(layer.get("inbound_nodes")))
        found = _given_by(layer, [graph.shapes.get(prefix + one) for one in before], prefix, depth, graph)
        graph.shapes[prefix + name] = found or written.get(name)
    graph.takes = tuple(_specs(inner.get("input_layers"), named, graph, prefix))
    graph.gives = tuple(_specs(inner.get("output_layers"), named, graph, prefix))
    return graph


def _specs(listed: Any, named: dict[str, dict[str, Any]], graph: Graph, prefix: str) -> Iterator[TensorSpec]:
    """The tensors of these layers, listed as `[name, node, tensor]`, alone or several, or by their keys."""
    if isinstance(listed, dict):
        listed = list(listed.values())
    if isinstance(listed, list) and listed and isinstance(listed[0], str):
        listed = [listed]
    for one in listed[:1000] if isinstance(listed, list) else ():
        name = one[0] if isinstance(one, list) and one and isinstance(one[0], str) else None
        if name in named:
            yield TensorSpec(name, _dtype(named[name]), graph.shapes.get(prefix + name))


def _first_call(nodes: Any) -> Iterator[str]:
    """The layers before one, in the order of its inputs, at the first of its calls."""
    for name, _shape in _sources(nodes[:1] if isinstance(nodes, list) else None):
        yield name


def _sources(nodes: Any) -> Iterator[tuple[str, Shape]]:
    """The layers that calls of a layer take from, with the shapes that Keras 3 writes beside them."""
    waiting, visited = [nodes], 0
    while waiting and visited < _MOST:
        here = waiting.pop()
        visited += 1
        if isinstance(here, dict):
            found = _tensor(here)
            if found is not None:
                yield found
            else:
                waiting.extend(reversed(_held(here)))
        elif isinstance(here, list):
            if len(here) >= 3 and isinstance(here[0], str) and type(here[1]) is int:
                yield here[0], None
            else:
                waiting.extend(reversed(here))


def _held(call: dict[str, Any]) -> list[Any]:
    """Arguments of a call of Keras 3 in their order, or whatever else a mapping holds."""
    return [call.get("args"), call.get("kwargs")] if "args" in call else list(call.values())


def _tensor(entry: dict[str, Any]) -> Optional[tuple[str, Shape]]:
    if entry.get("class_name") != "__keras_tensor__":
        return None
    held = entry.get("config")
    history = held.get("keras_history") if isinstance(held, dict) else None
    if not isinstance(held, dict) or not isinstance(history, list) or not history or not isinstance(history[0], str):
        return None
    return history[0], shape_of(held.get("shape"))
