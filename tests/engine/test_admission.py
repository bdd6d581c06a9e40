"""Conditions of a load: policy, pins, signatures, layers, and the record of all of it."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import joblib
import pytest
import pytest_asyncio

from console.access.admission import missing_layers, require_layers
from console.config import STORE_DIR
from console.engine.local import Engine
from console.errors import AccessDeniedError, ConsoleError, InputError, NeedsReviewError
from console.records import Json, Judgement, Layer, Verdict
from tests.engine.conftest import model
from tests.warm import Opening

NAME = "ipaddress.IPv4Address"
HOUSE = Path(__file__).parents[2]


@pytest_asyncio.fixture(loop_scope="session")
async def quiet(store: Path, isolated: Path, opening: Opening) -> AsyncIterator[Engine]:
    """An engine that follows nothing."""
    opened = await opening(store, watch=False)
    yield opened
    await opened.close()


def say(directory: Path, text: str) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "policy.toml"
    path.write_text(text)
    return path


def results(engine: Engine, action: str) -> list[str]:
    return [entry.result for entry in engine.book.entries() if entry.action == action]


async def test_a_policy_changed_while_the_store_is_open_counts_at_the_next_load(quiet: Engine, store: Path) -> None:
    with pytest.raises(NeedsReviewError):
        await quiet.models.load("review.pkl")
    path = say(store / STORE_DIR, f'trusted = ["{NAME}"]\n')
    await quiet.models.load("review.pkl")
    report = await quiet.artifacts.report("review.pkl")
    reason = next(one for one in report.judgement.reasons if one.code == "trusted-by-policy")
    assert reason.detail == f"{NAME} is trusted by {path}"
    assert report.judgement.verdict is Verdict.SAFE
    await quiet.models.unload("review.pkl")
    path.write_text("trusted = [")
    with pytest.raises(InputError, match=r"policy\.toml"):
        await quiet.models.load("review.pkl")
    path.unlink()
    with pytest.raises(NeedsReviewError):
        await quiet.models.load("review.pkl")
    assert results(quiet, "policy") == [
        "the store's policy is followed from now on",
        "the store's policy was changed outside the console",
    ]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to give a file away")
async def test_a_strangers_policy_trusts_nothing_and_is_told_of(store: Path, isolated: Path, opening: Opening) -> None:
    path = say(store / STORE_DIR, f'trusted = ["{NAME}"]\n[require]\npin = true\n')
    os.chown(path, 12345, 12345)
    engine = await opening(store, watch=False)
    try:
        with pytest.raises(NeedsReviewError):
            await engine.models.load("review.pkl")
        with pytest.raises(NeedsReviewError, match="is not pinned"):
            await engine.models.load("a.joblib")
        report = await engine.artifacts.report("review.pkl")
        assert "policy-not-followed" in {reason.code for reason in report.judgement.reasons}
        told = [event.text for event in engine.bus.recent() if event.kind == "trust.policy"]
        assert any("not followed for trusted" in text and "user 12345" in text for text in told)
        shown = (await engine.doctor.examine())["policy"]
        assert isinstance(shown, dict)
        assert "not followed for trusted" in str(shown["files"])
        assert shown["required"] == ["pin"]
    finally:
        await engine.close()


async def test_a_demanded_pin_keeps_out_what_is_safe_until_somebody_accepts_it(quiet: Engine, store: Path) -> None:
    say(store / STORE_DIR, "[require]\npin = true\n")
    with pytest.raises(NeedsReviewError, match="is not pinned") as caught:
        await quiet.models.load("a.joblib")
    assert "--accept" in str(caught.value.hint)
    await quiet.models.load("a.joblib", accept="our nightly job wrote it")
    await quiet.models.unload("a.joblib")
    await quiet.models.load("a.joblib")
    await quiet.models.unload("a.joblib")
    joblib.dump(model(1), store / "a.joblib")
    with pytest.raises(NeedsReviewError, match="is not pinned"):
        await quiet.models.load("a.joblib")
    assert any(text.startswith("a.joblib is not pinned") for text in results(quiet, "load"))
    plan = await quiet.updates.plan("a.joblib", data=str(store / "rows.npy"), target="y")
    with pytest.raises(NeedsReviewError, match="is not pinned"):
        await quiet.updates.run(plan)


async def test_a_demanded_signature_keeps_out_what_nobody_signed(quiet: Engine, store: Path, isolated: Path) -> None:
    pytest.importorskip("cryptography")
    from console.trust.signing import generate

    public = generate(isolated / "key.pem")
    say(isolated / "config" / "model-console", "[require]\nsignature = true\n")
    with pytest.raises(AccessDeniedError, match="names no key"):
        await quiet.models.load("a.joblib")
    say(isolated / "config" / "model-console", f'[require]\nsignature = true\n[signing]\nkeys = ["{public}"]\n')
    with pytest.raises(AccessDeniedError, match="none of its keys signed") as caught:
        await quiet.models.load("a.joblib", accept="please")
    assert not isinstance(caught.value, NeedsReviewError)
    assert "model-console sign" in str(caught.value.hint)
    await quiet.signing.sign("a.joblib", isolated / "key.pem")
    await quiet.models.load("a.joblib")
    joblib.dump(model(1), store / "a.joblib")
    with pytest.raises(AccessDeniedError, match="none of its keys signed"):
        await quiet.models.reload("a.joblib")


ON, OFF = Layer(True, "so says the kernel"), Layer(False, "this kernel has none")
SAFE, REVIEW = Judgement(Verdict.SAFE, ()), Judgement(Verdict.REVIEW, ())


def test_a_review_never_runs_without_a_mandatory_layer() -> None:
    mandatory = frozenset(["landlock", "seccomp"])
    require_layers("m.pkl", REVIEW, {"landlock": ON, "seccomp": ON}, mandatory)
    require_layers("m.pkl", SAFE, {"landlock": OFF}, mandatory)
    with pytest.raises(AccessDeniedError) as caught:
        require_layers("m.pkl", REVIEW, {"landlock": OFF, "seccomp": ON}, mandatory)
    assert "m.pkl is not loaded" in caught.value.message
    assert "the mandatory layer landlock (this kernel has none)" in caught.value.message
    assert "doctor" in str(caught.value.hint)
    assert "seccomp (this sandbox has no such layer)" in missing_layers({"landlock": ON}, mandatory)


@pytest.mark.parametrize("layer", ["landlock", "seccomp"])
async def test_a_layer_switched_off_stops_a_review_and_is_told_of_with_what_is_safe(
    store: Path, isolated: Path, layer: str, opening: Opening
) -> None:
    engine = await opening(store, watch=False)
    engine._launcher.sandbox = replace(engine._launcher.sandbox, **{layer: False})  # type: ignore[arg-type]
    try:
        with pytest.raises(AccessDeniedError, match=f"mandatory layer {layer}"):
            await engine.models.load("review.pkl", accept="our own")
        assert engine.models.view("review.pkl") is None
        view = await engine.models.load("a.joblib")
        assert any(layer in note for note in view.notes)
        assert any(event.kind == "trust.layers" and layer in event.text for event in engine.bus.recent())
        say(isolated / "config" / "model-console", "[sandbox]\nmandatory = []\n")
        await engine.models.load("review.pkl")
    finally:
        await engine.close()


async def test_what_is_not_recorded_in_the_store_stands_in_the_users_own_log(
    store: Path, isolated: Path, opening: Opening
) -> None:
    engine = await opening(store, watch=False, records=False)
    try:
        await engine.models.load("a.joblib")
        entries = engine.book.entries()
        assert [(entry.action, entry.result, entry.log) for entry in entries] == [
            ("load", "intent", "own"),
            ("load", "loaded", "own"),
        ]
        assert engine.book.verify().ok
    finally:
        await engine.close()
    assert not (store / STORE_DIR).exists()


LOOKING = """
import asyncio, sys
from pathlib import Path
from console.config import Settings
from console.engine.local import Engine

async def look():
    engine = await Engine.open(Path(sys.argv[1]), Settings(reconcile_s=0.2, warm=False), read_only=True)
    while engine.artifacts.scanning:
        await asyncio.sleep(0.05)
    await engine.artifacts.scan()
    await engine.models.load("a.joblib")
    await engine.inference.predict("a.joblib", rows=[[1.0, 2.0, 3.0]])
    await engine.updates.history("a.joblib")
    for wrong in (engine.models.load("review.pkl", accept="yes"), engine.updates.rollback("a.joblib")):
        try:
            await wrong
        except Exception as error:
            print(error)
    engine.book.verify()
    await engine.close()

asyncio.run(look())
"""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_read_only_mode_opens_nothing_of_the_store_for_writing(store: Path, isolated: Path) -> None:
    log = isolated / "calls"
    watched = "trace=open,openat,openat2,mkdir,mkdirat,rename,renameat,renameat2,unlink,unlinkat,truncate,fchmodat"
    command = ["strace", "-f", "-y", "-qq", "-s", "4096", "-o", str(log), "-e", watched, sys.executable, "-c", LOOKING]
    done = subprocess.run([*command, str(store)], capture_output=True, text=True, cwd=HOUSE, timeout=100)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("read-only") == 2
    calls = [line for line in log.read_text(errors="replace").splitlines() if str(store) in line]
    assert any("a.joblib" in line for line in calls)
    changing = ("O_RDWR", "O_WRONLY", "O_CREAT", "mkdir", "rename", "unlink", "truncate", "fchmodat")
    assert [line for line in calls if any(word in line for word in changing)] == []


MARK = "4242.4242"
WORD = "s3cr3t-of-a-row"


async def test_no_row_target_or_local_ever_reaches_a_log(store: Path, isolated: Path, opening: Opening) -> None:
    lines = ["f0,f1,f2,y", *(f"{MARK},{n % 5},{n % 3},{n % 2}" for n in range(30))]
    (store / "rows.csv").write_text("\n".join(lines) + "\n")
    (store / "words.csv").write_text(f"f0,f1,f2,y\n{WORD},1,2,{WORD}\n")
    (store / "a.recipe.toml").write_text('[data]\ntrain = "rows.csv"\ntarget = "y"\n')
    engine = await opening(store)
    try:
        await engine.models.load("a.joblib")
        await engine.inference.predict("a.joblib", rows=[[4242.4242, 0.0, 0.0]])
        await engine.inference.predict("a.joblib", data=str(store / "rows.csv"), target="y")
        typed: list[Json] = [[WORD, WORD, WORD], {"f0": WORD}]
        for row in typed:
            with pytest.raises(ConsoleError):
                await engine.inference.predict("a.joblib", rows=[row])
        for target in ("y", "f1"):
            with pytest.raises(ConsoleError):
                await engine.inference.predict("a.joblib", data=str(store / "words.csv"), target=target)
        await engine.monitor.start("a.joblib", seconds=0.2)
        await engine.monitor.finished("a.joblib")
        plan = await engine.updates.plan("a.joblib")
        await engine.updates.run(plan)
        await engine.updates.promote("a.joblib", "better on Tuesdays")
        with pytest.raises(ConsoleError):
            await engine.updates.run(replace(plan, data=str(store / "words.csv"), holdout=None))
    finally:
        await engine.close()
    await asyncio.to_thread(_nothing_told, isolated, store)


def _nothing_told(isolated: Path, store: Path) -> None:
    sources = {store / "rows.csv", store / "words.csv"}
    files = [path for path in isolated.rglob("*") if path.is_file() and path not in sources]
    assert any(path.name == "audit.jsonl" for path in files)
    for path in files:
        content = path.read_bytes()
        assert MARK.encode() not in content, path
        assert WORD.encode() not in content, path


async def test_every_refusal_names_what_it_is_about(quiet: Engine) -> None:
    with pytest.raises(NeedsReviewError):
        await quiet.models.load("review.pkl")
    (entry,) = quiet.book.entries()
    assert entry.action == "load"
    assert entry.result.startswith("review.pkl needs your review")
    assert entry.digest is not None
    assert json.dumps(entry.who)
