"""Requests of other programs: each finds its version, waits for a worker, and is told of when it has ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

from console.access.actor import acting
from console.access.control import AccessControl
from console.errors import ConsoleError, DeadlineError
from console.records import InferAnswer, InferRequest, RequestOutcome, WorkerState
from console.serving import tensors
from console.serving.endpoint import Endpoint
from console.serving.endpoints import Endpoints, no_version, not_ready
from console.serving.replicas import Slot
from console.serving.supervisor import Supervisor
from console.worker.failures import ChildFailed
from console.worker.model import Worker

WINDOW = 48
"""Requests that one worker is given at a time; others wait here, where they can be taken back."""
BUSY = 56
"""The same with those that were taken back, which are passed over before long."""
_PAUSE_S = 0.005
_ENDED = frozenset({"ended", "unloaded", "busy"})
"""Codes of a worker that was sent away, or could not take more."""
_GONE = _ENDED | {"died", "hang", "protocol", "out-of-memory"}
"""Codes of a worker that went away with all it was asked, so that another one may be asked the same."""
_CANCELLED = "cancelled"
_SAMPLE_CAP = 500

OnRequest = Callable[[RequestOutcome], object]


class Answering:
    """Answers requests; `on_request` hears how each of them went, refused and given up ones included."""

    def __init__(self, endpoints: Endpoints, access: AccessControl, on_request: OnRequest) -> None:
        self._endpoints = endpoints
        self._access = access
        self._on_request = on_request

    async def infer(self, request: InferRequest) -> InferAnswer:
        """The answer to a request. Raises NotServedError, NotReadyError, OverloadedError, DeadlineError, InputError,
        AccessDeniedError, OperationError."""
        begun, when = asyncio.get_running_loop().time(), time.time()
        endpoint: Endpoint | None = None
        version: str | None = None
        try:
            endpoint = self._endpoints.by_name.get(request.model) or await self._endpoints.named(request.model)
            await self._access.authorize_model("infer", endpoint.settings.name)
            version = self._version(endpoint, request)
            answer = await self._answer(endpoint, request, version, begun)
        except BaseException as error:
            self._failed(endpoint, request, version, begun, when, error)
            raise
        self._tell(endpoint, request, begun, when, answer)
        return answer

    async def _answer(self, endpoint: Endpoint, request: InferRequest, version: str, begun: float) -> InferAnswer:
        settings = endpoint.settings
        if begun > endpoint.refresh_at:
            self._endpoints.refresh(endpoint)
        if endpoint.pending >= settings.queue + self._workers(endpoint):
            raise endpoint.overloaded()
        limit = settings.deadline_ms
        if request.deadline_ms is not None and request.deadline_ms < limit:
            limit = request.deadline_ms
        asked = tensors.given(request)
        endpoint.pending += 1
        try:
            return await self._through(endpoint, request, asked, version, begun, begun + limit / 1e3)
        finally:
            endpoint.pending -= 1
            endpoint.next_turn()

    async def _through(
        self,
        endpoint: Endpoint,
        request: InferRequest,
        asked: tensors.Given,
        version: str,
        begun: float,
        deadline: float,
    ) -> InferAnswer:
        """Wait for a worker of this version ("" = whichever is current) that has room, and ask it; where it goes away
        meanwhile, another one once."""
        again = retried = False
        while True:
            fleet, key = self._endpoints.place_of(endpoint, version)
            slot = fleet.find(key)
            if slot is None or not slot.answers or key in endpoint.stopped:
                await self._until_ready(endpoint, fleet, key, version, deadline)
                continue
            number = endpoint.number(slot.identity) if fleet is self._endpoints.fleet else version
            if number is None:
                await self._endpoints.numbered(endpoint, slot)
                await _pause(endpoint, deadline)
                continue
            worker = slot.least_busy()
            if worker is None or worker.asked >= WINDOW or (endpoint.crowded and not again):
                await endpoint.turn(deadline, again=again)
                again = True
                continue
            if worker.child.busy >= BUSY:
                await _pause(endpoint, deadline, _PAUSE_S)
                continue
            try:
                return await self._asked(endpoint, slot, worker, number, request, asked, begun, deadline)
            except ChildFailed as error:
                if retried or error.code not in _GONE:
                    raise
                retried = again = True

    async def _asked(
        self,
        endpoint: Endpoint,
        slot: Slot,
        worker: Worker,
        number: str,
        request: InferRequest,
        asked: tensors.Given,
        begun: float,
        deadline: float,
    ) -> InferAnswer:
        """The answer of this worker. Raises DeadlineError, ChildFailed, InputError."""
        settings, signature = endpoint.settings, slot.view.signature
        now = asyncio.get_running_loop().time
        left = deadline - now()
        if left <= 0:
            raise late(endpoint)
        if worker.batch_rows != settings.max_batch:
            worker.limit_batch(settings.max_batch)
        slot.asking += 1
        worker.asked += 1
        try:
            found = await tensors.ask(worker, asked, signature, request.methods, left, settings.deadline_ms / 1e3)
        except ChildFailed as error:
            if error.failure is not None:
                error.failure = replace(error.failure, request=request.id, trace=request.trace)
            raise self._blamed(endpoint, slot, worker, error) from None
        finally:
            slot.asking -= 1
            worker.asked -= 1
        endpoint.answered()
        waited = max(0.0, (now() - begun) * 1e3 - found.worker_ms)
        return InferAnswer(
            settings.name,
            number,
            found.tensors,
            found.body,
            found.values,
            signature.classes,
            found.rows,
            waited,
            found.worker_ms,
            found.batch,
            found.warnings,
        )

    def _blamed(self, endpoint: Endpoint, slot: Slot, worker: Worker, error: ChildFailed) -> ConsoleError:
        """The error to raise; what is the model's own fault is kept among the failures, the end of a worker once."""
        if error.code == "deadline":
            return late(endpoint)
        keeper = self._endpoints.fleet if slot.view.path == endpoint.path else self._endpoints.retained
        if error.code in _GONE:
            if not worker.mourned and error.code not in _ENDED:
                worker.mourned = True
                keeper.keep(slot, error)
        else:
            keeper.keep(slot, error)
        return error

    def _version(self, endpoint: Endpoint, request: InferRequest) -> str:
        """The version that is asked for, "" for whichever is current. Raises NotServedError."""
        if request.label:
            labelled = endpoint.settings.labels.get(request.label)
            if labelled is None:
                raise no_version(endpoint, f"label {request.label[:100]!r}")
            return str(labelled)
        if not request.version:
            return self._share(endpoint) if endpoint.settings.weights else ""
        if not (request.version.isascii() and request.version.isdecimal() and len(request.version) < 10):
            raise no_version(endpoint, f"version {request.version[:100]!r}: versions are numbers")
        return str(int(request.version))

    def _share(self, endpoint: Endpoint) -> str:
        """The version whose turn it is, the current one in the stead of one that cannot answer."""
        version = endpoint.next_version()
        fleet, key = self._endpoints.place_of(endpoint, version)
        slot = fleet.find(key)
        if version and slot is None and key not in endpoint.stopped and self._endpoints.why_not(endpoint, key) is None:
            self._endpoints.load_soon(endpoint, version)
        return version if slot is not None and slot.answers else ""

    def _workers(self, endpoint: Endpoint) -> int:
        slot = self._endpoints.fleet.find(endpoint.path)
        return 1 if slot is None else len(slot.more) + 1

    async def _until_ready(
        self, endpoint: Endpoint, fleet: Supervisor, key: str, version: str, deadline: float
    ) -> None:
        """Wait until something about its workers changes, having it loaded where that is to be. Raises NotReadyError
        where nothing will come of it, NotServedError for a version that there is not, DeadlineError."""
        if version and self._endpoints.current(endpoint) is None and await self._endpoints.find_current(endpoint):
            await _pause(endpoint, deadline)
            return
        if key in endpoint.stopped:
            raise not_ready(endpoint, "it was unloaded", "load it to have it answer again")
        if key not in endpoint.loading:
            await self._begin(endpoint, fleet, key, version)
        await endpoint.change(deadline, "it is not loaded yet")

    async def _begin(self, endpoint: Endpoint, fleet: Supervisor, key: str, version: str) -> None:
        """Have it loaded where it is to be and is not. Raises NotReadyError, NotServedError."""
        why, view = self._endpoints.why_not(endpoint, key), fleet.view(key)
        if view is not None and view.state is WorkerState.ERROR and view.retry_at is None:
            words = why.message if why is not None else "; ".join(view.notes) or "its worker is gone"
            hint = why.hint if why is not None else None
            raise not_ready(endpoint, words, hint or "load it again, or look at the errors", why)
        if view is not None and view.state in (WorkerState.DRAINING, WorkerState.ENDED):
            raise not_ready(endpoint, "it is being unloaded", "load it to have it answer again")
        if view is not None:
            return
        if why is not None:
            raise not_ready(endpoint, why.message, why.hint, why)
        if key != endpoint.path and not self._endpoints.wanted(endpoint, version):
            if not await self._endpoints.exists(endpoint, version):
                raise no_version(endpoint, f"version {version}")
            raise not_ready(endpoint, f"version {version} is not loaded", "load that version first")
        if key == endpoint.path and endpoint.settings.load == "never":
            raise not_ready(endpoint, "it is not loaded, and its recipe says never to", "an operator can load it")
        self._endpoints.load_soon(endpoint, version)

    # telling

    def _tell(self, endpoint: Endpoint, request: InferRequest, begun: float, when: float, answer: InferAnswer) -> None:
        actor = acting.get()
        self._on_request(
            RequestOutcome(
                answer.model,
                endpoint.path,
                answer.version,
                when,
                answer.rows,
                len(request.body),
                len(answer.body),
                answer.queue_ms,
                answer.model_ms,
                (asyncio.get_running_loop().time() - begun) * 1e3,
                answer.batch,
                "",
                "",
                request.id,
                request.trace,
                "" if actor is None else actor.who,
                sample(request) if endpoint.settings.sample else "",
            )
        )

    def _failed(
        self,
        endpoint: Endpoint | None,
        request: InferRequest,
        version: str | None,
        begun: float,
        when: float,
        error: BaseException,
    ) -> None:
        """Tell of a request that got no answer; `version` is as in `_through`, None where it came to none."""
        if endpoint is not None and version == "":
            version = self._endpoints.current(endpoint) or ""
        actor = acting.get()
        known = isinstance(error, ConsoleError)
        code = error.code if isinstance(error, ConsoleError) else _CANCELLED if _was_cancelled(error) else "failed"
        self._on_request(
            RequestOutcome(
                request.model[:200] if endpoint is None else endpoint.settings.name,
                "" if endpoint is None else endpoint.path,
                request.version[:20] if version is None else version,
                when,
                rows=tensors.rows_in(request),
                bytes_in=len(request.body),
                total_ms=(asyncio.get_running_loop().time() - begun) * 1e3,
                error=code,
                message=str(error)[:1000] if known else type(error).__name__,
                id=request.id,
                trace=request.trace,
                who="" if actor is None else actor.who,
                sample=sample(request) if endpoint is not None and endpoint.settings.sample else "",
            )
        )


def late(endpoint: Endpoint) -> DeadlineError:
    """The refusal of a request whose time is up."""
    return DeadlineError(f"{endpoint.settings.name} did not answer in time", hint="ask with a later deadline")


async def _pause(endpoint: Endpoint, deadline: float, seconds: float = 0.0) -> None:
    """Let others go on before the next look. Raises DeadlineError."""
    if asyncio.get_running_loop().time() > deadline:
        raise late(endpoint)
    await asyncio.sleep(seconds)


def _was_cancelled(error: BaseException) -> bool:
    return isinstance(error, asyncio.CancelledError)


def sample(request: InferRequest) -> str:
    """The inputs of a request in short: the first rows, or names and shapes with the first numbers."""
    if request.rows is not None:
        return repr(list(request.rows[:3]))[:_SAMPLE_CAP]
    told = ", ".join(f"{one.name[:40]} {one.datatype} {list(one.shape)}" for one in request.tensors[:8])
    return f"{told}: {request.body[:64].hex()}"[:_SAMPLE_CAP]
