"""Twins are bound to one content, to one place in it and to their own bytes, and only those of this user count."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from console.config import state_dir
from console.errors import BadInput, Failed
from console.records import Twinned, TwinTiming
from console.store import publish, sealed, twins
from console.store.own_files import OwnFiles
from console.store.publish import Promotion

Content = Callable[[bytes], sealed.SealedBytes]
FOUND = Twinned(
    "float32", 1000, 0, 1e-8, (TwinTiming("predict", 1, 4.0, 0.02),), {"predict": ((1, 30),)}, {"onnx": "1"}, 5
)


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def kept(store: Path, content: Content, of: bytes = b"model", data: bytes = b"twin!") -> tuple[Path, Path]:
    """A twin of a content, as kept: its bytes and its record."""
    with content(data) as one:
        one.digest = sealed.digest_of(one)
        twins.keep(store, digest(of), "", one, FOUND, "ann")
    base = store / ".model-console" / "twins" / digest(of).removeprefix("sha256:")
    return base.with_suffix(".onnx"), base.with_suffix(".json")


def test_what_was_kept_is_found_again(store: Path, content: Content) -> None:
    data, record = kept(store, content)
    found = twins.find(store, digest(b"model"), "")
    assert found is not None
    with found.bytes as sealed_bytes:
        assert os.pread(sealed_bytes.fd, 100, 0) == data.read_bytes() == b"twin!"
    assert found.found == FOUND
    assert json.loads(record.read_text())["who"] == "ann"
    assert sorted(one.name for one in data.parent.iterdir()) == sorted([data.name, record.name])


def test_another_content_or_place_has_no_twin(store: Path, content: Content) -> None:
    kept(store, content)
    assert twins.find(store, digest(b"other"), "") is None
    assert twins.find(store, digest(b"model"), ".models[0]") is None


def test_the_record_of_another_content_does_not_count_under_this_name(store: Path, content: Content) -> None:
    data, record = kept(store, content)
    for one in (data, record):
        one.rename(one.with_stem(digest(b"other").removeprefix("sha256:")))
    assert twins.find(store, digest(b"other"), "") is None


def test_bytes_that_were_not_recorded_are_not_used(store: Path, content: Content) -> None:
    data, _record = kept(store, content)
    data.write_bytes(b"evil!")
    with pytest.raises(BadInput, match="not those that were recorded"):
        twins.find(store, digest(b"model"), "")


def test_a_record_that_was_edited_does_not_count(store: Path, content: Content) -> None:
    data, record = kept(store, content)
    forged = json.loads(record.read_text())
    data.write_bytes(b"evil!")
    forged["twin"] = digest(b"evil!")
    record.write_text(json.dumps(forged))
    with pytest.raises(BadInput, match="this user's console did not make it"):
        twins.find(store, digest(b"model"), "")


@pytest.mark.parametrize("mark", [None, "", "é", 7, "0" * 64])
def test_a_twin_unpacked_from_a_strangers_archive_does_not_count(store: Path, content: Content, mark: object) -> None:
    """Its files belong to whoever unpacked them."""
    _data, record = kept(store, content)
    record.write_text(json.dumps({**json.loads(record.read_text()), "mark": mark}))
    with pytest.raises(BadInput, match="did not make it"):
        twins.find(store, digest(b"model"), "")


def test_another_users_twin_does_not_count(
    store: Path, content: Content, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(store, content)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another"))
    with pytest.raises(BadInput, match="did not make it") as raised:
        twins.find(store, digest(b"model"), "")
    assert "model-console accelerate" in (raised.value.hint or "")


def test_the_secret_is_this_users_alone(store: Path, content: Content) -> None:
    kept(store, content)
    secret = state_dir() / "own.key"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o400
    secret.chmod(0o644)
    with pytest.raises(Failed, match="not a secret of this user's alone"):
        twins.find(store, digest(b"model"), "")


@pytest.mark.parametrize("text", ["", "[]", "{", '{"artifact": 1}', "[" * 100_000])
def test_a_record_that_is_none_is_told(store: Path, content: Content, text: str) -> None:
    _data, record = kept(store, content)
    record.write_text(text)
    with pytest.raises(BadInput, match=r"the twin's record|did not make it"):
        twins.find(store, digest(b"model"), "")


def test_neither_links_nor_pipes_are_followed(store: Path, content: Content) -> None:
    data, record = kept(store, content)
    elsewhere = store / "elsewhere"
    data.rename(elsewhere)
    data.symlink_to(elsewhere)
    with pytest.raises(BadInput, match="cannot be read"):
        twins.find(store, digest(b"model"), "")
    record.unlink()
    os.mkfifo(record)
    with pytest.raises(BadInput, match="not a plain file"):
        twins.find(store, digest(b"model"), "")


def test_a_removed_twin_is_gone(store: Path, content: Content) -> None:
    data, record = kept(store, content)
    assert twins.remove(store, digest(b"model"))
    assert not data.exists()
    assert not record.exists()
    assert twins.find(store, digest(b"model"), "") is None
    assert not twins.remove(store, digest(b"model"))


def test_a_store_without_twins_has_none(store: Path) -> None:
    assert twins.find(store, digest(b"model"), "") is None
    assert not twins.remove(store, digest(b"model"))
    with OwnFiles(store) as own:
        twins.forget(own, [digest(b"model")])


def test_a_twin_stays_for_a_rollback_and_goes_with_the_version(store: Path, content: Content) -> None:
    (store / "m.pkl").write_bytes(b"one")
    kept(store, content, of=b"one")
    kept(store, content, of=b"elsewhere")
    before = b"one"
    for number, data in enumerate((b"two", b"three")):
        with content(data) as new:
            publish.publish(store, "m.pkl", new, Promotion("ann", "better", keep=2), replaces=digest(before))
        found = twins.find(store, digest(b"one"), "")
        assert (found is not None) == (number == 0)
        if found is not None:
            found.bytes.close()
        before = data
    other = twins.find(store, digest(b"elsewhere"), "")
    assert other is not None
    other.bytes.close()
