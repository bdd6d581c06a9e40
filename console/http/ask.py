"""A request to a model, as every protocol makes it of its inputs."""

from __future__ import annotations

from dataclasses import dataclass

from console.engine.api import EngineApi
from console.http.inputs import Inputs
from console.http.messages import Request
from console.records import InferAnswer, InferRequest


@dataclass(slots=True)
class Asked:
    """Whom a request is for, and what of the answer is wanted; `wait_ms` is how long the client said it waits."""

    model: str
    version: str = ""
    label: str = ""
    methods: tuple[str, ...] = ()
    id: str = ""
    wait_ms: float | None = None


async def ask(request: Request, engine: EngineApi, asked: Asked, inputs: Inputs) -> InferAnswer:
    """The answer of the engine. Raises what ServingApi.infer raises."""
    if inputs.rows is not None and inputs.is_text():
        inputs = await _text_inputs(engine, asked.model, inputs)
    waits = [wait for wait in (request.deadline_ms, asked.wait_ms) if wait is not None]
    return await engine.serving.infer(
        InferRequest(
            asked.model,
            asked.version,
            asked.label,
            asked.methods,
            inputs.tensors,
            inputs.body,
            inputs.rows,
            inputs.columns,
            min(waits, default=None),
            asked.id or request.id,
            request.trace,
            inputs.plain,
        )
    )


async def _text_inputs(engine: EngineApi, model: str, inputs: Inputs) -> Inputs:
    """One text a row, which a model without named columns takes as it is, not as a column."""
    names = (await engine.serving.model(model)).signature.feature_names
    return inputs if names or inputs.rows is None else Inputs(rows=tuple(row[0] for row in inputs.rows))
