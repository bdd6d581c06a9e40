"""Files that stand where a model should: each is named, with what to do, from a bounded look at it."""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import json
import os
import pickle
import quopri
import subprocess
import tarfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import joblib
import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

from backends.core.descriptors import named
from backends.core.errors import NoModel
from backends.core.impostors import impostor, pointer
from backends.core.source import MemorySource
from console.records import Verdict
from console.trust.policy import Policy
from console.trust.verdict import judge
from tests.inspecting import inspect_bytes, judge_error, judged

SHA = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393"
LFS = f"version https://git-lfs.github.com/spec/v1\noid sha256:{SHA}\nsize 12345678\n"
DVC = "outs:\n- md5: a304afb96060aad90176268345e10355\n  size: 37891850\n  hash: md5\n  path: m.pkl\n"


@pytest.fixture(scope="module")
def forest() -> RandomForestClassifier:
    rows = np.random.RandomState(0).randn(60, 4)
    return RandomForestClassifier(10, random_state=0).fit(rows, rows[:, 0] > 0)


@pytest.fixture(scope="module")
def pickled(forest: Any) -> bytes:
    return pickle.dumps(forest, 4)


OTHER_FILES: dict[str, tuple[bytes, str]] = {
    "git-lfs": (LFS.encode(), f"git-lfs pointer (`git lfs pull` brings the file): 12,345,678 bytes with sha256:{SHA}"),
    "git-lfs with an extension": (
        LFS.replace("oid", f"ext-0-foo sha256:{SHA}\noid", 1).replace("\n", "\r\n").encode(),
        "12,345,678 bytes",
    ),
    "DVC": (DVC.encode(), "DVC pointer (`dvc pull` brings the file): m.pkl, 37,891,850 bytes with md5 a304afb9"),
    "git-annex": (
        f"/annex/objects/SHA256E-s31390--{SHA}.pkl\n".encode(),
        f"(`git annex get` brings the file): 31,390 bytes with the key SHA256E-s31390--{SHA}.pkl",
    ),
    "git-annex, a link as a file": (b"../.git/annex/objects/Fk/2x/MD5-s5--0a/MD5-s5--0a", "git-annex pointer"),
    "git-lfs, its lines in another order": (
        f"{LFS.splitlines()[0]}\nsize 5\noid sha256:{SHA}\n".encode(),
        "5 bytes with",
    ),
    "git-lfs, cut off": (
        LFS[:70].encode(),
        "git-lfs pointer (`git lfs pull` brings the file): itself cut off or changed",
    ),
    "a conflict over a git-lfs pointer": (
        f"<<<<<<< HEAD\n{LFS}=======\n{LFS}>>>>>>> theirs\n".encode(),
        "both sides of a conflict that git left here: take one (`git checkout --ours` or `--theirs`, then"
        " the file's name), then `git lfs pull`",
    ),
    "an object of git": (b"blob 12\0" + b"\x80\x04" * 6, "`git cat-file -p` and its name write what is in it"),
    "a checksum": (f"{SHA}  m.pkl\n".encode(), "a checksum of a file, not the file: bring that one"),
    "a checksum as BSD writes it": (f"SHA256 (m.pkl) = {SHA}\n".encode(), "a checksum of a file"),
    "a path of Windows": (b"C:\\models\\m.pkl\r\n", "the path of a file"),
    "an address of MLflow": (b"models:/churn/Production\n", "an address: download what is at models:/churn/Production"),
    "settings for a shell": (b"MODEL_PATH=/srv/m.pkl\n", 'text that begins with "MODEL_PATH='),
    "a server's answer with its headers": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n\x80\x04\x95" + bytes(range(40)),
        "an answer of a web server with its headers before the file",
    ),
    "an upload form": (
        b'------Boundary\r\nContent-Disposition: form-data; name="f"\r\n\r\n\x80\x04\x95' + bytes(range(40)),
        "an upload form as it was sent",
    ),
    "a traceback": (b"Traceback (most recent call last):\n  File", "what a program said when it failed"),
    "the words of curl": (b"curl: (22) The requested URL returned error: 404\n", "what a program said when it failed"),
    "a problem in JSON": (
        b'{"type":"about:blank","title":"Forbidden","status":403}',
        "error answer in JSON (Forbidden)",
    ),
    "a listing of a bucket": (
        b'<?xml version="1.0"?>\n<ListBucketResult><Name>b</Name></ListBucketResult>',
        "a listing of a bucket: name the object itself",
    ),
    "a shortcut of Google Drive": (b'{"url": "https://docs.google.com/x", "doc_id": "x"}', "a shortcut to a document"),
    "a shortcut of a desktop": (b"[Desktop Entry]\nType=Link\n", "a shortcut of a desktop"),
    "git-fat": (b"#$# git-fat f17cc23d902436b2c06e682c48e2a4132274c8d0         1000\n", "1,000 bytes with sha1 f17c"),
    "Xet": (b"# xet version 0\nfilesize = 1234\nhash = 'ab12'\n", "1,234 bytes with hash ab12"),
    "a link as a file": (b"../shared/models/m.pkl", "copy ../shared/models/m.pkl here"),
    "an address": (b"s3://bucket/models/m.pkl\n", "download what is at s3://bucket/models/m.pkl"),
    "HTML": (
        b"\n<!-- x --><!DOCTYPE html><html><head><title>Sign in\n to GitHub</title>",
        'an HTML page ("Sign in to GitHub"), saved in place of the file: download it again',
    ),
    "S3": (
        b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code><Message>Access Denied</Message>',
        "a storage service (AccessDenied: Access Denied), saved in place of the file: download it again",
    ),
    "JSON": (
        b'{"error": {"code": 404, "message": "Not Found"}}',
        "an error answer in JSON (Not Found), saved in place",
    ),
    "words": (b"Entry not found", 'an error answer ("Entry not found"), saved in place of the file'),
    "zeros": (bytes(9000), "zero bytes alone, at its start and its end"),
    "white space": (b" \n" * 100, "white space alone"),
    "Python": (b'#!/usr/bin/env python\n# a\n\n"""Doc."""\n', "Python source: a model is what a program saves"),
    "imports": (b"\n\nfrom sklearn.svm import SVC\n", "Python source"),
    "csv": (b"a;b\r\n1,5;2\r\n3;4\r\n", "a table as text (csv): data for a model; name it with --data"),
    "csv in latin-1": ("Größe;Preis\n1,5;2\n3;4\n".encode("latin-1"), "a table as text (csv)"),
    "ARFF": (b"@relation x\n@attribute a numeric\n", 'text that begins with "@relation x @attribute a numeric"'),
    "DVC, an import": (
        b"deps:\n- path: x\n  repo:\n    url: u\nouts:\n- md5: aa04\n  path: m.pkl\n",
        "a DVC pointer (`dvc pull` brings the file): m.pkl, md5 aa04",
    ),
    "a notebook": (json.dumps({"cells": [], "nbformat": 4, "metadata": {}}).encode(), "a Jupyter notebook"),
    "MLmodel": (b"artifact_path: model\nflavors:\n  sklearn:\n    pickled_model: model.pkl\n", "by MLflow"),
    "settings": (b'{"n_estimators": 5}', "JSON, settings or data"),
    "text": (b"dear colleague, the model follows\n", 'text that begins with "dear colleague, the model follows"'),
    "a swap file": (b"b0VIM 8.2\0\0\0\0" + bytes(100), "a swap file of Vim"),
    "AppleDouble": (b"\0\x05\x16\x07\0\2\0\0Mac OS X        " + bytes(100), "(AppleDouble): remove it"),
    "parquet": (b"PAR1" + bytes(30) + b"PAR1", "a parquet table: data, not a model"),
    "R": (gzip.compress(b"RDX3\nX\n" + bytes(100)), "not a model inside gzip compression but data of R"),
    "git-crypt": (b"\0GITCRYPT\0" + bytes(range(100)), "run `git-crypt unlock`"),
}


@pytest.mark.parametrize("title", OTHER_FILES)
def test_what_stands_where_a_model_should_is_named(title: str) -> None:
    data, words = OTHER_FILES[title]
    with pytest.raises(NoModel) as caught:
        inspect_bytes(data)
    assert words in str(caught.value)
    judgement = judge_error(caught.value)
    assert (judgement.verdict, judgement.reasons[0].code) == (Verdict.UNSUPPORTED, "no-model")


def test_the_words_of_python_are_there_to_be_found() -> None:
    unpickling_error = named("pickle").complaint
    assert unpickling_error is not None
    for data in (LFS.encode(), b"<html>", b"\xef\xbb\xbfx", b"\x00" * 20):
        told = unpickling_error(data)
        assert told is not None
        with pytest.raises(pickle.UnpicklingError) as caught:
            pickle.loads(data)
        assert str(caught.value).rstrip(".") == told.partition(";")[0]
    with pytest.raises(EOFError, match=str(unpickling_error(b""))):
        pickle.loads(b"")
    assert unpickling_error(b"import os") is None
    with pytest.raises(NoModel, match=r"pickle says: invalid load key, 'v'; joblib: KeyError: 118"):
        inspect_bytes(LFS.encode(), "m.joblib")
    with pytest.raises(NoModel, match=r"0a97\b|brings") as other:
        inspect_bytes(LFS.encode(), "m.onnx")
    assert "pickle says" not in str(other.value)


def test_an_empty_file_is_told_with_pythons_words() -> None:
    with pytest.raises(NoModel, match=r"the file is empty: its bytes never came.*pickle says: Ran out of input"):
        inspect_bytes(b"")


ENCODED = {
    "base64": (base64.b64encode, "base64 -d m.pkl > model"),
    "base64 in lines": (base64.encodebytes, "base64 -d m.pkl > model"),
    "base64 for URLs": (base64.urlsafe_b64encode, "tr -- -_ +/ < m.pkl | base64 -d > model"),
    "base32": (base64.b32encode, "base32 -d m.pkl > model"),
    "base64 in UTF-16": (
        lambda data: base64.b64encode(data).decode().encode("utf-16"),
        "iconv -f utf-16 -t utf-8 m.pkl > text; base64 -d text > model",
    ),
    "a dump": (
        lambda data: "".join(
            f"{at:08x}: {data[at : at + 16].hex(' ', -2)}  {'.' * 16}\n" for at in range(0, len(data), 16)
        ).encode(),
        "xxd -r m.pkl model",
    ),
    "hex": (lambda data: data.hex().encode(), "xxd -r -p m.pkl model"),
    "quoted-printable": (quopri.encodestring, "python3 -m quopri -d m.pkl > model"),
    "PEM": (
        lambda data: b"-----BEGIN MODEL-----\n" + base64.encodebytes(data) + b"-----END MODEL-----\n",
        "grep -v -- ----- m.pkl | base64 -d > model",
    ),
    "a data URL": (
        lambda data: b"data:application/octet-stream;base64," + base64.b64encode(data),
        "cut -d, -f2 m.pkl | base64 -d > model",
    ),
    "repr": (lambda data: repr(data).encode(), "ast.literal_eval"),
    "JSON": (lambda data: json.dumps({"model": base64.b64encode(data).decode()}).encode(), "a text in JSON"),
    "base85": (base64.b85encode, "base64.b85decode"),
    "ASCII85": (base64.a85encode, "base64.a85decode"),
}
COMMANDS = (
    "base64",
    "base64 in lines",
    "base64 for URLs",
    "quoted-printable",
    "PEM",
    "a data URL",
    "base32",
    "base64 in UTF-16",
)


@pytest.mark.parametrize("how", ENCODED)
def test_a_model_that_was_encoded_is_told_with_what_decodes_it(how: str, pickled: bytes, tmp_path: Path) -> None:
    encode, command = ENCODED[how]
    encoded = encode(pickled)
    with pytest.raises(NoModel, match=r"not a model but a pickle (in|as) ") as caught:
        inspect_bytes(encoded, "m.pkl")
    assert command in str(caught.value)
    if how in COMMANDS:
        (tmp_path / "m.pkl").write_bytes(encoded)
        subprocess.run(str(caught.value).split("`")[1], shell=True, cwd=tmp_path, check=True)
        assert (tmp_path / "model").read_bytes() == pickled


def test_other_models_are_known_in_base64_too(pickled: bytes) -> None:
    array = io.BytesIO()
    np.save(array, np.arange(5))
    for data, kind in (
        (gzip.compress(pickled), "a pickle in gzip"),
        (array.getvalue(), "a numpy array"),
        (b"\x89HDF\r\n\x1a\n" + bytes(40), "an HDF5 file"),
    ):
        with pytest.raises(NoModel, match=f"not a model but {kind} in base64"):
            inspect_bytes(base64.b64encode(data))


def _archives() -> Iterator[tuple[bytes, str]]:
    for seed in range(200):
        zipped, content = io.BytesIO(), np.random.RandomState(seed).bytes(400)
        with zipfile.ZipFile(zipped, "w") as archive:
            archive.writestr(zipfile.ZipInfo(f"m{seed}.pkl", (2020, 1, 1, 0, 0, 0)), content)
        yield zipped.getvalue(), "a zip archive"
    tarred = io.BytesIO()
    with tarfile.open(fileobj=tarred, mode="w") as other:
        other.addfile(tarfile.TarInfo("m.pkl"), io.BytesIO())
    yield tarred.getvalue(), r"an archive \(tar\)"
    yield gzip.compress(tarred.getvalue(), mtime=0), r"an archive \(tar in gzip\)"
    yield b"7z\xbc\xaf\x27\x1c" + bytes(60), r"an archive \(7z\)"


@pytest.mark.parametrize("encode", [base64.b64encode, base64.encodebytes, base64.b32encode])
def test_an_encoded_archive_is_told_as_one_even_where_its_text_begins_as_a_pickle_does(encode: Any) -> None:
    for data, kind in _archives():
        with pytest.raises(NoModel, match=f"not a model but {kind} in base"):
            inspect_bytes(encode(data))


def test_a_pickle_in_the_signs_of_base64_stays_one() -> None:
    zipped = base64.b64encode(b"PK\x03\x04" + bytes(80)).decode()
    for text in (f"U\x45{zipped[:69]}cposix\nsystem\nNb", "cposix\nsystem\n", f"V{zipped}\ncos\nsystem\nNbUE"):
        assert [str(use) for use in inspect_bytes(text.encode()).names]
    # what decodes to an archive, and is a pickle that breaks off only once it has imported something
    naming = f"UEsDBBQA{'A' * 63}cantigravity\nfly\nX"
    assert base64.b64decode(naming[:8]).startswith(b"PK\x03\x04")
    assert [use.module for use in inspect_bytes(naming.encode()).names] == ["antigravity"]


@pytest.mark.parametrize(
    ("detour", "words"),
    [
        (lambda data: data.decode("latin-1").encode("utf-8"), r"read as text \(latin-1\)"),
        (lambda data: data.decode("cp1252", "replace").encode("utf-8"), r"read as text \(cp1252\)"),
        (lambda data: data.decode("latin-1").encode("utf-16"), r"read as text \(latin-1\)"),
        (lambda data: data.decode("utf-8", "replace").encode("utf-8"), r"they cannot be brought back"),
        (lambda data: b"\xef\xbb\xbf" + data, r"behind a byte order mark"),
    ],
)
def test_a_model_that_went_through_text_is_told(detour: Any, words: str, pickled: bytes) -> None:
    with pytest.raises(NoModel, match=words) as caught:
        inspect_bytes(detour(pickled))
    assert "in binary mode" in str(caught.value)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_copy_in_text_mode_is_the_cause_that_is_told(protocol: int, forest: Any) -> None:
    found = inspect_bytes(pickle.dumps(forest, protocol).replace(b"\n", b"\r\n"))
    judgement = judge(found, Policy())
    assert judgement.verdict is Verdict.DAMAGED
    assert judgement.reasons[0].code == "translated"
    assert not any("\r" in str(use) for use in found.names)


def test_a_name_that_runs_code_is_blocked_behind_changed_line_ends_too() -> None:
    found = inspect_bytes(pickle.dumps([os.system, os.remove, os.kill], 2).replace(b"\n", b"\r\n"))
    assert judge(found, Policy()).verdict is Verdict.BLOCKED


def test_a_pickle_that_only_holds_such_line_ends_is_whole() -> None:
    found = inspect_bytes(pickle.dumps({"text": "a\r\nb\r\nc\r\nd\r\ne\r\n"}, 4))
    assert judge(found, Policy()).verdict is Verdict.SAFE


def test_what_is_cut_off_is_called_so(pickled: bytes, forest: Any, tmp_path: Path) -> None:
    array, arrays = io.BytesIO(), io.BytesIO()
    np.save(array, np.arange(100))
    np.savez(arrays, a=np.arange(100))
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file["a"] = np.arange(10_000.0)
    header = json.dumps({"w": {"dtype": "F32", "shape": [10, 10], "data_offsets": [0, 400]}}).encode()
    tensors = len(header).to_bytes(8, "little") + header + bytes(400)
    cases = {
        "a.pkl": pickled[: len(pickled) // 2],
        "b.pkl": pickle.dumps(forest, 0)[:3001],
        "c.pkl": pickle.dumps(forest, 2)[:3000],
        "d.npy": array.getvalue()[:-9],
        "e.npz": arrays.getvalue()[:-30],
        "f.h5": (tmp_path / "m.h5").read_bytes()[:5000],
        "g.safetensors": tensors[:-1],
        "h.pkl.gz": gzip.compress(pickled)[:1500],
    }
    for name, data in cases.items():
        judgement = judged(data, name)
        assert judgement.verdict is Verdict.DAMAGED, name
        assert "cut off" in judgement.reasons[0].detail, (name, judgement.reasons)


def test_room_that_was_made_and_not_filled_is_the_cause_that_is_told(pickled: bytes, forest: Any) -> None:
    dumped = io.BytesIO()
    joblib.dump(forest, dumped)
    stored = io.BytesIO()
    with h5py.File(stored, "w") as file:
        file["model"] = np.arange(4000.0)
        file.attrs["x"] = "y"
    for whole in (pickled, dumped.getvalue(), stored.getvalue()):
        at = len(whole) // 3
        begun = whole[:at].rstrip(b"\0")
        judgement = judged(begun + bytes(len(whole) - len(begun)))
        assert judgement.verdict is Verdict.DAMAGED
        assert judgement.reasons[0].detail.startswith(f"zero bytes alone from byte {len(begun):,} of {len(whole):,} on")
    assert "zero bytes" not in judged(pickled[:-700]).reasons[0].detail


def test_what_is_around_a_pickle_is_told(pickled: bytes) -> None:
    for data, words in (
        (b"\r\n\r\n" + pickled, "a pickle behind white space: `tail -c +5` cuts off what was written before"),
        (gzip.compress(gzip.compress(pickled)), "compressed twice (gzip in gzip)"),
        (bz2.compress(os.urandom(5000))[:900], "the bz2 stream is damaged or cut off before its first block ends"),
    ):
        with pytest.raises(NoModel) as told:
            inspect_bytes(data)
        assert words in str(told.value)


def test_an_archive_with_a_model_says_what_to_do(pickled: bytes) -> None:
    import zipfile

    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("dir/m.pkl", pickled)
    judgement = judge(inspect_bytes(packed.getvalue(), "m.pkl"), Policy())
    assert (
        judgement.reasons[0].detail == "named .pkl, but the content is an archive: unpack it, and load what was in it"
    )


def test_no_text_takes_long_to_be_named() -> None:
    texts = (
        b"\n" * 70_000, b"<!-- -->" * 9000, b"annex/objects/" * 500, b"[" * 70_000, b"<Error>" * 9000,
        b"outs:\npath: \n" + b" \n" * 4000, b"<html>" + b"<title>" * 9000, b"A" * 70_000 + b"!", b"#\n" * 40_000,
    )  # fmt: skip
    for text in texts:
        begun = time.process_time()
        impostor(MemorySource(text, "m.pkl"), text[:4096])
        assert time.process_time() - begun < 1.0, text[:20]
    assert pointer("x" * 9000) is None
