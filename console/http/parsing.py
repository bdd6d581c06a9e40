"""Requests out of bytes: httptools reads them, and what it lets through or does not bound is refused here.

httptools (llhttp) itself refuses Content-Length twice or with Transfer-Encoding, folded lines, bare LF or CR, a space
before a colon, control characters, and chunk sizes that are none; a table of tests shows it for each.
"""

from __future__ import annotations

import httptools

from console.http.bodies import Parts
from console.http.errors import Refused
from console.http.limits import Held, Limits

_METHODS = {name.encode(): name for name in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")}
_SINGLE = frozenset(
    (
        b"host",
        b"authorization",
        b"content-type",
        b"content-encoding",
        b"content-length",
        b"expect",
        b"inference-header-content-length",
        b"origin",
        b"traceparent",
        b"transfer-encoding",
        b"x-request-id",
    )
)
"""Headers that mean something here and may come once only."""


_OF_UPGRADES = (b"upgrade", b"connection", b"http2-settings")
_NOTHING = memoryview(b"")


class Message:
    """One request as it was read. `whole` once its last byte was; `continues` while the client waits for a word."""

    __slots__ = ("continues", "headers", "keep_alive", "method", "old", "parts", "target")

    def __init__(self) -> None:
        self.method = ""
        self.target = b""
        self.headers: dict[bytes, bytes] = {}
        self.parts: Parts | None = None
        self.old = False
        self.keep_alive = False
        self.continues = False

    @property
    def size(self) -> int:
        """Bytes of the body that are held."""
        return 0 if self.parts is None else self.parts.size


class Reader:
    """The parser of one connection: `feed` it, then take `ready` messages; `reading` is the one that is not whole.

    In `ready` a Refused comes last: nothing is read after it.
    """

    __slots__ = (
        "_ended",
        "_fed",
        "_head",
        "_held",
        "_limits",
        "_parser",
        "_raw",
        "_refused",
        "in_body",
        "reading",
        "ready",
    )

    def __init__(self, limits: Limits, held: Held) -> None:
        self._limits = limits
        self._held = held
        self._parser = httptools.HttpRequestParser(self)
        self._refused: Refused | None = None
        self._ended = False
        self._head = self._fed = self._raw = 0
        self.reading: Message | None = None
        self.in_body = False
        self.ready: list[Message | Refused] = []

    def feed(self, data: memoryview) -> None:
        """Read on. What was refused stands in `ready`."""
        while data and self._refused is None and not self._ended:
            data = self._feed(data)

    def _feed(self, data: memoryview) -> memoryview:
        """Read on; what is to be read once more."""
        before, in_body = self.reading, self.in_body
        try:
            self._parser.feed_data(data)
            self._bound(before, in_body, len(data))
        except httptools.HttpParserUpgrade as upgrade:
            return self._without_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            if not self._ended:
                self.refuse(_refusal(error, data) if self._refused is None else self._refused)
        except Refused as refused:
            self.refuse(refused)
        return _NOTHING

    def refuse(self, refused: Refused) -> None:
        """Read no more, and answer this once all before is answered."""
        self._refused = refused
        self.drop()
        self.ready.append(refused)

    def drop(self) -> None:
        """Forget the message that is being read."""
        if self.reading is not None:
            self._held.give(self.reading.size)
            self.reading = None

    def on_message_begin(self) -> None:
        """A first byte of a request."""
        self.reading = Message()
        self.in_body = False
        self._head = self._fed = self._raw = 0

    def on_url(self, part: bytes) -> None:
        """A part of the target."""
        message = self._message()
        message.target += part
        if len(message.target) > self._limits.url:
            self._raise(Refused(414, f"the URL is longer than {self._limits.url} bytes"))

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a line after the last chunk, which is thrown away."""
        if self.in_body:
            return
        message = self._message()
        self._head += len(name) + len(value) + 4
        if self._head > self._limits.head:
            self._raise(self._too_large())
        name = name.lower()
        headers = message.headers
        if name in headers:
            if name in _SINGLE:
                self._raise(Refused(400, f"the header {name.decode('latin-1')} came more than once"))
            value = headers[name] + b", " + value
        elif len(headers) >= self._limits.headers:
            self._raise(Refused(431, f"there are more than {self._limits.headers} headers"))
        headers[name] = value

    def on_headers_complete(self) -> None:
        """The head is whole: refuse now what need not be read."""
        message = self._message()
        self.in_body = True
        try:
            self._check(message)
        except Refused as refused:
            self._raise(refused)

    def on_body(self, part: bytes) -> None:
        """A part of the body."""
        message = self._message()
        parts = message.parts
        if parts is None:
            parts = message.parts = Parts()
        message.continues = False
        if parts.size + len(part) > self._limits.body:
            self._raise(self._too_much())
        try:
            self._held.take(len(part))
        except Refused as refused:
            self._raise(refused)
        parts.add(part)

    def on_message_complete(self) -> None:
        """The last byte of a request."""
        message = self._message()
        message.keep_alive = self._parser.should_keep_alive()
        self._ended = not message.keep_alive
        message.continues = False
        self.reading = None
        self.in_body = False
        self.ready.append(message)

    def _message(self) -> Message:
        assert self.reading is not None
        return self.reading

    def _check(self, message: Message) -> None:
        version = self._parser.get_http_version()
        if version not in ("1.1", "1.0"):
            raise Refused(505, "HTTP/1.1 and HTTP/1.0 are spoken here")
        message.old = version == "1.0"
        method = _METHODS.get(self._parser.get_method())
        if method is None:
            raise Refused(501, "this method is not known here")
        message.method = method
        headers = message.headers
        if not message.old and b"host" not in headers:
            raise Refused(400, "the header Host is missing")
        if (coding := headers.get(b"transfer-encoding")) is not None:
            if message.old:
                raise Refused(400, "HTTP/1.0 has no Transfer-Encoding")
            if coding.strip().lower() != b"chunked":
                raise Refused(501, "a body may be sent in chunks and in no other Transfer-Encoding")
        if int(headers.get(b"content-length", 0)) > self._limits.body:
            raise self._too_much()
        if (expected := headers.get(b"expect")) is not None and not message.old:
            if expected.strip().lower() != b"100-continue":
                raise Refused(417, "nothing but 100-continue can be expected")
            message.continues = True

    def _bound(self, before: Message | None, in_body: bool, fed: int) -> None:
        """Bound what httptools holds while a line is not whole: in the head, and beside the chunks of a body."""
        if self.reading is None or self.reading is not before:
            return
        if not self.in_body:
            self._fed += fed
            if self._fed > self._limits.head:
                raise self._too_large()
        elif in_body:
            self._raw += fed
            if self._raw > self._limits.head + 16 * self.reading.size:
                raise Refused(400, "there is more around the chunks of the body than in them")

    def _without_upgrade(self, rest: memoryview) -> memoryview:
        """A request that would rather speak something else, as if it did not say so, and what follows: httptools reads
        no body behind such a head. Clients in Java ask for HTTP/2 like this with every first request."""
        message = self.ready.pop()
        assert isinstance(message, Message)
        self._parser = httptools.HttpRequestParser(self)
        self._ended = False
        lines = [b"%b %b HTTP/1.%d" % (message.method.encode(), message.target, not message.old)]
        lines += [b"%b: %b" % header for header in message.headers.items() if header[0] not in _OF_UPGRADES]
        if b"close" in message.headers.get(b"connection", b"").lower():
            lines.append(b"connection: close")
        return memoryview(b"\r\n".join([*lines, b"", b""]) + rest)

    def _raise(self, refused: Refused) -> None:
        """From within a callback, of which httptools tells only that it raised."""
        self._refused = refused
        raise refused

    def _too_large(self) -> Refused:
        return Refused(431, f"the head of the request is larger than {self._limits.head} bytes")

    def _too_much(self) -> Refused:
        return Refused(413, f"the body is larger than the {self._limits.body} bytes that are taken")


def _refusal(error: httptools.HttpParserError, data: memoryview) -> Refused:
    """The answer to what httptools could not read."""
    words = str(error)
    if words == "Invalid HTTP version" or "PRI" in words:
        return Refused(505, "HTTP/1.1 and HTTP/1.0 are spoken here")
    if isinstance(error, httptools.HttpParserInvalidMethodError) and bytes(data[:1]).isalpha():
        return Refused(501, "this method is not known here")
    return Refused(400, f"this is no request of HTTP/1.1: {words}" if words.isprintable() else "this is no request")
