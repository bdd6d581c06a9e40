"""A store with artifacts that are encrypted at rest: looked at, loaded, asked, changed and updated like any other."""

from __future__ import annotations

import io
import os
import pickle
import shutil
from ipaddress import IPv4Address
from pathlib import Path

import joblib
import numpy as np
import pytest
from msgspec.structs import replace
from pyrage import decrypt, encrypt, x25519

from console.config import Sealing, Settings
from console.errors import AccessDeniedError, ConsoleError, InputError, NeedsReviewError
from console.files.opening import open_artifact
from console.files.snapshot import digest_of
from console.inspection.previous_content import SeenContents
from console.records import Json, Verdict
from console.trust.secret_files import generate_identity
from tests.engine.conftest import model, until
from tests.warm import Opening

MARKER = "hushed-7f3a91c2d4"
ROWS: list[Json] = [[5.0, 0.0, 0.0], [-5.0, 0.0, 0.0]]


@pytest.fixture
def settings(tmp_path: Path, isolated: Path) -> Settings:
    path = tmp_path / "identity.txt"
    recipient = generate_identity(path)
    return Settings(reconcile_s=1.0, warm=False, sealing=Sealing(str(path), (recipient,), 64))


def sealed(content: bytes, settings: Settings) -> bytes:
    return bytes(encrypt(content, [x25519.Recipient.from_str(settings.sealing.recipients[0])]))


def dumped(value: object) -> bytes:
    file = io.BytesIO()
    joblib.dump(value, file)
    return file.getvalue()


def opened(path: Path, settings: Settings) -> bytes:
    text = Path(settings.sealing.identity).read_text().splitlines()[-1]
    return bytes(decrypt(path.read_bytes(), [x25519.Identity.from_str(text)]))


@pytest.fixture
def root(tmp_path: Path, settings: Settings) -> Path:
    """One model, open and sealed, with rows and a recipe that counts for both."""
    root = tmp_path / "store"
    root.mkdir()
    found = model()
    found.remark_ = MARKER
    content = dumped(found)
    (root / "open.joblib").write_bytes(content)
    (root / "a.joblib.age").write_bytes(sealed(content, settings))
    random = np.random.default_rng(9)
    inputs = random.normal(size=(120, 3))
    lines = [",".join([*(f"{value:.6f}" for value in row), str(int(row[0] > 0))]) for row in inputs]
    (root / "train.csv").write_text("\n".join(["p,q,r,y", *lines]))
    np.save(root / "rows.npy", inputs[:20])
    (root / "a.recipe.toml").write_text('[data]\ntrain = "train.csv"\ntarget = "y"\n')
    return root


async def test_it_is_shown_judged_and_asked_like_the_open_one(root: Path, settings: Settings, opening: Opening) -> None:
    engine = await opening(root, settings, watch=False)
    try:
        rows = {row.path: row for row in await engine.artifacts.scan()}
        report, other = [await engine.artifacts.report(path, digest=True) for path in ("a.joblib.age", "open.joblib")]
        view = await engine.models.load("a.joblib.age")
        answer = await engine.inference.predict("a.joblib.age", rows=ROWS)
        await engine.models.load("open.joblib")
        expected = await engine.inference.predict("open.joblib", rows=ROWS)
        score = await engine.inference.evaluate("a.joblib.age", data=str(root / "train.csv"), target="y")
    finally:
        await engine.close()
    row = rows["a.joblib.age"]
    assert (row.sealed, row.format, row.verdict) == (True, "joblib", Verdict.SAFE)
    assert row.model_class == rows["open.joblib"].model_class
    assert row.recipe == "a.recipe.toml"
    assert row.size == (root / "a.joblib.age").stat().st_size
    assert report.inspection == other.inspection
    with open_artifact(root, "a.joblib.age") as file:
        assert row.digest == view.digest == report.artifact.digest == digest_of(file)
    assert answer.outputs == expected.outputs
    assert score.rows == 120


async def test_without_an_identity_it_says_what_to_name(root: Path, settings: Settings, opening: Opening) -> None:
    engine = await opening(root, Settings(warm=False), watch=False)
    try:
        rows = {row.path: row for row in await engine.artifacts.scan()}
        with pytest.raises(InputError, match=r"unsupported: it is sealed; name an identity file in .*config\.toml"):
            await engine.models.load("a.joblib.age")
        report = await engine.artifacts.report("a.joblib.age", digest=True)
    finally:
        await engine.close()
    row = rows["a.joblib.age"]
    assert (row.format, row.verdict, row.sealed) == ("age", Verdict.UNSUPPORTED, True)
    assert report.artifact.digest is not None
    again = await opening(root, settings, watch=False)
    try:
        assert {one.path: one.verdict for one in await again.artifacts.scan()}["a.joblib.age"] is Verdict.SAFE
    finally:
        await again.close()


async def test_an_identity_that_cannot_serve_is_named_with_the_reason(
    root: Path, settings: Settings, opening: Opening
) -> None:
    file = Path(settings.sealing.identity)
    stranger = file.with_name("stranger.txt")
    generate_identity(stranger)
    loose = file.with_name("loose.txt")
    shutil.copy(file, loose)
    loose.chmod(0o640)
    cases = {
        stranger: f"cannot be opened with the identity {stranger}: it was sealed for another one",
        loose: f"{loose} has mode 0640: others must not be able to read it; chmod 400 {loose}",
        file.with_name("absent.txt"): "absent.txt: no such file",
    }
    for path, words in cases.items():
        engine = await opening(
            root, replace(settings, sealing=replace(settings.sealing, identity=str(path))), watch=False
        )
        try:
            report = await engine.artifacts.report("a.joblib.age")
            with pytest.raises(InputError):
                await engine.models.load("a.joblib.age")
        finally:
            await engine.close()
        assert report.judgement.verdict is Verdict.UNSUPPORTED
        assert words in report.judgement.reasons[0].detail


async def test_cut_and_changed_files_are_damaged(root: Path, settings: Settings, opening: Opening) -> None:
    whole = sealed(b"x" * 200_000, settings)
    changed = bytearray(whole)
    changed[-30] ^= 4
    for name, content in {"cut": whole[:-70_000], "cut1": whole[:-1], "changed": bytes(changed)}.items():
        (root / f"{name}.joblib.age").write_bytes(content)
    engine = await opening(root, settings, watch=False)
    try:
        rows = {row.path: row for row in await engine.artifacts.scan()}
        for name in ("cut", "cut1", "changed"):
            assert rows[f"{name}.joblib.age"].verdict is Verdict.DAMAGED, name
            with pytest.raises(InputError, match="damaged"):
                await engine.models.load(f"{name}.joblib.age")
    finally:
        await engine.close()


async def test_what_is_inside_is_judged_as_if_it_lay_open(
    root: Path, settings: Settings, tmp_path: Path, opening: Opening
) -> None:
    marker = tmp_path / "ran"

    class Payload:
        def __reduce__(self) -> tuple[object, ...]:
            return os.system, (f"touch {marker}",)

    reviewed = pickle.dumps({"model": model(2), "origin": IPv4Address(1)})
    (root / "evil.pkl.age").write_bytes(sealed(pickle.dumps(Payload()), settings))
    (root / "review.pkl.age").write_bytes(sealed(reviewed, settings))
    (root / "text.age").write_bytes(sealed(b"no model at all", settings))
    (root / "twice.pkl.age").write_bytes(sealed(sealed(reviewed, settings), settings))
    engine = await opening(root, settings, watch=False)
    try:
        rows = {row.path: row for row in await engine.artifacts.scan()}
        assert rows["evil.pkl.age"].verdict is Verdict.BLOCKED
        assert rows["text.age"].verdict is Verdict.UNSUPPORTED
        assert rows["twice.pkl.age"].verdict is Verdict.UNSUPPORTED
        with pytest.raises(AccessDeniedError, match="blocked"):
            await engine.models.load("evil.pkl.age", accept="please")
        with pytest.raises(NeedsReviewError, match=r"ipaddress\.IPv4Address"):
            await engine.models.load("review.pkl.age")
        view = await engine.models.load("review.pkl.age", accept="our own")
        accepted = next(entry for entry in engine.book.entries() if entry.action == "accept")
    finally:
        await engine.close()
    with open_artifact(root, "review.pkl.age") as file:
        assert view.digest == accepted.digest == digest_of(file)
    assert not marker.exists()


async def test_one_that_unfolds_to_too_much_is_named(root: Path, settings: Settings, opening: Opening) -> None:
    (root / "large.joblib.age").write_bytes(sealed(bytes(2 << 20), settings))
    engine = await opening(root, replace(settings, sealing=replace(settings.sealing, limit_mb=1)), watch=False)
    try:
        report = await engine.artifacts.report("large.joblib.age")
    finally:
        await engine.close()
    assert report.judgement.verdict is Verdict.UNSUPPORTED
    assert "larger than the 1 MiB" in report.judgement.reasons[0].detail


async def test_a_new_content_is_noticed_and_reloaded(root: Path, settings: Settings, opening: Opening) -> None:
    (root / "a.recipe.toml").write_text('[reload]\non_change = "reload"\n')
    engine = await opening(root, settings)
    try:
        before = await engine.models.load("a.joblib.age")
        other = root / ".new"
        other.write_bytes(sealed(dumped(model(1)), settings))
        other.rename(root / "a.joblib.age")

        def reloaded() -> bool:
            view = engine.models.view("a.joblib.age")
            return view is not None and view.digest not in (None, before.digest)

        await until(engine, reloaded)
        answer = await engine.inference.predict("a.joblib.age", rows=[[0.0, 5.0, 0.0]])
        told = await engine.artifacts.explain("a.joblib.age")
    finally:
        await engine.close()
    assert answer.outputs["predict"] == [True]
    assert told.headline


async def test_it_is_updated_sealed_and_its_history_is(root: Path, settings: Settings, opening: Opening) -> None:
    engine = await opening(root, settings, watch=False)
    try:
        found = await engine.updates.run(await engine.updates.plan("a.joblib.age"))
        assert found.candidate.digest != found.current.digest if found.current else False
        version = await engine.updates.promote("a.joblib.age", "newer")
        with open_artifact(root, "a.joblib.age") as file:
            assert version.digest == found.candidate.digest == digest_of(file)
        assert MARKER.encode() not in opened(root / "a.joblib.age", settings)
        await engine.updates.rollback("a.joblib.age")
        history = await engine.updates.history("a.joblib.age")
    finally:
        await engine.close()
    assert MARKER.encode() in opened(root / "a.joblib.age", settings)
    assert len(history) >= 2
    kept = [path for path in (root / ".model-console").rglob("*") if path.is_file() and path.stat().st_size > 400]
    contents = [path for path in kept if "history" in path.parts]
    assert contents
    assert all(path.read_bytes().startswith(b"age-encryption.org/v1\n") for path in contents)


async def test_an_update_that_could_not_be_kept_sealed_is_refused_before_it_is_trained(
    root: Path, settings: Settings, opening: Opening
) -> None:
    engine = await opening(root, replace(settings, sealing=replace(settings.sealing, recipients=())), watch=False)
    try:
        with pytest.raises(AccessDeniedError, match="nothing says for whom"):
            await engine.updates.run(await engine.updates.plan("a.joblib.age"))
        assert not [entry for entry in engine.book.entries() if entry.result == "intent"]
    finally:
        await engine.close()
    (root / "a.recipe.toml").write_text(
        '[data]\ntrain = "train.csv"\ntarget = "y"\n[retrain]\ncommand = ["true", "{candidate}"]\n'
    )
    engine = await opening(root, settings, watch=False)
    try:
        with pytest.raises(AccessDeniedError, match="a training command would write its candidate open"):
            await engine.updates.run(await engine.updates.plan("a.joblib.age"))
    finally:
        await engine.close()


async def test_it_is_written_open_only_outside_of_the_store(
    root: Path, settings: Settings, tmp_path: Path, opening: Opening
) -> None:
    engine = await opening(root, settings, watch=False)
    try:
        for out in (root / "a.h5", root / "sub" / ".." / "a.h5"):
            (root / "sub").mkdir(exist_ok=True)
            with pytest.raises(AccessDeniedError, match="would write it open into the store"):
                await engine.updates.convert("a.joblib.age", "hdf5", out)
        done = await engine.updates.convert("a.joblib.age", "hdf5", tmp_path / "a.h5")
        assert "converted, open" in [one for one in engine.book.entries() if one.action == "unseal"][-1].result
    finally:
        await engine.close()
    assert not (root / "a.h5").exists()
    assert (tmp_path / "a.h5").stat().st_mode & 0o777 == 0o600
    assert done["verdict"] == "safe"


async def test_sealing_keeps_the_mode_and_replaces_only_what_was_read(
    root: Path, settings: Settings, opening: Opening
) -> None:
    (root / "open.joblib").chmod(0o640)
    content = (root / "open.joblib").read_bytes()
    engine = await opening(root, settings, watch=False)
    try:
        path, digest = await engine.at_rest.seal("open.joblib", settings.sealing.recipients, replace=True)
        assert not (root / "open.joblib").exists()
        assert path == root / "open.joblib.age"
        assert path.stat().st_mode & 0o777 == 0o640
        assert opened(path, settings) == content
        with pytest.raises(InputError, match="is sealed already"):
            await engine.at_rest.seal("open.joblib.age", settings.sealing.recipients)
        with pytest.raises(InputError, match="no recipient"):
            await engine.at_rest.seal("rows.npy", ["age1nobody"])
        with pytest.raises(ConsoleError, match="is not sealed"):
            await engine.at_rest.unseal("rows.npy", None, root / "x")
        actions = [(one.action, one.digest) for one in engine.book.entries() if one.action != "policy"]
    finally:
        await engine.close()
    assert actions == [("seal", digest), ("seal", digest)]
    assert not [name for name in os.listdir(root) if name.startswith(".mc-")]


async def test_no_cache_keeps_a_word_of_what_was_read(
    root: Path, settings: Settings, tmp_path: Path, opening: Opening
) -> None:
    (root / "open.joblib").unlink()
    engine = await opening(root, settings)
    try:
        await until(engine, lambda: (row := engine.artifacts.row("a.joblib.age")) is not None and row.verdict)
        await engine.models.load("a.joblib.age")
        await engine.inference.predict("a.joblib.age", rows=ROWS)
    finally:
        await engine.close()
    assert SeenContents(root).get("a.joblib.age") is None
    written = files_beneath(tmp_path)
    secret = written.pop(settings.sealing.identity).splitlines()[-1]
    for path, content in written.items():
        for word in (MARKER.encode(), secret, b"LogisticRegression"):
            assert word not in content, path


def files_beneath(directory: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in directory.rglob("*") if path.is_file()}
