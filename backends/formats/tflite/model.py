"""TensorFlow Lite models as a format: inspected statically, run by LiteRT, their small runtime."""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from backends.core.errors import NotLoadable
from backends.core.findings import KINDS
from backends.core.format import LoadedModel
from backends.core.inspection import Signature
from backends.core.source import Source
from backends.core.tensor_model import TensorModel
from backends.formats.tflite.inspecting import inspect as inspect

_EXTRA = "running it needs the Python package ai-edge-litert: install the tflite extra"
_KEEPS = "keeps between calls"


def load(source: Source, at: str = "") -> LoadedModel:
    """An interpreter of the whole file, once its structure was checked. Raises Damaged, NotLoadable, and what the
    runtime raises."""
    if at:
        raise NotLoadable("a TensorFlow Lite file holds one model: leave out the place")
    found = inspect(source)
    worst = next((one for one in found.findings if KINDS[one.code] != "note"), None)
    if worst is not None:
        raise NotLoadable(f"the runtime is not asked to run it, because {worst.detail}")
    begun = time.perf_counter()
    data = source.read(0, source.size)
    with _silent_stderr():
        try:
            runtime = importlib.import_module("ai_edge_litert.interpreter")
        except ImportError:
            raise NotLoadable(_EXTRA) from None
        interpreter = runtime.Interpreter(model_content=data, num_threads=1)
        interpreter.allocate_tensors()
    model = LiteModel(interpreter, found.signature, row_wise=_KEEPS not in found.details)
    return LoadedModel(model, "tflite", phases={"interpreter": time.perf_counter() - begun})


class LiteModel(TensorModel):
    """An interpreter that is asked for answers: rows as it is laid out, tensors of another shape once it is laid out
    anew."""

    def __init__(self, interpreter: Any, signature: Signature, *, row_wise: bool) -> None:
        self._interpreter = interpreter
        self._inputs = [(one["index"], tuple(one["shape"])) for one in interpreter.get_input_details()]
        self._gives = [one["index"] for one in interpreter.get_output_details()]
        laid_out = [[*map(int, shape)] for _index, shape in self._inputs]
        super().__init__(signature, row_wise=row_wise, laid_out=laid_out)

    def answers(self, tensors: list[Any]) -> list[Any]:
        """The outputs for one array for each input. Raises what the runtime raises."""
        shapes = [tuple(one.shape) for one in tensors]
        if shapes != [shape for _index, shape in self._inputs]:
            for (index, _old), shape in zip(self._inputs, shapes):
                self._interpreter.resize_tensor_input(index, shape)
            self._interpreter.allocate_tensors()
            self._inputs = [(index, shape) for (index, _old), shape in zip(self._inputs, shapes)]
        for (index, _shape), tensor in zip(self._inputs, tensors):
            self._interpreter.set_tensor(index, tensor)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in self._gives]

    def close(self) -> None:
        """Let go of the interpreter."""
        self._interpreter = None


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """A pipe that is thrown away in the place of this process's stderr, where the runtime tells what it is made of."""
    kept, (reading, writing) = os.dup(2), os.pipe()
    try:
        os.dup2(writing, 2)
        yield
    finally:
        os.dup2(kept, 2)
        for fd in (kept, reading, writing):
            os.close(fd)
