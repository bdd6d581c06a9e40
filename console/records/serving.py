"""Models in service: under which names and versions they answer, what they are asked, and how each request went."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from backends.core.inspection import Json, Signature
from console.records.workers import Memory, Quantiles

Datatype = Literal[
    "BOOL",
    "UINT8",
    "UINT16",
    "UINT32",
    "UINT64",
    "INT8",
    "INT16",
    "INT32",
    "INT64",
    "FP16",
    "FP32",
    "FP64",
    "BYTES",
]
"""Datatypes of the Open Inference Protocol, version 2."""
NUMPY_DTYPES: Mapping[str, str] = {
    "BOOL": "|b1",
    "UINT8": "|u1",
    "UINT16": "<u2",
    "UINT32": "<u4",
    "UINT64": "<u8",
    "INT8": "|i1",
    "INT16": "<i2",
    "INT32": "<i4",
    "INT64": "<i8",
    "FP16": "<f2",
    "FP32": "<f4",
    "FP64": "<f8",
}
"""The datatypes of numbers, as numpy writes them; all of them are little-endian in a body."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor of numbers whose values stand in the body of its request or answer, little-endian and row by row, behind
    those of the tensors before it."""

    name: str
    datatype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class InferRequest:
    """One request to a model in service.

    The inputs are either `tensors` in `body`, or `rows` of JSON values in the order of `columns` (None = the model's
    own order). `version` is a number, "" = whichever is current, a canary now and then; `label` names one by its label.
    `methods` are as in `predict`; none means the model's first. `deadline_ms` is the client's, the model's own holds
    besides. `id` names the request in events and failures, `trace` is a W3C traceparent.
    """

    model: str
    version: str = ""
    label: str = ""
    methods: tuple[str, ...] = ()
    tensors: tuple[Tensor, ...] = ()
    body: bytes = b""
    rows: tuple[Json, ...] | None = None
    columns: tuple[str, ...] | None = None
    deadline_ms: float | None = None
    id: str = ""
    trace: str = ""
    plain: bool = False
    """Whether the numbers came as JSON, which tells no type: they become of that of the model's inputs."""


@dataclass(frozen=True, slots=True)
class InferAnswer:
    """The answer of a model in service: each method's output is a tensor in `body`, or in `values` (texts, and what no
    tensor holds) a JSON value for each row.

    `batch` is how many rows the model was asked in the call that answered this; `classes` are the labels that columns
    of scores belong to.
    """

    model: str
    version: str
    tensors: tuple[Tensor, ...] = ()
    body: bytes = b""
    values: dict[str, Json] = field(default_factory=dict)
    classes: tuple[Json, ...] | None = None
    rows: int = 0
    queue_ms: float = 0.0
    model_ms: float = 0.0
    batch: int = 0
    warnings: tuple[str, ...] = ()


class ServedState(StrEnum):
    """The states of a served version, in the order they are gone through."""

    START = "start"
    LOADING = "loading"
    AVAILABLE = "available"
    UNLOADING = "unloading"
    END = "end"


@dataclass(frozen=True, slots=True)
class ServedVersion:
    """One version of a model in service.

    `version` is its number in the history as text, "1" where there is no history. `reason` says why it does not answer;
    `weight` is its share of the requests that name no version. `memory` and `cpu` (percent of one core) are those of
    its workers as they were read last.
    """

    version: str
    state: ServedState
    reason: str = ""
    digest: str | None = None
    current: bool = False
    labels: tuple[str, ...] = ()
    weight: float = 0.0
    since: float = 0.0
    memory: Memory | None = None
    cpu: float | None = None


LoadWhen = Literal["start", "demand", "never"]


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """How a model is served: `[serve]` of its recipe, and what was changed since.

    `copies` workers; at most `max_batch` rows in one call; requests end after `deadline_ms`; more than `queue` that
    wait are refused. `weights` are shares of the traffic by version (what is left is the current version's), `labels`
    versions by label. `sample` allows the inputs of the worst requests to be kept.
    """

    name: str
    load: LoadWhen = "demand"
    copies: int = 1
    max_batch: int = 256
    deadline_ms: float = 10_000.0
    queue: int = 1000
    labels: dict[str, int] = field(default_factory=dict)
    weights: dict[str, float] = field(default_factory=dict)
    sample: bool = False


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model in service, loaded or not: `name` is what clients call it, `path` its artifact."""

    name: str
    path: str
    format: str
    model_class: str | None
    verdict: str
    settings: ServeSettings
    versions: tuple[ServedVersion, ...] = ()
    signature: Signature = field(default_factory=Signature)
    methods: tuple[str, ...] = ()
    inputs: tuple[Tensor, ...] = ()
    """Names, datatypes and shapes of the inputs (-1 = any number), as far as they are known."""
    outputs: tuple[Tensor, ...] = ()
    ready: bool = False
    """Whether a request without a version is answered now, by what is loaded or by what the request loads."""
    reason: str = ""
    """Why it is not loaded."""

    @property
    def loaded(self) -> bool:
        """Whether the current version is loaded and answers."""
        return any(one.current and one.state is ServedState.AVAILABLE for one in self.versions)


@dataclass(frozen=True, slots=True)
class RequestOutcome:
    """How one request of another program went: what the monitor counts.

    `error` is the code of its error, "" where it was answered; `queue_ms` until a worker took it, `model_ms` in the
    model, `total_ms` in the engine. `who` asked.
    """

    model: str
    path: str
    version: str
    when: float
    rows: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    queue_ms: float = 0.0
    model_ms: float = 0.0
    total_ms: float = 0.0
    batch: int = 0
    error: str = ""
    message: str = ""
    id: str = ""
    trace: str = ""
    who: str = ""
    sample: str = ""
    """Its inputs in short, where the recipe allows to keep them."""


@dataclass(frozen=True, slots=True)
class Durations:
    """How many there were, and the nanoseconds they took together."""

    count: int = 0
    ns: int = 0


@dataclass(frozen=True, slots=True)
class ModelStatistics:
    """Counts of one version since the engine began, as the Open Inference Protocol's statistics tell them."""

    name: str
    version: str
    last_inference: float
    inferences: int
    executions: int
    success: Durations = Durations()
    fail: Durations = Durations()
    queue: Durations = Durations()
    compute: Durations = Durations()
    errors: dict[str, int] = field(default_factory=dict)
    batches: dict[int, Durations] = field(default_factory=dict)
    recent: Quantiles | None = None
    """The whole times of what all versions of the model answered in the last minute."""


TokenRole = Literal["view", "infer", "operate", "administer"]
"""Roles that a token may have."""


ANONYMOUS = "anonymous"
"""The name of whoever asks over HTTP without a token."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Whoever asks over HTTP: the bearer of a token, or anybody (ANONYMOUS).

    `role` is a role in a word; `models` are patterns of names (none = all); `rate` is requests a second (0 = no limit).
    `handle` is what the front names it by to the engine.
    """

    name: str
    role: str
    models: tuple[str, ...] = ()
    rate: float = 0.0
    handle: str = ""


ANYBODY = Principal(ANONYMOUS, "infer")
"""Whoever asks over HTTP without a token, where that is allowed."""


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token as it is kept: never itself, only its SHA-256."""

    name: str
    role: str
    models: tuple[str, ...] = ()
    rate: float = 0.0
    created: float = 0.0
    by: str = ""
    expires: float | None = None
    last_used: float | None = None


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token that was just made, with the secret that is told this once."""

    token: Token
    secret: str
