from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from backends.core.inspection import ArrayInfo, Inspection
from console.files.opening import open_artifact
from console.files.snapshot import Snapshot, digest_of, seal
from console.inspection.cache import InspectionCache, weight
from console.inspection.service import CannotInspect
from console.records import Verdict

Sealing = Callable[[bytes, str], Snapshot]


class Inspector:
    """Tells how often it was asked; plans are the bytes themselves."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.complete = True

    async def __call__(self, content: Snapshot) -> Inspection:
        self.asked.append(content.name)
        data = os.pread(content.fd, content.size, 0)
        if data == b"trouble":
            raise CannotInspect(Verdict.DAMAGED, "damaged", "it is damaged")
        content.plan = data[:8]
        return Inspection("pickle", model_class=data.decode(), complete=self.complete)


@pytest.fixture
def sealing(tmp_path: Path) -> Sealing:
    """Seals a file of these bytes and this name."""

    def sealed(data: bytes, name: str) -> Snapshot:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
        with open_artifact(tmp_path, name) as opened:
            return seal(opened)

    return sealed


async def test_equal_bytes_are_inspected_once_and_others_anew(sealing: Sealing) -> None:
    inspector = Inspector()
    remembered = InspectionCache(inspector)
    found = []
    for data, name in ((b"first", "a.pkl"), (b"first", "b/a.pkl"), (b"other", "a.pkl"), (b"first", "a.pkl")):
        with sealing(data, name) as content:
            found.append(((await remembered(content)).model_class, content.plan))
    assert found == [("first", b"first"), ("first", b"first"), ("other", b"other"), ("first", b"first")]
    assert inspector.asked == ["a.pkl", "a.pkl"]


async def test_the_name_counts_since_findings_tell_of_it(sealing: Sealing) -> None:
    inspector = Inspector()
    remembered = InspectionCache(inspector)
    for name in ("a.pkl", "a.h5"):
        with sealing(b"first", name) as content:
            await remembered(content)
    assert inspector.asked == ["a.pkl", "a.h5"]


async def test_the_file_counts_as_it_was_copied_whatever_its_times_say(tmp_path: Path, sealing: Sealing) -> None:
    inspector = Inspector()
    remembered = InspectionCache(inspector)
    with sealing(b"good", "a.pkl") as content:
        await remembered(content)
    before = os.stat(tmp_path / "a.pkl")
    (tmp_path / "a.pkl").write_bytes(b"evil")
    os.utime(tmp_path / "a.pkl", ns=(before.st_atime_ns, before.st_mtime_ns))
    with open_artifact(tmp_path, "a.pkl") as opened, seal(opened) as content:
        assert (await remembered(content)).model_class == "evil"
        assert digest_of(content) == content.digest


@pytest.mark.parametrize("change", [{"sealed": False}, {"encrypted": True}, {"digest": None}])
async def test_what_its_digest_does_not_vouch_for_is_inspected_each_time(
    sealing: Sealing, change: dict[str, object]
) -> None:
    inspector = Inspector()
    remembered = InspectionCache(inspector)
    with sealing(b"first", "a.pkl") as content:
        await remembered(content)
        await remembered(replace(content, **change))  # type: ignore[arg-type]
    assert len(inspector.asked) == 2


async def test_what_was_cut_short_or_failed_is_not_kept(sealing: Sealing) -> None:
    inspector = Inspector()
    remembered = InspectionCache(inspector)
    inspector.complete = False
    with sealing(b"first", "a.pkl") as content:
        await remembered(content)
        await remembered(content)
    with sealing(b"trouble", "t.pkl") as content:
        for _ in range(2):
            with pytest.raises(CannotInspect):
                await remembered(content)
    assert len(inspector.asked) == 4


async def test_no_more_is_kept_than_the_limit_allows(sealing: Sealing) -> None:
    inspector = Inspector()
    with sealing(b"a", "a") as a, sealing(b"b", "b") as b:
        once = weight(await inspector(a), 1 << 20) + len(a.plan)
        remembered = InspectionCache(inspector, limit=once + 10)
        inspector.asked.clear()
        for content in (a, a, b, b, a):
            await remembered(content)
    assert inspector.asked == ["a", "b", "a"]
    small = InspectionCache(inspector, limit=10)
    with sealing(b"a", "a") as a:
        await small(a)
    assert small._weight == 0


def test_weight_counts_what_is_within() -> None:
    empty = weight(Inspection("pickle"), 1 << 30)
    long = weight(Inspection("pickle", parameters={"text": "x" * 1000}), 1 << 30)
    many = weight(Inspection("pickle", arrays=tuple(ArrayInfo(str(n), (1,), "f8", 8) for n in range(100))), 1 << 30)
    assert 1000 < long - empty < 1200
    assert many - empty > 100 * 64
