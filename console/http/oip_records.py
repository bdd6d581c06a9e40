"""Requests and answers of the Open Inference Protocol, version 2, as they stand in JSON."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from console.http.tensors_json import DATATYPES


class InputHead(msgspec.Struct, gc=False):
    """One input of a request; its values are `data`, flat or nested, or stand behind the head in binary."""

    name: str
    shape: list[int]
    datatype: Annotated[str, msgspec.Meta(extra_json_schema={"enum": list(DATATYPES)})]
    parameters: dict[str, Any] | None = None
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class OutputHead(msgspec.Struct, gc=False):
    """One output that is asked for: the name of a method of the model."""

    name: str
    parameters: dict[str, Any] | None = None


class InferHead(msgspec.Struct, gc=False):
    """A request to infer."""

    inputs: list[InputHead]
    id: str | None = None
    parameters: dict[str, Any] | None = None
    outputs: list[OutputHead] | None = None


class InferOutput(msgspec.Struct, omit_defaults=True, gc=False):
    """One output of an answer; its values are `data`, flat, or stand behind the head in binary."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    parameters: dict[str, Any] | None = None
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class InferAnswerHead(msgspec.Struct, omit_defaults=True, gc=False):
    """The answer of a model."""

    model_name: str
    model_version: str
    outputs: list[InferOutput]
    id: str = ""
    parameters: dict[str, Any] | None = None


class ServerMetadata(msgspec.Struct):
    """The server and the extensions of the protocol that it has."""

    name: str
    version: str
    extensions: list[str]


class Live(msgspec.Struct):
    """Whether the server answers."""

    live: bool


class Ready(msgspec.Struct, omit_defaults=True):
    """Whether everything that is served from the start is ready, and why not."""

    ready: bool
    reason: str = ""


class ModelReady(msgspec.Struct, omit_defaults=True):
    """Whether a model answers, and why not."""

    name: str
    ready: bool
    reason: str = ""


class TensorMetadata(msgspec.Struct, omit_defaults=True):
    """An input or output; a size of -1 is any."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    parameters: dict[str, str] | None = None


class ModelMetadata(msgspec.Struct, omit_defaults=True):
    """A model, loaded or not, as its file tells; parameters that are lists are JSON in a string."""

    name: str
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]
    versions: list[str] | None = None
    parameters: dict[str, str] | None = None


class IndexHead(msgspec.Struct):
    """The part of the repository that is asked for."""

    ready: bool | None = None


class IndexEntry(msgspec.Struct):
    """A version of a model in the repository; `reason` says why it is not ready."""

    name: str
    version: str
    state: str
    reason: str


class LoadHead(msgspec.Struct):
    """How to load or unload a model; a configuration cannot be given."""

    parameters: dict[str, Any] | None = None


class Loaded(msgspec.Struct, omit_defaults=True):
    """How a model stands after it was loaded or unloaded."""

    name: str
    load: bool | None = None
    unload: bool | None = None
    versions: list[IndexEntry] = []


class Duration(msgspec.Struct):
    """How many there were, and the nanoseconds they took together."""

    count: int
    ns: int


class InferStatistics(msgspec.Struct):
    """Durations of a version's requests by what they were spent in."""

    success: Duration
    fail: Duration
    queue: Duration
    compute_input: Duration
    compute_infer: Duration
    compute_output: Duration
    cache_hit: Duration
    cache_miss: Duration


class BatchStatistics(msgspec.Struct):
    """Calls of the model with so many rows."""

    batch_size: int
    compute_input: Duration
    compute_infer: Duration
    compute_output: Duration


class VersionStatistics(msgspec.Struct):
    """Counts of one version; `last_inference` in milliseconds since the epoch."""

    name: str
    version: str
    last_inference: int
    inference_count: int
    execution_count: int
    inference_stats: InferStatistics
    batch_stats: list[BatchStatistics]


class ModelStats(msgspec.Struct):
    """Statistics since the engine began."""

    model_stats: list[VersionStatistics]
