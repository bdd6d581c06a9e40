"""Layers in the JSON configuration of a Keras model (1 to 3), and code that it would bring in; pure data in and out.

Sources of the format: `get_config` and `serialize_keras_object` of Keras. A nested object is a mapping with
`class_name` and `config`, since Keras 3 also `module` and `registered_name`. A Lambda layer holds marshalled
Python bytecode; `module` is imported by Keras, so any module outside a few of Keras's own can run whatever it likes.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

from backends.core.findings import finding
from backends.core.inspection import Finding, GlobalRef, Json

_SCRIPT = "__main__"
"""The module of a class whose own is not told: it was known to the program that saved it."""
_MODULE = re.compile(
    r"(tf_keras|tensorflow\.(python\.)?keras|keras)(\.(_tf_keras|src|engine|api))*"
    r"(\.(layers|models|initializers|optimizers|losses|metrics|regularizers|constraints|activations|random|"
    r"dtype_policies|quantizers|training|sequential|functional|mixed_precision)(\.\w+)*)?"
)
_SHOWN = (
    "units", "filters", "kernel_size", "strides", "padding", "pool_size", "rate", "activation", "input_dim",
    "output_dim", "return_sequences", "axis", "target_shape", "num_heads", "key_dim", "alpha", "size", "dilation_rate",
)  # fmt: skip
_CODE = ("Lambda", "__lambda__", "TFOpLambda", "SlicingOpLambda")
_OUTSIDE = ("TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer")
"""Layers whose code or weights Keras loads from elsewhere."""
VALUES = frozenset(
    (
        "__keras_tensor__",
        "__tensor__",
        "__numpy__",
        "__bytes__",
        "__ellipsis__",
        "__slice__",
        "__complex__",
        "__tuple__",
    )
)
"""What stands in the place of a class where Keras writes a plain value."""
_FILES = ("vocabulary", "vocabulary_file", "filepath", "file_path", "filename", "fname", "origin")
"""Settings that name a file or an address when they are a text."""
_MAX_NODES = 200_000
_MAX_LAYERS = 10_000


@dataclass
class Layer:
    """One layer: `inner` is the class that a wrapper (Bidirectional, TimeDistributed) wraps."""

    name: str
    class_name: str
    settings: dict[str, Json] = field(default_factory=dict)
    input_shape: Optional[list[Json]] = None
    inner: Optional[str] = None


@dataclass
class KerasModel:
    """A model's configuration: its dotted class, its layers in order (nested models' after their own) and remarks."""

    class_name: str
    name: Optional[str] = None
    layers: list[Layer] = field(default_factory=list)
    input_shapes: list[Json] = field(default_factory=list)
    names: list[GlobalRef] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


@functools.cache
def _known(kind: str) -> frozenset[str]:
    """The names of Keras's own "classes" or "functions": exactly these, since Keras would resolve dotted ones too."""
    lines = Path(__file__).with_name(f"{kind}.txt").read_text(encoding="ascii").splitlines()
    return frozenset(line for line in lines if line and line[0] != "#")


def read_config(config: Json) -> KerasModel:
    """The facts of a model configuration; whatever is malformed becomes a finding, never an error."""
    if not isinstance(config, dict) or not isinstance(config.get("class_name"), str):
        return KerasModel("keras", findings=[finding("keras-config", "the model's configuration names no class")])
    module = config.get("module")
    home = "keras" if not isinstance(module, str) or _MODULE.fullmatch(module) else module
    model = KerasModel(f"{home}.{config['class_name']}")
    inner = config.get("config")
    named = inner.get("name") if isinstance(inner, dict) else None
    model.name = named if isinstance(named, str) else None
    _read_layers(model, inner, "", 0)
    if not model.layers:
        model.findings.append(finding("keras-config", "the model's configuration lists no layers"))
    first = model.layers[0].input_shape if model.layers else None
    inputs = [layer.input_shape for layer in model.layers if layer.class_name == "InputLayer" and "/" not in layer.name]
    model.input_shapes = [shape for shape in inputs if shape] or ([first] if first else _built_shape(config))
    find_code(model, config)
    return model


def _built_shape(config: dict[str, Json]) -> list[Json]:
    """The shape a model was built with, where its layers do not tell it."""
    for holder in (config.get("build_config"), config.get("config")):
        for key in ("input_shape", "build_input_shape"):
            shape = holder.get(key) if isinstance(holder, dict) else None
            if isinstance(shape, list):
                return [shape]
    return []


def _read_layers(model: KerasModel, config: Json, prefix: str, depth: int) -> None:
    listed = config.get("layers") if isinstance(config, dict) else config
    if not isinstance(listed, list) or depth > 20:
        return
    for entry in listed:
        if not isinstance(entry, dict) or not isinstance(entry.get("class_name"), str):
            model.findings.append(finding("keras-config", f"a layer of {prefix or 'the model'} names no class"))
            continue
        if len(model.layers) >= _MAX_LAYERS:
            model.findings.append(finding("limit", f"more than {_MAX_LAYERS} layers; the rest is not listed"))
            return
        layer = _layer(entry, prefix)
        model.layers.append(layer)
        inner = entry.get("config")
        if isinstance(inner, (dict, list)) and entry["class_name"] in ("Functional", "Sequential", "Model"):
            _read_layers(model, inner, f"{layer.name}/", depth + 1)


def _layer(entry: dict[str, Json], prefix: str) -> Layer:
    settings = entry.get("config")
    settings = settings if isinstance(settings, dict) else {}
    name = settings.get("name", entry.get("name"))
    shape = settings.get("batch_input_shape", settings.get("batch_shape"))
    wrapped = settings.get("layer")
    inner = wrapped.get("class_name") if isinstance(wrapped, dict) else None
    return Layer(
        name=prefix + (name if isinstance(name, str) else str(entry["class_name"]).lower()),
        class_name=str(entry["class_name"]),
        settings={key: _short(settings[key]) for key in _SHOWN if key in settings},
        input_shape=shape if isinstance(shape, list) else None,
        inner=inner if isinstance(inner, str) else None,
    )


def _short(value: Json) -> Json:
    """A setting as a plain value: nested objects by their class, long lists cut."""
    if isinstance(value, dict):
        inner = value.get("config")
        return (
            inner if value.get("class_name") == "function" and isinstance(inner, str) else str(value.get("class_name"))
        )
    if isinstance(value, list):
        return [_short(item) for item in value[:16]]
    return value[:200] if isinstance(value, str) else value


def find_code(model: KerasModel, config: Json) -> None:
    """Go over every nested object and note what would bring code of its own."""
    waiting: list[Json] = [config]
    visited = 0
    said: set[tuple[str, str]] = set()
    while waiting:
        here = waiting.pop()
        visited += 1
        if visited > _MAX_NODES:
            model.findings.append(finding("limit", "the model's configuration is too large to be read to its end"))
            return
        if isinstance(here, list):
            waiting.extend(reversed(here))
        elif isinstance(here, dict):
            waiting.extend(reversed(list(here.values())))
            if isinstance(here.get("class_name"), str):
                _note_object(model, here, said)
            elif "class_name" in here:
                model.findings.append(finding("keras-foreign", "an object whose class is no name"))
            if here.get("safe_mode") is False:
                model.findings.append(finding("keras-foreign", "the configuration switches Keras's safe mode off"))


def _note_object(model: KerasModel, entry: dict[str, Json], said: set[tuple[str, str]]) -> None:
    name, module = str(entry["class_name"]), entry.get("module")
    registered = entry.get("registered_name")
    inner = entry.get("config")
    label = inner.get("name") if isinstance(inner, dict) else None
    place = f" '{label}'" if isinstance(label, str) else ""
    if name in _CODE[:2] or (isinstance(inner, dict) and inner.get("function_type") == "lambda"):
        model.findings.append(finding("keras-lambda", f"the layer{place} ({name}) carries Python bytecode"))
    elif name in _CODE:
        model.findings.append(finding("keras-lambda", f"the layer{place} ({name}) calls an operation by its name"))
    elif name in _OUTSIDE:
        model.findings.append(finding("keras-foreign", f"the layer{place} ({name}) loads a model from elsewhere"))
    for words in (inner.get(key) for key in _FILES) if isinstance(inner, dict) else ():
        if isinstance(words, str):
            detail = f"the layer{place} ({name}) reads the file {words[:200]!r}"
            model.findings.append(finding("keras-foreign", detail))
    if name == "function":
        _note_function(model, entry, said)
        return
    plain = not isinstance(module, str) or module in ("", "builtins")
    module = "" if plain else str(module)
    known = (
        name in (*VALUES, *_CODE) if plain and name[:2] == "__" else name.replace("Custom>", "", 1) in _known("classes")
    )
    foreign = not known or (not plain and _MODULE.fullmatch(module) is None)
    elsewhere = isinstance(registered, str) and ">" in registered
    if (foreign or elsewhere) and (module, name) not in said:
        said.add((module, name))
        dotted = f"{module}.{name}" if module else name
        model.names.append(GlobalRef(module or _SCRIPT, name, 0, True))
        detail = f"{dotted}{place} is no class of Keras"
        if elsewhere:
            detail = f"{dotted}{place} is whatever was registered as {str(registered)[:200]!r}"
        model.findings.append(finding("keras-foreign", detail))


def _note_function(model: KerasModel, entry: dict[str, Json], said: set[tuple[str, str]]) -> None:
    module, named = entry.get("module"), entry.get("config")
    plain = not isinstance(module, str) or module in ("", "builtins")
    inside = str(named) in _known("functions") and (plain or _MODULE.fullmatch(str(module)) is not None)
    if not inside and (str(module), str(named)) not in said:
        said.add((str(module), str(named)))
        model.names.append(GlobalRef(_SCRIPT if plain else str(module), str(named), 0, False))
        dotted = str(named) if plain else f"{module}.{named}"
        model.findings.append(finding("keras-foreign", f"the function {dotted} is not part of Keras"))


def read_training(config: Any) -> dict[str, Json]:
    """Loss, optimizer and metrics of a training (or compile) configuration, in few words."""
    if not isinstance(config, dict):
        return {}
    optimizer = config.get("optimizer", config.get("optimizer_config"))
    settings = optimizer.get("config") if isinstance(optimizer, dict) else None
    rate = settings.get("learning_rate", settings.get("lr")) if isinstance(settings, dict) else None
    told: dict[str, Json] = {
        "loss": _names_of(config.get("loss")),
        "optimizer": _names_of(optimizer),
        "learning_rate": rate if isinstance(rate, (int, float)) else None,
        "metrics": _names_of(config.get("metrics")),
    }
    return {key: value for key, value in told.items() if value not in (None, [], {})}


def _names_of(value: Json) -> Json:
    if isinstance(value, dict) and isinstance(value.get("class_name"), str):
        inner = value.get("config")
        if isinstance(inner, str):
            return inner
        name = inner.get("name") if isinstance(inner, dict) else None
        wrapped = value["class_name"] in ("MeanMetricWrapper", "LossFunctionWrapper", "SumOverBatchSizeMetricWrapper")
        return name if wrapped and isinstance(name, str) else value["class_name"]
    if isinstance(value, dict):
        return {key: _names_of(item) for key, item in list(value.items())[:64]}
    if isinstance(value, list):
        names = [_names_of(item) for item in value[:64]]
        return names[0] if len(names) == 1 and isinstance(names[0], list) else names
    return value[:200] if isinstance(value, str) else value
