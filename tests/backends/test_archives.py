"""Archives: every member is looked at wherever it lies, what is a model is judged, what cannot be looked at is told."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import pickle
import random
import re
import struct
import tarfile
import warnings
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress

import joblib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.core.containers import container, may_hold_archive
from backends.core.errors import ArtifactError, Foreign, Unopened, Unsupported
from backends.core.inspection import Inspection
from backends.core.registry import is_worth_opening
from backends.formats.archive import archives
from console.records import Judgement, Verdict
from console.trust.explain import explain
from console.trust.policy import Policy
from console.trust.verdict import judge
from tests.engine.conftest import model
from tests.inspecting import inspect_bytes

Members = tuple[tuple[str, bytes], ...]
SEVEN = b"7z\xbc\xaf\x27\x1c\0\4" + bytes(24)


class Evil:
    """Would end the process if it were ever unpickled."""

    def __reduce__(self) -> tuple[object, tuple[int]]:
        return os._exit, (7,)


EVIL = pickle.dumps(Evil())
GOOD = pickle.dumps({"weights": [1.0, 2.0]})


def zipped(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip archive as Python writes it."""
    data = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(data, "w", method) as archive:
        warnings.simplefilter("ignore", UserWarning)
        for name, content in members:
            archive.writestr(name, content)
    return data.getvalue()


def tarred(*members: tuple[str, bytes], mode: str = "w", form: int = tarfile.PAX_FORMAT) -> bytes:
    """A tar archive as Python writes it; `mode` may name a compression."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode=mode, format=form) as archive:  # type: ignore[call-overload]
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return data.getvalue()


def packed_by_ar(*members: tuple[str, bytes]) -> bytes:
    """An archive as `ar` writes it."""
    parts = [b"!<arch>\n"]
    for name, content in members:
        parts.append(f"{name + '/':<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode())
        parts.append(content + b"\n" * (len(content) % 2))
    return b"".join(parts)


def judged(data: bytes, name: str = "models.zip") -> tuple[Inspection, Judgement]:
    """The members found in an archive, and the verdict on it."""
    found = inspect_bytes(data, name)
    return found, judge(found, Policy())


def changed(data: bytes, at: int, new: bytes) -> bytes:
    """The same bytes but for some."""
    return data[:at] + new + data[at + len(new) :]


FORMS: dict[str, Callable[..., bytes]] = {
    "zip deflated": zipped,
    "zip stored": lambda *members: zipped(*members, method=zipfile.ZIP_STORED),
    "zip bzip2": lambda *members: zipped(*members, method=zipfile.ZIP_BZIP2),
    "zip lzma": lambda *members: zipped(*members, method=zipfile.ZIP_LZMA),
    "zip behind a script": lambda *members: b"#!/bin/sh\nexec python $0\n" + zipped(*members),
    "zip in gzip": lambda *members: gzip.compress(zipped(*members)),
    "tar": tarred,
    "tar ustar": lambda *members: tarred(*members, form=tarfile.USTAR_FORMAT),
    "tar gnu": lambda *members: tarred(*members, form=tarfile.GNU_FORMAT),
    "tar gzip": lambda *members: tarred(*members, mode="w:gz"),
    "tar bz2": lambda *members: tarred(*members, mode="w:bz2"),
    "tar xz": lambda *members: tarred(*members, mode="w:xz"),
    "tar lzma": lambda *members: lzma.compress(tarred(*members), lzma.FORMAT_ALONE),
    "tar zlib": lambda *members: zlib.compress(tarred(*members)),
    "tar behind a tar": lambda *members: tarred(("a.txt", b"text")) + tarred(*members),
    "tar in two streams": lambda *members: gzip.compress(tarred(("a", b"x"))[:1024]) + gzip.compress(tarred(*members)),
    "ar": packed_by_ar,
    "tar.xz in ar": lambda *members: packed_by_ar(("data.tar.xz", tarred(*members, mode="w:xz"))),
    "zip in zip in tar": lambda *members: tarred(("b.zip", zipped(("a.zip", zipped(*members))))),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_pickle_in_an_archive_is_walked_and_told_with_its_place(form: str) -> None:
    found, judgement = judged(FORMS[form](("notes.txt", b"nothing"), ("m.pkl", EVIL)))
    assert judgement.verdict is Verdict.BLOCKED
    assert {str(use) for use in found.names} == {"posix._exit"}
    assert found.names[0].place.startswith("models.zip!")
    assert found.names[0].place.endswith("!m.pkl")
    assert any(
        one.detail.startswith("posix._exit could ") and one.detail.endswith(f", in {found.names[0].place}")
        for one in judgement.reasons
    )
    assert found.format == "archive"
    assert not found.loadable


@pytest.mark.parametrize("form", sorted(set(FORMS) - {"zip behind a script"}))
def test_an_archive_of_safe_models_is_safe_and_not_loadable(form: str) -> None:
    found, judgement = judged(FORMS[form](("notes.txt", b"nothing"), ("m.pkl", GOOD)))
    assert judgement.verdict is Verdict.SAFE
    assert [reason.code for reason in judgement.reasons] == ["not-loadable"]
    assert found.complete


@pytest.mark.parametrize("form", FORMS)
def test_an_archive_without_a_model_holds_none(form: str) -> None:
    with pytest.raises(Unsupported, match="no model in this") as caught:
        inspect_bytes(FORMS[form](("a.csv", b"1,2\n" * 99), ("b.txt", b"words of all sorts\n")), "docs.zip")
    assert caught.value.code == "unsupported"


def test_members_of_every_format_are_inspected() -> None:
    file, numbers = io.BytesIO(), io.BytesIO()
    joblib.dump(model(), file, compress=3)
    np.save(numbers, np.arange(6.0))
    found, judgement = judged(tarred(("lr.joblib", file.getvalue()), ("x.npy", numbers.getvalue()), ("p.pkl", GOOD)))
    assert judgement.verdict is Verdict.SAFE
    assert found.details["holds"] == [
        {"member": "lr.joblib", "format": "joblib"},
        {"member": "x.npy", "format": "npy"},
        {"member": "p.pkl", "format": "pickle"},
    ]
    assert [(one.at, one.class_name.rpartition(".")[2]) for one in found.models] == [
        ("lr.joblib", "LogisticRegression")
    ]
    assert "scikit-learn" in found.library_versions


def test_each_bad_member_is_a_reason_of_its_own() -> None:
    _, judgement = judged(zipped(("a.pkl", EVIL), ("b/c.pkl", EVIL), ("d.pkl", GOOD)))
    dangers = [reason.detail for reason in judgement.reasons if reason.code == "dangerous-name"]
    assert [one.rpartition(", in ")[2] for one in dangers] == ["models.zip!a.pkl", "models.zip!b/c.pkl"]


def test_a_name_that_one_member_mentions_and_another_calls_counts_as_called() -> None:
    mentioned, called = pickle.dumps(getattr), pickle.dumps(GetsAttribute())
    _, alone = judged(zipped(("b.pkl", called)))
    _, both = judged(zipped(("a.pkl", mentioned), ("b.pkl", called)))
    assert alone.verdict is not Verdict.SAFE
    assert both.verdict is alone.verdict


class GetsAttribute:
    """Would look up an attribute."""

    def __reduce__(self) -> tuple[object, tuple[object, str]]:
        return getattr, ("text", "upper")


# what lies


BASE = zipped(("m.pkl", EVIL))
DIRECTORY = BASE.find(b"PK\x01\x02")


def hidden() -> bytes:
    """An archive whose directory passes over one of its members."""
    open_part, own = zipped(("readme.txt", b"hello")), BASE[:DIRECTORY]
    at = open_part.find(b"PK\x01\x02")
    data = open_part[:at] + own + open_part[at:]
    return changed(data, data.rfind(b"PK\x05\x06") + 16, struct.pack("<I", at + len(own)))


LIES: dict[str, tuple[bytes, str]] = {
    "another name in the directory": (BASE.replace(b"m.pkl", b"a.txt", 1), "member-mismatch"),
    "a member that is not listed": (hidden(), "member-mismatch"),
    "marked as encrypted": (changed(changed(BASE, 6, b"\1"), DIRECTORY + 8, b"\1"), "encrypted-member"),
    "marked in one place": (changed(BASE, 6, b"\1"), "encrypted-member"),
    "another checksum": (changed(changed(BASE, 14, b"\0\0"), DIRECTORY + 16, b"\0\0"), "member-mismatch"),
    "one name twice": (zipped(("m.pkl", GOOD), ("m.pkl", GOOD)), "duplicate-member"),
    "a way out": (zipped(("../m.pkl", GOOD)), "unsafe-path"),
    "a pickle called json": (zipped(("m.json", GOOD)), "disguised-pickle"),
}


@pytest.mark.parametrize("lie", LIES)
def test_an_archive_that_lies_is_blocked(lie: str) -> None:
    data, code = LIES[lie]
    found, judgement = judged(data)
    assert judgement.verdict is Verdict.BLOCKED
    assert code in {one.code for one in found.findings}
    assert not found.complete or code in ("duplicate-member", "unsafe-path", "disguised-pickle")


# what cannot be looked at


def bomb(members: int = 1, mebibytes: int = 80) -> bytes:
    """A pickle of zeros that opens to a thousand times its size."""
    start = b"\x80\x04B" + struct.pack("<I", mebibytes << 20)
    return zipped(*((f"{number}.pkl", start + bytes(mebibytes << 20) + b".") for number in range(members)))


UNSEEN: dict[str, Callable[[], bytes]] = {
    "an unknown method": lambda: BASE.replace(b"\x14\0\0\0\x08\0", b"\x14\0\0\0\x63\0"),
    "really encrypted": lambda: changed(
        changed(changed(BASE, 6, b"\1"), DIRECTORY + 8, b"\1"), 35, random.Random(1).randbytes(DIRECTORY - 35)
    ),
    "a 7z in it": lambda: zipped(("a.7z", SEVEN), ("m.pkl", GOOD)),
    "a bomb": bomb,
    "too deep": lambda: zipped(("e", zipped(("d", zipped(("c", zipped(("b", zipped(("m.pkl", EVIL)))))))))),
    "a foreign model beside one": lambda: zipped(("a.params", b"\x12\x01" + bytes(40)), ("m.pkl", GOOD)),
}


@pytest.mark.parametrize("what", UNSEEN)
def test_what_was_not_looked_at_is_told_and_never_safe(what: str) -> None:
    found, judgement = judged(UNSEEN[what]())
    assert judgement.verdict is Verdict.UNSUPPORTED
    assert judgement.reasons[0].code == "unopened"
    assert explain(found, judgement, Policy()).headline.startswith("Not all of it could be opened")
    assert not found.complete


def test_bounds_of_members_and_time_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    many = zipped(*((f"{number}.txt", b"x") for number in range(9)), ("m.pkl", EVIL))
    monkeypatch.setattr(archives, "MAX_MEMBERS", 5)
    assert judged(many)[1].reasons[0].detail == "only the first 5 members were looked at"
    monkeypatch.setattr(archives, "MAX_SECONDS", 0.0)
    assert "members were looked at in 0 seconds" in judged(many)[1].reasons[0].detail


@pytest.mark.parametrize(
    ("data", "verdict"),
    [
        (tarred(("a", random.Random(2).randbytes(90_000)), ("m.pkl", EVIL), mode="w:gz")[:50_000], Verdict.DAMAGED),
        (tarred(("m.pkl", EVIL))[:520], Verdict.DAMAGED),
        (packed_by_ar(("a.o", b"\x7fELF")) + b"garbage", Verdict.DAMAGED),
    ],
    ids=["tar.gz", "tar", "ar"],
)
def test_a_cut_archive_is_damaged(data: bytes, verdict: Verdict) -> None:
    assert judged(data)[1].verdict is verdict


@pytest.mark.parametrize("data", [BASE[:-30], BASE[:40]], ids=["directory", "member"])
def test_a_zip_without_its_directory_is_damaged(data: bytes) -> None:
    with pytest.raises(ArtifactError) as caught:
        inspect_bytes(data, "a.zip")
    assert caught.value.code == "damaged"


@pytest.mark.parametrize("around", [bytes, gzip.compress], ids=["alone", "gzip"])
@pytest.mark.parametrize("magic", [SEVEN, b"Rar!\x1a\x07\1\0", b"\x28\xb5\x2f\xfd\0\0", b"070701" + b"0" * 104])
def test_an_archive_that_nothing_opens_says_so(magic: bytes, around: Callable[[bytes], bytes]) -> None:
    data = around(magic)
    assert is_worth_opening(data)
    with pytest.raises(Unopened, match="that cannot be opened here") as caught:
        inspect_bytes(data, "a.bin")
    assert caught.value.code == "unopened"


def test_the_image_of_a_cd_says_so() -> None:
    with pytest.raises(Unopened, match=r"an archive \(iso9660\) that cannot be opened here"):
        inspect_bytes(bytes(32769) + b"CD001\1\0" + bytes(2041), "disk.iso")


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"\x12\x01" + bytes(30), "MXNet"),
        (b"\xba\x16\x4f\x2f\x0c\0\0\0" + bytes(60), "fastText"),
        (b"lmgg" + bytes(60), "GGML"),
        (b"\x1c\0\0\0ORTM" + bytes(60), "ONNX Runtime's own"),
        (b"\x1c\0\0\0ET12" + bytes(60), "ExecuTorch"),
        (b"7767517\n3 3\nInput data 0 1 data\n", "ncnn"),
        (b'<?xml version="1.0"?>\n<net name="r" version="11">', "OpenVINO"),
        (b'<?xml version="1.0"?>\n<opencv_storage>\n<cascade>', "OpenCV"),
        (b"%YAML:1.0\n---\nopencv_ml_svm:\n   format: 3\n", "OpenCV"),
        (b"ptrt" + bytes(60), "TensorRT"),
        (b"RKNN" + bytes(60), "RKNN"),
        (b"lCRF" + bytes(60), "CRFsuite"),
        (b"IxFI" + (384).to_bytes(4, "little") + bytes(60), "Faiss"),
        (b"\n\x0e\n\x05<unk>\x15\0\0\0\0\x18\x02\n", "SentencePiece"),
        (b"svm_type c_svc\nkernel_type rbf\ngamma 0.5\n", "LIBSVM"),
        (b"solver_type L2R_LR\nnr_class 2\n", "LIBLINEAR"),
        (b"\0B<TransitionModel> " + bytes(60), "Kaldi"),
        (b"\xac\xed\0\x05sr\0\x1aweka.classifiers.trees.J48", "Java's serialisation"),
        (b'{"format": "layers-model", "generatedBy": "keras v2"}', "TensorFlow"),
    ],
)
def test_a_model_format_that_is_not_read_is_recognised(data: bytes, name: str) -> None:
    assert is_worth_opening(data)
    with pytest.raises(Foreign, match=rf"a model in {re.escape(name)}.* format, which this console does not read yet"):
        inspect_bytes(data, "m.bin")
    with pytest.raises(Foreign, match=r"models\.zip!m\.bin: a model in"):
        inspect_bytes(zipped(("m.bin", data)), "models.zip")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"x^2 + y^2 = 1\n" * 40, id="text"),
        b"]\0\0" + bytes(range(200)),
        b"plain words\n",
        b"",
        b"\x89PNG\r\n\x1a\n" + bytes(99),
    ],
)
def test_what_is_no_model_is_not_worth_opening(data: bytes) -> None:
    assert not is_worth_opening(data)


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress, zlib.compress])
def test_an_archive_is_seen_through_its_compression(compress: Callable[[bytes], bytes]) -> None:
    assert may_hold_archive(compress(tarred(("a.txt", b"text")))[:4096])
    assert not may_hold_archive(compress(b"1,2,3\n" * 50))


@given(st.sampled_from(sorted(FORMS)), st.data())
def test_a_damaged_archive_is_an_answer(form: str, data: st.DataObject) -> None:
    """Whatever a few bytes are changed to: facts or a sentence, and no name that was not there."""
    whole = bytearray(FORMS[form](("a.txt", b"text"), ("m.pkl", GOOD)))
    for _ in range(data.draw(st.integers(1, 8))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with suppress(ArtifactError):
        assert inspect_bytes(bytes(whole), "a.zip").format


@given(st.binary(max_size=600))
def test_any_head_can_be_asked(head: bytes) -> None:
    assert container(head) in (None, "zip", "tar", "ar", "7z", "rar", "zstd", "lzip", "compress", "lzop", "cab", "cpio",
                               "rpm", "xar", "squashfs")  # fmt: skip
    is_worth_opening(head)
