"""TLS of the front: certificates from bytes, checked before they are used, exchanged under open connections."""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime

_END = "-----END CERTIFICATE-----"
_SEQUENCE, _CONTEXT_0, _UTC_TIME = 0x30, 0xA0, 0x17


class CertificateError(Exception):
    """A certificate that cannot be used, in a sentence."""


class Tls:
    """The context that handshakes are made in. Files for OpenSSL are one file in memory, which is emptied at once."""

    def __init__(self) -> None:
        self._file = os.memfd_create("certificate", os.MFD_CLOEXEC)
        self.context = _context()

    def use(self, certificate: str, key: str) -> None:
        """Use this certificate for handshakes from now on. Raises CertificateError, and the former stays in use."""
        _check_times(certificate)
        self._load(_context(), certificate, key)
        self._load(self.context, certificate, key)

    def _load(self, context: ssl.SSLContext, certificate: str, key: str) -> None:
        try:
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, f"{certificate}\n{key}\n".encode("ascii"), 0)
            context.load_cert_chain(f"/proc/self/fd/{self._file}", password=_no_password)
        except (ssl.SSLError, OSError, ValueError) as error:
            raise CertificateError(_words(error)) from None
        finally:
            os.ftruncate(self._file, 0)


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    return context


def _no_password() -> str:
    raise ValueError("the key has a password; the server cannot type one")


def _words(error: Exception) -> str:
    reason = getattr(error, "reason", None)
    if reason == "KEY_VALUES_MISMATCH":
        return "the key is not the one of the certificate"
    if isinstance(error, ssl.SSLError):
        return f"the certificate or its key cannot be read: {reason or 'it is not PEM'}"
    return str(error)


def _check_times(certificate: str) -> None:
    """Raises CertificateError for a certificate that is not valid now."""
    try:
        begins, ends = validity(certificate)
    except (ValueError, IndexError, StopIteration):
        raise CertificateError("the certificate cannot be read: it is not PEM of an X.509 certificate") from None
    now = time.time()
    if now >= ends:
        raise CertificateError(f"the certificate has expired on {_date(ends)}")
    if now < begins:
        raise CertificateError(f"the certificate is not valid before {_date(begins)}")


def validity(certificate: str) -> tuple[float, float]:
    """When the first certificate of a chain begins and ends to be valid. Raises ValueError, IndexError."""
    first = certificate[certificate.index("-----BEGIN CERTIFICATE") : certificate.index(_END) + len(_END)]
    outer = next(_elements(ssl.PEM_cert_to_DER_cert(first)))[1]
    fields = list(_elements(next(_elements(outer))[1]))
    if fields[0][0] == _CONTEXT_0:
        fields = fields[1:]
    times = [_time(*element) for element in _elements(fields[3][1])]
    return times[0], times[1]


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Tags and contents of DER, one after another."""
    at = 0
    while at < len(data):
        tag, length = data[at], data[at + 1]
        at += 2
        if length & 0x80:
            count = length & 0x7F
            length = int.from_bytes(data[at : at + count], "big")
            at += count
        if at + length > len(data):
            raise ValueError("cut off")
        yield tag, data[at : at + length]
        at += length


def _time(tag: int, value: bytes) -> float:
    text = value.decode("ascii")
    if tag == _UTC_TIME:
        text = ("19" if text[:2] >= "50" else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()


def _date(when: float) -> str:
    return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%d %H:%M UTC")
