"""Checksums of an archive's members, compared by several threads: the same findings as by one."""

from __future__ import annotations

import io
import os
import zipfile
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.core import zip_rules
from backends.core.errors import Damaged
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


def findings(data: bytes, threads: int, piece: int = 1000) -> list[Finding]:
    fd = os.memfd_create("archive", os.MFD_CLOEXEC)
    try:
        os.write(fd, data)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(zip_rules, "processors", lambda: threads)
            patch.setattr(zip_rules, "_IN_PARALLEL_FROM", 0)
            patch.setattr(zip_rules, "_PIECE", piece)
            with zip_rules.open_zip(Source(fd)) as opened:
                return zip_rules.check_contents(opened)
    finally:
        os.close(fd)


@pytest.mark.parametrize("method", ARCHIVES)
def test_honest_members_have_their_checksums(method: int) -> None:
    assert findings(ARCHIVES[method], 1) == findings(ARCHIVES[method], 3) == []


@pytest.mark.parametrize("method", ARCHIVES)
def test_each_member_that_is_damaged_is_told_in_its_order(method: int) -> None:
    data = bytearray(ARCHIVES[method])
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        infos = opened.infolist()
    for number in (7, 2, 9):
        data[infos[number].header_offset + 60 + infos[number].compress_size // 2] ^= 1
    for threads in (1, 3):
        for piece in (1000, 1 << 20):
            told = findings(bytes(data), threads, piece)
            assert [each.offset for each in told] == [infos[number].header_offset for number in (2, 7, 9)]
            assert {each.code for each in told} == {"member-mismatch"}


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(ARCHIVES)), st.data())
def test_threads_tell_what_one_tells(method: int, data: st.DataObject) -> None:
    raw = bytearray(ARCHIVES[method])
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with suppress(Damaged):
        assert findings(bytes(raw), 3) == findings(bytes(raw), 1)
