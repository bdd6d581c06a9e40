"""Inference by the Open Inference Protocol: a request's JSON or binary tensors to the engine, and its answer back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from console.engine.api import EngineApi
from console.errors import InputError, UsageError
from console.http.answers import class_texts, parts, text_tensor
from console.http.ask import Asked, ask
from console.http.inputs import GivenTensor, Inputs, from_tensors
from console.http.json_body import aside, encoded_numbers, json_response, read_json
from console.http.json_text import encode
from console.http.messages import BINARY, Request, Response
from console.http.named import model_name, version_of
from console.http.oip_records import InferAnswerHead, InferHead, InferOutput, InputHead
from console.http.tensors_binary import (
    HEAD_LENGTH,
    BinaryParts,
    check_bools,
    check_size,
    raw_shape,
    read_texts,
    split_body,
    text_of,
    written_texts,
)
from console.http.tensors_json import read_values, unpacked
from console.records import InferAnswer, Tensor

_HEAD_LENGTH = HEAD_LENGTH.lower().encode()
_LONGEST_ID = 256
_REFUSED = {
    "shared_memory_region": "Shared memory is not supported; send the tensors in the request.",
    "classification": "Outputs as classifications are not supported; their scores carry the classes as a parameter.",
}


HEAD = msgspec.json.Decoder(InferHead)


@dataclass(slots=True)
class _Wanted:
    """The form of the answer that is asked for: `binary` are the outputs in bytes, `all_binary` where none is named."""

    methods: tuple[str, ...] = ()
    binary: frozenset[str] = frozenset()
    all_binary: bool = False

    def is_binary(self, name: str) -> bool:
        return name in self.binary if self.methods else self.all_binary


async def infer(request: Request, engine: EngineApi) -> Response:
    """POST v2/models/{name}[/versions/{version}]/infer."""
    if request.headers.get(_HEAD_LENGTH) == b"0" and request.body:
        inputs = await _raw_inputs(request, engine)
        return await _answered(request, engine, inputs, _Wanted(all_binary=True))
    inputs, head = await aside(_size_of_json(request), read_inputs, request.body, request.headers)
    return await _answered(request, engine, inputs, _wanted(head), head)


def _size_of_json(request: Request) -> int:
    length = request.headers.get(_HEAD_LENGTH, b"")
    return int(length) if length.isdigit() and len(length) < 12 else len(request.body)


def read_inputs(body: bytes, headers: Mapping[bytes, bytes]) -> tuple[Inputs, InferHead]:
    """The inputs of a body, and its head. Raises InputError, UsageError."""
    data, behind = split_body(body, headers)
    head = read_json(data, HEAD)
    return _inputs(head, behind), head


async def _answered(
    request: Request, engine: EngineApi, inputs: Inputs, wanted: _Wanted, head: InferHead | None = None
) -> Response:
    said = head.id if head is not None and head.id else None
    if said is not None and len(said) > _LONGEST_ID:
        raise UsageError(f"Expected an id of up to {_LONGEST_ID} characters, found {len(said)}.")
    whom = Asked(model_name(request), version_of(request), methods=wanted.methods, id=said or "", wait_ms=_wait(head))
    answer = await ask(request, engine, whom, inputs)
    return respond(answer, wanted, said or request.id)


def _wait(head: InferHead | None) -> float | None:
    """How long the client waits: Triton's parameter `timeout`, which is in microseconds."""
    timeout = head.parameters.get("timeout") if head is not None and head.parameters else None
    return timeout / 1000 if type(timeout) is int and timeout > 0 else None


def _wanted(head: InferHead) -> _Wanted:
    everything = bool(head.parameters and head.parameters.get("binary_data_output"))
    if not head.outputs:
        return _Wanted(all_binary=everything)
    binary = set()
    for output in head.outputs:
        _refuse(output.parameters)
        if (output.parameters or {}).get("binary_data", everything):
            binary.add(output.name)
    return _Wanted(tuple(dict.fromkeys(output.name for output in head.outputs)), frozenset(binary))


def _refuse(parameters: dict[str, Any] | None) -> None:
    for name in parameters or ():
        if name in _REFUSED:
            raise UsageError(_REFUSED[name])


def _inputs(head: InferHead, behind: memoryview | None) -> Inputs:
    if not head.inputs:
        raise UsageError("The request has no inputs; expected at least one tensor.")
    binary = BinaryParts(behind if behind is not None else memoryview(b""))
    given = [_given(tensor, binary) for tensor in head.inputs]
    binary.end()
    table = bool(head.parameters and head.parameters.get("content_type") == "pd")
    return from_tensors(given, table=table)


def _given(head: InputHead, binary: BinaryParts) -> GivenTensor:
    """One input, checked."""
    _refuse(head.parameters)
    parameters = head.parameters or {}
    size = parameters.get("binary_data_size")
    if size is None:
        if head.data is msgspec.UNSET:
            raise UsageError(f"Input {head.name!r} has neither data nor binary_data_size.")
        values = read_values(head.name, head.datatype, head.shape, head.data)
        if head.datatype == "BYTES" and parameters.get("content_type") == "base64":
            values = [_from_base64(head.name, value) for value in values]
        return GivenTensor(head.name, head.datatype, head.shape, values)
    if head.data is not msgspec.UNSET:
        raise UsageError(f"Input {head.name!r} has both data and binary_data_size.")
    data = binary.take(head.name, size)
    if head.datatype == "BYTES":
        return GivenTensor(head.name, head.datatype, head.shape, list(read_texts(head.name, head.shape, data)))
    check_size(head.name, head.datatype, head.shape, len(data))
    if head.datatype == "BOOL":
        check_bools(head.name, data)
    return GivenTensor(head.name, head.datatype, head.shape, data=data)


def _from_base64(name: str, value: Any) -> Any:
    if value is None:
        return None
    try:
        return text_of(name, msgspec.json.decode(encode(value), type=bytes))
    except msgspec.MsgspecError as error:
        raise InputError(f"Input {name!r}: expected base64, found other text.") from error


async def _raw_inputs(request: Request, engine: EngineApi) -> Inputs:
    """A body that is nothing but the model's one input."""
    data, known = request.body, (await engine.serving.model(model_name(request))).inputs
    if len(known) != 1:
        raise InputError(
            f"A body without a head is for models with one input whose shape is known, not {len(known)}.",
            hint="send a head that names the inputs",
        )
    tensor = known[0]
    shape = raw_shape(tensor.name, tensor.datatype, tensor.shape, len(data))
    if tensor.datatype == "BYTES":
        return Inputs(rows=([text_of(tensor.name, data)],))
    return Inputs((Tensor(tensor.name, tensor.datatype, shape),), data)


def respond(answer: InferAnswer, wanted: _Wanted, request_id: str) -> Response:
    """The answer in the protocol's words."""
    found: list[InferOutput] = []
    behind: list[bytes] = []
    for tensor, data in parts(answer):
        output = _output(answer, tensor.name, tensor.datatype, tensor.shape)
        if wanted.is_binary(tensor.name):
            _put_behind(output, data, behind)
        else:
            output.data = encoded_numbers(unpacked(tensor.datatype, data))
        found.append(output)
    for name, values in answer.values.items():
        found.append(_text_output(answer, name, values, wanted, behind))
    warned = {"warnings": "; ".join(answer.warnings)} if answer.warnings else None
    head = InferAnswerHead(answer.model, answer.version, found, request_id, warned)
    if not behind and not wanted.all_binary:
        return json_response(head)
    text = encode(head)
    return Response(200, (text, *behind), BINARY, ((HEAD_LENGTH, str(len(text))),))


def _output(answer: InferAnswer, name: str, datatype: str, shape: tuple[int, ...]) -> InferOutput:
    output = InferOutput(name, datatype, shape)
    if (classes := class_texts(answer, name, shape)) is not None:
        output.parameters = {"classes": classes}
    return output


def _put_behind(output: InferOutput, data: bytes, behind: list[bytes]) -> None:
    """Have the values of an output stand behind the head."""
    output.parameters = {**(output.parameters or {}), "binary_data_size": len(data)}
    behind.append(data)


def _text_output(answer: InferAnswer, name: str, values: Any, wanted: _Wanted, behind: list[bytes]) -> InferOutput:
    """An output of texts, each an element of its own."""
    tensor = text_tensor(name, values)
    output = _output(answer, name, "BYTES", tensor.shape)
    if wanted.is_binary(name):
        _put_behind(output, written_texts(tensor.texts), behind)
    else:
        output.parameters = {**(output.parameters or {}), "content_type": "json" if tensor.json else "str"}
        output.data = msgspec.Raw(encode(tensor.texts))
    return output
