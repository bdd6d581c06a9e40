from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from console.http.errors import Refused
from console.http.limits import Held, Limits
from console.http.parsing import Message, Reader
from tests.http.test_connection import UPGRADE
from tests.http.test_tricks import CHUNKED, GET, HOST, ODD, POST, SMUGGLING

LIMITS = Limits(body=2000, headers=20, head=4096, url=300)
WHOLE = (
    GET + b"\r\n",
    POST + b"Content-Length: 5\r\n\r\nhello",
    CHUNKED + b"3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nX-T: u\r\n\r\n",
    POST + UPGRADE + b"Content-Length: 5\r\n\r\nhello",
    POST + UPGRADE + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"POST /a HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\nContent-Length: 0\r\n\r\n",
    b"\r\n",
)
ODDITIES = tuple(sent for sent, *_ in ODD.values() if isinstance(sent, bytes) and len(sent) < 5000)
"""Without those that are refused for their size, which is looked at once in so many bytes."""
PIECES = (*WHOLE, *SMUGGLING.values(), *ODDITIES)
streams = st.lists(st.sampled_from(PIECES) | st.binary(max_size=20), min_size=1, max_size=5).map(b"".join)


@st.composite
def spoiled(draw: st.DrawFn) -> bytes:
    """A stream of requests of which a byte or two are others."""
    data = bytearray(draw(streams))
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, max(0, min(len(data), 400) - 1)))
        data[at : at + 1] = draw(st.sampled_from([b"", b"\0", b"\r", b"\n", b" ", b":", b"0", b"\xff", b"\r\n", b"\t"]))
    return bytes(data)


def read(data: bytes, splits: list[int]) -> tuple[list[object], Reader, Held]:
    """What a reader makes of bytes that come in pieces."""
    held = Held(1 << 20)
    reader = Reader(LIMITS, held)
    ends = [*sorted({one for one in splits if 0 < one < len(data)}), len(data)]
    begin = 0
    for end in ends:
        reader.feed(memoryview(data)[begin:end])
        begin = end
    return [_plain(one) for one in reader.ready], reader, held


def _plain(one: Message | Refused) -> object:
    if isinstance(one, Refused):
        return one.status >= 400
    body = b"" if one.parts is None else one.parts.whole()
    headers = {name: value for name, value in one.headers.items() if name not in (b"upgrade", b"http2-settings")}
    return one.method, one.target, headers, body, one.keep_alive


@settings(max_examples=150, deadline=None)
@given(spoiled(), st.lists(st.integers(0, 600), max_size=8))
def test_what_is_read_does_not_depend_on_how_it_comes(data: bytes, splits: list[int]) -> None:
    whole, reader, held = read(data, [])
    pieces, _, _ = read(data, splits)
    assert pieces == whole
    assert [one for one in whole if isinstance(one, bool)] in ([], [True])
    assert True not in whole[:-1]
    reader.drop()
    assert held.bytes == sum(one.size for one in reader.ready if isinstance(one, Message))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from(WHOLE[:6]), min_size=1, max_size=10), st.lists(st.integers(0, 1500), max_size=8))
def test_requests_that_are_whole_are_all_read(requests: list[bytes], splits: list[int]) -> None:
    found, reader, _ = read(b"".join(requests), splits)
    assert len(found) == len(requests)
    assert not [one for one in found if isinstance(one, bool)]
    assert reader.reading is None
