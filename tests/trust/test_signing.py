"""Keys in files, envelopes over digests, and the signature files of a store, honest and hostile."""

from __future__ import annotations

import base64
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from console.config import STORE_DIR
from console.errors import AccessDeniedError, InputError, UsageError
from console.trust import signatures, signing
from console.trust.signatures import Signatures, keep, verified
from console.trust.signing import generate, key_id, parse_key, private_key, public_line, sign

A = "sha256:" + "a" * 64
B = "sha256:" + "b" * 64


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "key.pem"
    generate(path)
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    path = tmp_path / "store"
    path.mkdir()
    return path


def signed(root: Path, key_file: Path, subjects: dict[str, str], when: str = "2026-05-01T10:00:00+00:00") -> Path:
    return keep(root, sign(private_key(key_file), subjects, who="ada", when=when))


def line_of(key_file: Path) -> str:
    return public_line(private_key(key_file))


# keys


def test_a_new_key_is_its_owners_alone_and_is_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "k.pem"
    line = generate(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o400
    assert path.read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----")
    assert len(parse_key(line)) == 32
    assert line_of(path) == line
    with pytest.raises(InputError, match="never written over"):
        generate(path)


@pytest.mark.parametrize("mode", [0o440, 0o404, 0o640, 0o644, 0o500, 0o620])
def test_a_key_that_others_could_read_is_refused_with_the_command(key_file: Path, mode: int) -> None:
    key_file.chmod(mode)
    with pytest.raises(AccessDeniedError, match=f"{mode:04o}") as told:
        private_key(key_file)
    assert told.value.hint == f"chmod 400 {key_file}"
    key_file.chmod(0o600)
    private_key(key_file)


def test_a_key_behind_a_link_or_of_another_kind_is_refused(tmp_path: Path, key_file: Path) -> None:
    (tmp_path / "link").symlink_to(key_file)
    with pytest.raises(InputError, match="link"):
        private_key(tmp_path / "link")
    os.mkfifo(tmp_path / "fifo", 0o600)
    with pytest.raises(InputError, match="plain file"):
        private_key(tmp_path / "fifo")
    (tmp_path / "text").write_text("no key")
    (tmp_path / "text").chmod(0o600)
    with pytest.raises(InputError, match="holds no private key"):
        private_key(tmp_path / "text")
    with pytest.raises(InputError, match="no such file"):
        private_key(tmp_path / "absent")


@pytest.mark.skipif(os.geteuid() != 0, reason="giving a file away takes root")
def test_a_key_of_another_user_is_refused(key_file: Path) -> None:
    os.chown(key_file, 65534, 65534)
    with pytest.raises(AccessDeniedError, match="not to root"):
        private_key(key_file)


def test_keys_of_other_kinds_and_locked_ones_are_named(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization as forms
    from cryptography.hazmat.primitives.asymmetric import ed25519, x25519

    def written(name: str, key: Any, lock: Any) -> Path:
        path = tmp_path / name
        path.write_bytes(key.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.PKCS8, lock))
        path.chmod(0o400)
        return path

    with pytest.raises(InputError, match="another kind than Ed25519"):
        private_key(written("x", x25519.X25519PrivateKey.generate(), forms.NoEncryption()))
    with pytest.raises(InputError, match="passphrase"):
        private_key(written("l", ed25519.Ed25519PrivateKey.generate(), forms.BestAvailableEncryption(b"secret")))


@pytest.mark.parametrize(
    "line", ["", "ed25519:", "rsa:AAAA", "ed25519:AAAA", "ed25519:" + "A" * 45, "ed25519:" + "é" * 44]
)
def test_what_is_no_public_key_is_named(line: str) -> None:
    with pytest.raises(UsageError, match="no public key"):
        parse_key(line)


# envelopes in a store


def test_a_signed_content_is_known_by_name_digest_and_key(root: Path, key_file: Path) -> None:
    file = signed(root, key_file, {"a.joblib": A, "dir/b\udcff.pkl": B})
    line = line_of(key_file)
    found = verified(root, "a.joblib", A, [line])
    assert found is not None
    assert (found.key_id, found.who, found.when) == (key_id(line), "ada", "2026-05-01T10:00:00+00:00")
    assert verified(root, "dir/b\udcff.pkl", B, [line]) is not None
    assert verified(root, "a.joblib", B, [line]) is None
    assert verified(root, "other.joblib", A, [line]) is None
    assert verified(root, "a.joblib", A, []) is None
    assert stat.S_IMODE(file.stat().st_mode) & 0o027 == 0
    assert not [one for one in file.parent.iterdir() if one != file]


def test_a_key_that_the_policy_does_not_name_vouches_for_nothing(root: Path, key_file: Path, tmp_path: Path) -> None:
    signed(root, key_file, {"a.joblib": A})
    other = generate(tmp_path / "other.pem")
    assert verified(root, "a.joblib", A, [other]) is None
    both = Signatures.read(root)
    assert both.claimed("a.joblib", A)
    assert both.verified("a.joblib", A, [other, line_of(key_file)]) is not None


def test_several_keys_may_sign_the_same_content(root: Path, key_file: Path, tmp_path: Path) -> None:
    second = tmp_path / "second.pem"
    line = generate(second)
    signed(root, key_file, {"a.joblib": A})
    signed(root, second, {"a.joblib": A})
    for one in (line, line_of(key_file)):
        found = verified(root, "a.joblib", A, [one])
        assert found is not None
        assert found.key_id == key_id(one)


def test_the_envelope_is_dsse_around_an_in_toto_statement(root: Path, key_file: Path) -> None:
    """Checked by the two specifications, with nothing of ours but the key."""
    envelope = json.loads(signed(root, key_file, {"a.joblib": A}).read_bytes())
    payload = base64.b64decode(envelope["payload"])
    said = json.loads(payload)
    assert envelope["payloadType"] == "application/vnd.in-toto+json"
    assert said["_type"] == "https://in-toto.io/Statement/v1"
    assert said["subject"] == [{"name": "a.joblib", "digest": {"sha256": "a" * 64}}]
    message = b"DSSEv1 28 application/vnd.in-toto+json %d " % len(payload) + payload
    signature = base64.b64decode(envelope["signatures"][0]["sig"])
    private_key(key_file).public_key().verify(signature, message)


def test_no_changed_byte_of_payload_or_signature_is_believed(root: Path, key_file: Path) -> None:
    file = signed(root, key_file, {"a.joblib": A})
    line = line_of(key_file)
    envelope = json.loads(file.read_bytes())
    whole = {
        "payload": base64.b64decode(envelope["payload"]),
        "sig": base64.b64decode(envelope["signatures"][0]["sig"]),
    }
    for part, content in whole.items():
        for at in range(len(content)):
            changed = bytearray(content)
            changed[at] ^= 1
            text = base64.b64encode(changed).decode()
            forged = json.loads(json.dumps(envelope))
            if part == "payload":
                forged["payload"] = text
            else:
                forged["signatures"][0]["sig"] = text
            file.write_text(json.dumps(forged))
            assert verified(root, "a.joblib", A, [line]) is None, (part, at)


def edit(**changes: Any) -> Callable[[dict[str, Any]], bytes]:
    return lambda envelope: json.dumps({**envelope, **changes}).encode()


def twice(envelope: dict[str, Any]) -> bytes:
    whole = json.dumps(envelope)
    return (whole[:-1] + ', "payloadType": "application/vnd.in-toto+json"}').encode()


HOSTILE: dict[str, Callable[[dict[str, Any]], bytes]] = {
    "empty": lambda _: b"",
    "no json": lambda _: b"\x80\x04.",
    "not utf-8": lambda _: b'{"a": "\xff"}',
    "a list": lambda _: b"[]",
    "deep": lambda _: b"[" * 100_000,
    "a long number": lambda _: b'{"payload": ' + b"9" * 10_000 + b"}",
    "nan": lambda _: b'{"payload": NaN}',
    "a key twice": twice,
    "another payload type": edit(payloadType="application/json"),
    "no signatures": edit(signatures=[]),
    "too many signatures": lambda envelope: edit(signatures=envelope["signatures"] * 17)(envelope),
    "signatures of no kind": edit(signatures=[7]),
    "payload of no kind": edit(payload=7),
    "payload no base64": edit(payload="***"),
    "huge": lambda envelope: json.dumps(envelope).encode() + b" " * signatures.FILE_CAP,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_and_hides_no_honest_one(root: Path, key_file: Path, name: str) -> None:
    honest = signed(root, key_file, {"a.joblib": A})
    evil = honest.with_name("99999999999999999999-evil.dsse.json")
    evil.write_bytes(HOSTILE[name](json.loads(honest.read_bytes())))
    read = Signatures.read(root)
    assert [one.file for one in read.refused] == [evil.name]
    assert read.verified("a.joblib", A, [line_of(key_file)]) is not None
    honest.unlink()
    assert verified(root, "a.joblib", A, [line_of(key_file)]) is None


STATEMENTS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "another type": lambda said: {**said, "_type": "https://in-toto.io/Statement/v0.1"},
    "another predicate": lambda said: {**said, "predicateType": "https://slsa.dev/provenance/v1"},
    "no subjects": lambda said: {**said, "subject": None},
    "two digests for one name": lambda said: {
        **said,
        "subject": [*said["subject"], {"name": "a.joblib", "digest": {"sha256": "c" * 64}}],
    },
    "a digest of another length": lambda said: {**said, "subject": [{"name": "a.joblib", "digest": {"sha256": "aa"}}]},
    "no who": lambda said: {**said, "predicate": {"when": "now"}},
    "a long who": lambda said: {**said, "predicate": {"who": "x" * 501, "when": "now"}},
    "a list": lambda _: [],
}


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_signed_statement_that_says_something_else_vouches_for_nothing(root: Path, key_file: Path, name: str) -> None:
    envelope = json.loads(signed(root, key_file, {"a.joblib": A}).read_bytes())
    said = STATEMENTS[name](json.loads(base64.b64decode(envelope["payload"])))
    payload = json.dumps(said).encode()
    key = private_key(key_file)
    message = b"DSSEv1 28 application/vnd.in-toto+json %d " % len(payload) + payload
    text = {
        "payloadType": signing.PAYLOAD_TYPE,
        "payload": base64.b64encode(payload).decode(),
        "signatures": [{"sig": base64.b64encode(key.sign(message)).decode()}],
    }
    for old in (root / STORE_DIR / signatures.SIGNATURES_DIR).iterdir():
        old.write_text(json.dumps(text))
    assert signing.signer_of(signing.parse_envelope(json.dumps(text).encode()), [line_of(key_file)]) is not None
    assert verified(root, "a.joblib", A, [line_of(key_file)]) is None


def test_no_link_leads_to_a_signature(root: Path, key_file: Path, tmp_path: Path) -> None:
    honest = signed(root, key_file, {"a.joblib": A})
    line = line_of(key_file)
    elsewhere = tmp_path / "elsewhere.dsse.json"
    honest.rename(elsewhere)
    honest.symlink_to(elsewhere)
    assert verified(root, "a.joblib", A, [line]) is None
    honest.unlink()
    os.mkfifo(honest)
    assert verified(root, "a.joblib", A, [line]) is None
    honest.unlink()
    directory = honest.parent
    directory.rmdir()
    moved = tmp_path / "moved"
    moved.mkdir()
    elsewhere.rename(moved / honest.name)
    directory.symlink_to(moved)
    with pytest.raises(InputError, match="cannot read the signatures"):
        verified(root, "a.joblib", A, [line])


def test_the_oldest_of_many_thousand_signatures_counts(root: Path, key_file: Path) -> None:
    line = line_of(key_file)
    oldest = signed(root, key_file, {"old.joblib": A})
    newer = signed(root, key_file, {"new.joblib": B}).read_bytes()
    for number in range(4200):
        (oldest.parent / f"{10**19 + number:020d}-00000000.dsse.json").write_bytes(newer)
    assert verified(root, "old.joblib", A, [line]) is not None
    assert verified(root, "old.joblib", B, [line]) is None
    assert signatures.Signatures.read(root).verified("old.joblib", A, [line]) is not None


def test_what_is_too_much_to_read_is_told(root: Path, key_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = line_of(key_file)
    size = signed(root, key_file, {"old.joblib": A}).stat().st_size
    for number in range(3):
        signed(root, key_file, {f"{number}.joblib": B})
    monkeypatch.setattr(signatures, "VERIFIED_CAP", 2 * size + 20)
    monkeypatch.setattr(signatures, "TOTAL_CAP", 2 * size + 20)
    assert verified(root, "2.joblib", B, [line]) is not None
    with pytest.raises(InputError, match="of signatures"):
        verified(root, "old.joblib", A, [line])
    found = signatures.Signatures.read(root)
    assert found.verified("1.joblib", B, [line]) is not None
    assert [one.why for one in found.refused] == ["it and those before it are more than 0 MiB together"]


def test_a_store_without_signatures_has_none(root: Path, key_file: Path) -> None:
    assert verified(root, "a.joblib", A, [line_of(key_file)]) is None
    assert list(root.iterdir()) == []
