"""Listening sockets by address, and who holds one that is taken."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from console.errors import OperationError, UsageError
from console.records.service import ServeOptions
from console.service.front_process import read_certificate
from console.service.listening import Listening, close_all, listen_all


@contextmanager
def listening(**options: str) -> Iterator[tuple[Listening, ...]]:
    found = listen_all(ServeOptions(**options))  # type: ignore[arg-type]
    try:
        yield found
    finally:
        close_all(found)


def test_a_port_of_their_own_for_metrics() -> None:
    with listening(http="127.0.0.1:0", metrics="127.0.0.1:0") as (http, metrics):
        assert re.fullmatch(r"127\.0\.0\.1:\d+", http.address)
        assert (http.local, http.metrics, metrics.metrics) == (True, False, True)
        with socket.create_connection(http.socket.getsockname(), 10):
            pass


def test_other_addresses_than_loopback_are_told_apart() -> None:
    with listening(http="0.0.0.0:0") as (one,):
        assert not one.local


def test_a_host_name_stands_for_all_its_addresses() -> None:
    with listening(http="localhost:0") as found:
        assert len({one.socket.getsockname()[1] for one in found}) == 1
        assert all(one.local for one in found)


def test_who_holds_a_port_is_told() -> None:
    with listening(http="127.0.0.1:0") as (one,):
        address, port = one.address, one.socket.getsockname()[1]
        with pytest.raises(OperationError, match=rf"127\.0\.0\.1:{port} is taken by process {os.getpid()} \("):
            listen_all(ServeOptions(http=address))


@pytest.mark.parametrize("address", ["8080", "http://x:80", "127.0.0.1:99999", "[::1]", ":8080", "a:b", ""])
def test_what_is_no_address_is_refused(address: str) -> None:
    if not address:
        assert listen_all(ServeOptions()) == ()
        return
    with pytest.raises(UsageError, match="--http"):
        listen_all(ServeOptions(http=address))


def test_a_certificate_takes_its_key() -> None:
    assert read_certificate(ServeOptions()) == ("", "")
    with pytest.raises(UsageError, match="both a certificate and its key"):
        read_certificate(ServeOptions(certificate="c.pem"))
