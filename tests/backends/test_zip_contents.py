"""Checksums of an archive's members, compared with those of its directory."""

from __future__ import annotations

import io
import os
import zipfile

import pytest

from backends.core import zip_rules
from backends.core.inspection import Finding
from backends.core.source import Source
from tests.backends.streams import model_bytes


def archive(method: int) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as made:
        for number in range(12):
            made.writestr(f"{number}.npy", model_bytes(800 + 160 * number))
    return file.getvalue()


ARCHIVES = {method: archive(method) for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)}


def findings(data: bytes) -> list[Finding]:
    fd = os.memfd_create("archive", os.MFD_CLOEXEC)
    try:
        os.write(fd, data)
        with zip_rules.open_zip(Source(fd)) as opened:
            return zip_rules.check_contents(opened)
    finally:
        os.close(fd)


@pytest.mark.parametrize("method", ARCHIVES)
def test_honest_members_have_their_checksums(method: int) -> None:
    assert findings(ARCHIVES[method]) == []


@pytest.mark.parametrize("method", ARCHIVES)
def test_each_member_that_is_damaged_is_told_in_its_order(method: int) -> None:
    data = bytearray(ARCHIVES[method])
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        infos = opened.infolist()
    for number in (7, 2, 9):
        data[infos[number].header_offset + 60 + infos[number].compress_size // 2] ^= 1
    told = findings(bytes(data))
    assert [each.offset for each in told] == [infos[number].header_offset for number in (2, 7, 9)]
    assert {each.code for each in told} == {"member-mismatch"}
