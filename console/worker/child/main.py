"""The loop every child runs: one request after another from the control socket, until it closes."""

from __future__ import annotations

import faulthandler
import importlib
import os
import signal
import socket
import sys
import time
import traceback
from typing import Any, Callable, NoReturn, Optional

from backends.core.errors import Refusal
from console.worker.child import proctitle, tracebacks
from console.worker.child.sandbox import confinement, selftest
from console.worker.child.sandbox.privileges import die_with_parent
from console.worker.wire import TAKEN_BACK, Frame, Head, Receiver, WireError, encode, send

KINDS: dict[str, str] = {
    "inspector": "console.worker.child.inspect:Inspecting",
    "worker": "console.worker.child.model:Serving",
    "trainer": "console.worker.child.training:Training",
    "unsealer": "console.worker.child.unsealing:Unsealing",
    "zygote": "console.worker.child.zygote:Forking",
}
"""Kind to the class that serves it, imported when the child becomes one."""

RENEW_S = 0.1
"""Limits of processor time count whole seconds: requests that begin within this time of each other share one."""

Answer = tuple[Head, bytes]


class Request:
    """One request: its fields, its body and the descriptors that came with it, which are closed when it is answered."""

    def __init__(self, sock: socket.socket, head: Head, body: bytes, fds: list[int]) -> None:
        self._sock = sock
        self.id = head.get("id")
        self.op = str(head.get("op"))
        self.fields = head
        self.body = body
        self.fds = fds

    @property
    def console(self) -> int:
        """The descriptor of the control socket: there is something to read when the console takes the request back, and
        its end when the console is gone."""
        return self._sock.fileno()

    def event(self, kind: str, **fields: Any) -> None:
        """Report progress; `phase` names what runs now. Raises OSError when the console is gone."""
        send(self._sock, {**fields, "id": self.id, "event": kind})

    def take_fd(self) -> int:
        """The next descriptor, now the caller's to close. Raises Refusal when there is none."""
        if not self.fds:
            raise Refusal("protocol", f"'{self.op}' came without a descriptor")
        return self.fds.pop(0)


Operation = Callable[[Request], Answer]


class Service:
    """The operations of one kind of child, by name. `phase` and `input` are what runs on what, for a failure."""

    def __init__(self) -> None:
        self.operations: dict[str, Operation] = {}
        self.phase = ""
        self.input: Any = None

    def describe_input(self) -> Optional[str]:
        """The input of what runs: shape and dtypes in words, never values."""
        return None if self.input is None else str(self.input)

    def versions(self) -> dict[str, str]:
        """The libraries that run the model, for a failure."""
        return {}

    def next(self, receiver: Receiver) -> list[Frame]:
        """The next request, or several that `together` answers. Raises EOFError and WireError."""
        return [receiver.receive()]

    def together(self, requests: list[Request]) -> list[Answer]:
        """One answer for each of several requests. If it raises, each is answered for itself."""
        return [self.operations[request.op](request) for request in requests]


def serve(kind: str, descriptor: int) -> NoReturn:
    """Become a child of this kind: wait for the first frame, enter the sandbox, answer until the socket closes."""
    die_with_parent()
    faulthandler.enable()
    faulthandler.register(signal.SIGUSR2, all_threads=True)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(line_buffering=True, errors="backslashreplace")
    sock = socket.socket(fileno=descriptor)
    receiver = Receiver(sock)
    try:
        service = _start(kind, sock, receiver)
        while True:
            requests = [Request(sock, *frame) for frame in service.next(receiver)]
            if len(requests) == 1 or not _reply_together(sock, requests, service):
                for request in requests:
                    _reply(sock, request, service)
    except EOFError:
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(70)


_renewed = 0.0


def _renew_cpu_limit(*, at_once: bool = False) -> None:
    """Give the next request its processor time, unless it was given less than a moment ago (a fork inherits when)."""
    global _renewed
    now = time.monotonic()
    if at_once or now - _renewed > RENEW_S:
        confinement.renew_cpu_limit()
        _renewed = now


def _start(kind: str, sock: socket.socket, receiver: Receiver) -> Service:
    request = Request(sock, *receiver.receive())
    proctitle.show(kind, str(request.fields.get("label") or ""))
    begun = time.perf_counter()
    layers = confinement.enter(request.fields, sock.fileno(), kind)
    _renew_cpu_limit(at_once=True)
    layered = time.perf_counter()
    tried = {} if kind == "zygote" else selftest.run(request.fields)
    spent = [(layered - begun) * 1e3, (time.perf_counter() - layered) * 1e3]
    module, _, name = KINDS[kind].partition(":")
    service: Service = getattr(importlib.import_module(module), name)()
    python = ".".join(str(part) for part in sys.version_info[:3])
    head = {"layers": layers, "selftest": tried, "sandbox_ms": spent, "python": python, "executable": sys.executable}
    send(sock, {**head, "id": request.id})
    return service


def _reply(sock: socket.socket, request: Request, service: Service) -> None:
    operation = service.operations.get(request.op)
    service.phase, service.input = request.op, None
    _renew_cpu_limit()
    try:
        if operation is None:
            raise Refusal("protocol", f"this child does not know the operation '{request.op}'")
        head, body = ({}, b"") if request.fields.get(TAKEN_BACK) else operation(request)
    except BaseException as error:
        head, body = _failure(error, service), b""
    for fd in request.fds:
        os.close(fd)
    try:
        send(sock, {**head, "id": request.id}, body)
    except (WireError, ValueError) as error:
        code = "too-large" if isinstance(error, WireError) else "bad-answer"
        said = {"code": code, "message": f"the answer cannot be sent: {error}", "phase": service.phase}
        send(sock, {"id": request.id, "failure": said})
    service.input = None


def _reply_together(sock: socket.socket, requests: list[Request], service: Service) -> bool:
    """Answer several requests by one call and with one write; whether that was possible."""
    _renew_cpu_limit()
    try:
        answers = service.together(requests)
        data = b"".join(encode({**head, "id": one.id}, body) for one, (head, body) in zip(requests, answers))
    except BaseException:
        return False
    sock.sendall(data)
    service.input = None
    return True


def _failure(error: BaseException, service: Service) -> Head:
    said = tracebacks.describe(error)
    try:
        given = service.describe_input()
    except Exception as failed:
        given = f"an input that cannot be described ({type(failed).__name__})"
    said.update(phase=service.phase, input=given, warnings=tracebacks.drain_warnings(), versions=service.versions())
    head: Head = {"failure": said}
    details = getattr(error, "details", None)
    if isinstance(error, Refusal) and details:
        head["details"] = details
    return head
