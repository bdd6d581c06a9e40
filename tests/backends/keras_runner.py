"""Ten models of Keras, each asked by Keras itself and through this project's reader; prints what differs as JSON.

`python -m tests.backends.keras_runner DIRECTORY` runs in an environment that has Keras; `--real FILE …` asks
models that others wrote.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from backends.core import registry
from backends.core.errors import NotLoadable
from backends.core.source import Source
from backends.formats.keras.running import keras_library

keras: Any = keras_library()
layers = keras.layers


def sequential(*parts: Any) -> Any:
    return keras.Sequential(list(parts))


def two_inputs() -> Any:
    left, right = keras.Input((4,), name="left"), keras.Input((3,), name="right")
    both = layers.Concatenate()([layers.Dense(5, activation="relu")(left), layers.Dense(2)(right)])
    return keras.Model([left, right], layers.Dense(1, name="score")(both))


def two_outputs() -> Any:
    given = keras.Input((6,), name="row")
    hidden = layers.Dense(8, activation="gelu")(given)
    kind = layers.Dense(3, activation="softmax", name="kind")(hidden)
    return keras.Model(given, [kind, layers.Dense(1, name="size")(layers.Add()([hidden, hidden]))])


def nested() -> Any:
    inner = sequential(keras.Input((4, 4, 1)), layers.Conv2D(2, 2), layers.GlobalAveragePooling2D())
    given = keras.Input((4, 4, 1))
    return keras.Model(given, layers.Dense(2)(inner(given)))


def image() -> Any:
    return sequential(
        keras.Input((12, 10, 3)),
        layers.Conv2D(4, 3, strides=2, padding="same", activation="relu"),
        layers.BatchNormalization(),
        layers.SeparableConv2D(5, (2, 3)),
        layers.ZeroPadding2D(((1, 0), (0, 2))),
        layers.MaxPooling2D(),
        layers.Conv2DTranspose(3, 3, strides=2),
        layers.UpSampling2D((1, 2)),
        layers.Cropping2D(1),
        layers.Flatten(),
        layers.Dense(2, activation="softmax"),
    )


MODELS: dict[str, Callable[[], Any]] = {
    "dense": lambda: sequential(keras.Input((5,)), layers.Dense(7, activation="relu"), layers.Dense(2)),
    "image": image,
    "sequence": lambda: sequential(keras.Input((9, 2)), layers.Conv1D(4, 3, padding="causal"), layers.LSTM(6)),
    "gru": lambda: sequential(keras.Input((7, 3)), layers.GRU(4, return_sequences=True), layers.Dense(1)),
    "both ways": lambda: sequential(keras.Input((5, 2)), layers.Bidirectional(layers.SimpleRNN(3))),
    "words": lambda: sequential(
        keras.Input((6,), dtype="int32"), layers.Embedding(20, 4), layers.Dropout(0.5), layers.GlobalMaxPooling1D()
    ),
    "two inputs": two_inputs,
    "two outputs": two_outputs,
    "a model in a model": nested,
    "over time": lambda: sequential(
        keras.Input((3, 4)), layers.TimeDistributed(layers.Dense(2)), layers.Reshape((-1, 3)), layers.Permute((2, 1))
    ),
}


def inputs(model: Any) -> dict[str, Any]:
    draw = np.random.default_rng(3)
    found = {}
    for one in model.inputs:
        values = draw.random((70, *one.shape[1:])) * (20 if one.dtype == "int32" else 1)
        found[one.name] = values.astype(one.dtype)
    return found


def differences(path: Path) -> list[str]:
    """How the answers, tensors and shapes told of a file differ from those of Keras."""
    wanted = keras.models.load_model(path, compile=False)
    given = inputs(wanted)
    asked = list(given.values())
    expected = wanted.predict(asked if len(asked) > 1 else asked[0], verbose=0)
    with path.open("rb") as file:
        found = registry.inspect(Source(file.fileno(), path.name))
        model: Any = registry.load(Source(file.fileno(), path.name), found.format).model
    tensors = {one.name: value for one, value in zip(found.signature.takes, asked, strict=True)}
    answers = list(model.run(tensors).values())
    rows = model.call("predict", np.concatenate([value.reshape(70, -1) for value in asked], axis=1))
    outputs = expected if isinstance(expected, list) else [expected]
    told = [*zip(outputs, answers, strict=True), (outputs[0].reshape(70, -1), rows.reshape(70, -1))]
    faults = [f"answer {number}" for number, (one, other) in enumerate(told) if not np.array_equal(one, other)]
    if found.signature != model.signature or not found.complete or found.findings:
        faults.append(f"{found.signature} is not {model.signature}")
    if [one.shape for one in found.signature.gives] != [tuple(one.shape) for one in wanted.outputs]:
        faults.append("the shapes of the outputs")
    listed: Any = found.details["layers"]
    shapes = {row["name"]: row.get("output_shape") for row in listed}
    for layer in wanted.layers:
        if shapes.get(layer.name) != list(layer.output.shape):
            faults.append(f"{layer.name}: {shapes.get(layer.name)} is not {layer.output.shape}")
    if found.n_weights != wanted.count_params():
        faults.append(f"{found.n_weights} weights are not {wanted.count_params()}")
    return faults


def main(directory: Path) -> dict[str, list[str]]:
    keras.utils.set_random_seed(1)
    found = {}
    for name, make in MODELS.items():
        model = make()
        for suffix in (".keras", ".h5"):
            model.save(directory / f"m{suffix}")
            found[f"{name}{suffix}"] = differences(directory / f"m{suffix}")
    return found


def real(path: Path) -> str:
    """Whether a model of others answers as in Keras, or what is said instead."""
    with path.open("rb") as file:
        source = Source(file.fileno(), path.name)
        found = registry.inspect(source)
        try:
            model: Any = registry.load(source, found.format).model
        except NotLoadable as error:
            return str(error)
    takes = model.signature.takes
    count = takes[0].shape[0] or 3
    tensors = {one.name: np.full((count, *one.shape[1:]), 0.25, one.dtype) for one in takes}
    answers = list(model.run(tensors).values())
    try:
        wanted = keras.models.load_model(path, compile=False)
    except (TypeError, ValueError):
        return "Keras refuses" if all(np.isfinite(one).all() for one in answers) else "no answer"
    asked = list(tensors.values())
    expected = wanted.predict(asked if len(asked) > 1 else asked[0], verbose=0, batch_size=max(count, 32))
    outputs = expected if isinstance(expected, list) else [expected]
    return "equal" if all(map(np.array_equal, outputs, answers)) else "different"


if __name__ == "__main__":
    if sys.argv[1] == "--real":
        print(json.dumps({Path(one).name: real(Path(one)) for one in sys.argv[2:]}))
    else:
        print(json.dumps(main(Path(sys.argv[1]))))
