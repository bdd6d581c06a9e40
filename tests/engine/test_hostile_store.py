"""A store that somebody sent: nothing in it is run, and nothing outside it is touched, before an operator meant it."""

from __future__ import annotations

import dataclasses
import os
import shutil
from contextlib import suppress
from pathlib import Path

import joblib
import pytest

from console.config import STORE_DIR, Settings
from console.engine.local import Engine
from console.errors import AccessDeniedError, ConsoleError, OperationError
from console.files.roots import place_of
from console.files.state_dir import HISTORY, OwnFiles, artifact_key
from console.versions.journal import MOST_TOLD
from console.versions.operations import Operation, encode
from console.versions.recovery import damaged, recover
from tests.cli.conftest import run as run
from tests.cli.running import Run
from tests.engine.conftest import model, until
from tests.warm import Opening

RECIPE = '[data]\ntrain = "rows.csv"\nholdout = "rows.csv"\ntarget = "y"\n[environment]\npython = "{python}"\n'


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    """Made by any program of the store that was run."""
    return tmp_path / "ran"


@pytest.fixture
def booby(store: Path, marker: Path) -> Path:
    """A store whose recipe names a program inside it as the interpreter."""
    program = store / "env" / "bin" / "python"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\ntouch {marker}\n")
    program.chmod(0o755)
    lines = ["f0,f1,f2,y", *(f"{n % 7},{n % 5},{n % 3},{n % 2}" for n in range(30))]
    (store / "rows.csv").write_text("\n".join(lines) + "\n")
    (store / "a.recipe.toml").write_text(RECIPE.format(python="env/bin/python"))
    return store


@pytest.mark.parametrize(
    "command",
    [
        ("predict", "--data", "rows.npy"),
        ("evaluate",),
        ("probe", "--seconds", "0.1"),
        ("update", "--yes"),
        ("convert", "--to", "pickle"),
    ],
)
def test_no_command_runs_an_interpreter_of_the_store(
    booby: Path, marker: Path, isolated: Path, run: Run, command: tuple[str, ...]
) -> None:
    name, *rest = (str(booby / word) if word == "rows.npy" else word for word in command)
    done = run(name, str(booby / "a.joblib"), *rest)
    assert done.code == 3, done.err
    assert "interpreter" in done.err
    assert "through the store" in done.err
    assert not marker.exists()


async def test_the_console_does_not_run_it_either(booby: Path, marker: Path, isolated: Path, opening: Opening) -> None:
    (booby / "a.recipe.toml").write_text("[reload]\non_change = 'reload'\n")
    engine = await opening(booby, Settings(reconcile_s=0.5, warm=False))
    try:
        await engine.models.load("a.joblib")
        (booby / "a.recipe.toml").write_text(
            "[reload]\non_change = 'reload'\n[environment]\npython = 'env/bin/python'\n"
        )
        joblib.dump(model(1), booby / "a.joblib")
        await until(engine, lambda: any("through the store" in one.text for one in engine.bus.recent()))
        with pytest.raises(AccessDeniedError, match="through the store"):
            await engine.models.reload("a.joblib")
    finally:
        await engine.close()
    assert not marker.exists()  # noqa: ASYNC240


async def test_what_the_users_own_policy_lists_may_be_run(booby: Path, marker: Path, isolated: Path) -> None:
    own = isolated / "config" / "model-console"
    own.mkdir(parents=True)
    (own / "policy.toml").write_text(f'[recipes]\ninterpreters = ["{booby}/env/bin/python"]\n')
    engine = await Engine.open(booby, Settings(), watch=False)
    try:
        with pytest.raises(ConsoleError) as caught:
            await engine.models.load("a.joblib")
        assert not isinstance(caught.value, AccessDeniedError)
    finally:
        await engine.close()
    assert marker.exists()  # noqa: ASYNC240


@pytest.mark.slow
def test_a_recipes_command_is_shown_before_it_runs_and_runs_in_an_update_alone(
    booby: Path, marker: Path, isolated: Path, run: Run
) -> None:
    command = f'["/bin/sh", "-c", "touch {marker}"]'
    (booby / "a.recipe.toml").write_text(f'[data]\ntrain = "rows.csv"\ntarget = "y"\n[retrain]\ncommand = {command}\n')
    artifact = str(booby / "a.joblib")
    for words in (
        ("inspect", artifact),
        ("ls", str(booby)),
        ("evaluate", artifact),
        ("probe", artifact, "--seconds", "0.1"),
    ):
        assert f"touch {marker}" not in run(*words).err
    done = run("update", artifact, "--yes")
    assert done.code != 0
    assert f"the recipe's command runs in the sandbox: /bin/sh -c 'touch {marker}'" in done.err.splitlines()[1]
    assert not marker.exists()


def elsewhere(tmp_path: Path) -> Path:
    found = tmp_path / "elsewhere"
    found.mkdir()
    (found / "policy.toml").write_text('trusted = ["ipaddress.IPv4Address"]\n')
    return found


def test_a_linked_directory_of_our_own_is_not_followed(store: Path, tmp_path: Path, isolated: Path, run: Run) -> None:
    target = elsewhere(tmp_path)
    (store / STORE_DIR).symlink_to(target)
    before = sorted(os.listdir(target))
    for command in (("ls",), ("inspect",), ("audit", "show"), ("audit", "verify")):
        assert run(*command, str(store)).code == 4
    assert run("predict", str(store / "a.joblib"), "--data", str(store / "rows.npy"), "--accept", "yes").code == 4
    assert sorted(os.listdir(target)) == before
    assert place_of(store / "a.joblib").root == store


@pytest.mark.slow
@pytest.mark.parametrize("name", ["journal.jsonl", "audit.jsonl", "policy.toml", "lock", "policy.lock"])
async def test_a_pipe_in_place_of_our_own_files_blocks_nothing(store: Path, isolated: Path, name: str) -> None:
    (store / STORE_DIR).mkdir()
    os.mkfifo(store / STORE_DIR / name)
    with suppress(ConsoleError):
        engine = await Engine.open(store, Settings(reconcile_s=0.5, warm=False))
        try:
            await until(engine, lambda: len(engine.artifacts.rows()) == 3)
            await engine.models.load("review.pkl", accept="our own")
        finally:
            await engine.close()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["journal.jsonl", "audit.jsonl", "policy.toml", "lock", "policy.lock"])
async def test_a_link_in_place_of_our_own_files_is_not_written_through(
    store: Path, tmp_path: Path, isolated: Path, name: str
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine\n")
    victim.chmod(0o600)
    (store / STORE_DIR).mkdir()
    (store / STORE_DIR / name).symlink_to(victim)
    with suppress(ConsoleError):
        engine = await Engine.open(store, Settings(), watch=False)
        try:
            await engine.models.load("review.pkl", accept="our own")
        finally:
            await engine.close()
    assert victim.read_text() == "mine\n"
    assert victim.stat().st_mode & 0o777 == 0o600


A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64
STEP = Operation("op1", "a.joblib", ".mc-op1.tmp", B, A, 2, 1, 1.5, "ann", "why", 3, state="staged", seq=1)
ESCAPES = [
    {"tmp": "../victim"},
    {"tmp": "../../../../../../../../victim"},
    {"op": "../../../victim", "tmp": ".mc-../../../victim.tmp"},
    {"path": "../victim"},
    {"path": "x/../../victim"},
    {"path": "/victim"},
    {"path": ".."},
    {"old": "sha256:/../../../../victim"},
    {"new": "sha256:/../../../../victim"},
    {"when": 1e300},
    {"version": -1},
    {"version": "1"},
    {"metrics": {"auc": [1]}},
    {"state": "no such state"},
    {"who": ["ann"]},
]


@pytest.mark.parametrize("row", ESCAPES, ids=str)
@pytest.mark.parametrize("state", ["intent", "staged", "committed"])
def test_a_journal_that_names_what_lies_elsewhere_moves_nothing(
    store: Path, tmp_path: Path, row: dict[str, object], state: str
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine\n")
    with OwnFiles(store, create=True):
        step = dataclasses.replace(STEP, **{"state": state, **row})  # type: ignore[arg-type]
        (store / STORE_DIR / "journal.jsonl").write_bytes(encode(step))
    before = sorted(path for path in tmp_path.rglob("*") if STORE_DIR not in path.parts)
    assert recover(store) == ()
    assert sorted(path for path in tmp_path.rglob("*") if STORE_DIR not in path.parts) == before
    assert victim.read_text() == "mine\n"


def test_recovery_does_not_reach_through_links_in_the_history(store: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine\n")
    victim.chmod(0o600)
    with OwnFiles(store, create=True) as own:
        with own.directory(HISTORY, artifact_key("a.joblib"), create=True):
            kept = store / STORE_DIR / HISTORY / artifact_key("a.joblib") / f"1-{'a' * 64}"
        kept.symlink_to(victim)
        (store / ".mc-op1.tmp").symlink_to(victim)
        (store / STORE_DIR / "journal.jsonl").write_bytes(encode(dataclasses.replace(STEP, state="committed")))
    assert [one.outcome for one in recover(store)] == ["finished"]
    assert victim.read_text() == "mine\n"
    assert victim.stat().st_mode & 0o777 == 0o600


def test_a_history_directory_that_is_a_link_gets_nothing(store: Path, tmp_path: Path) -> None:
    target = elsewhere(tmp_path)
    with OwnFiles(store, create=True):
        (store / STORE_DIR / HISTORY).symlink_to(target)
        (store / STORE_DIR / "journal.jsonl").write_bytes(encode(STEP))
    with pytest.raises(OperationError):
        recover(store)
    assert os.listdir(target) == ["policy.toml"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["journal.jsonl", "audit.jsonl", "policy.toml"])
def test_a_huge_file_in_place_of_our_own_costs_no_memory(store: Path, isolated: Path, name: str, run: Run) -> None:
    (store / STORE_DIR).mkdir()
    with (store / STORE_DIR / name).open("wb") as file:
        file.truncate(1 << 40)
    assert run("history", str(store / "a.joblib")).code in (0, 1, 4)
    assert run("audit", "show", str(store)).code in (0, 4)
    assert run("audit", "verify", str(store)).code in (0, 1, 4)
    assert run("evaluate", str(store / "a.joblib")).code in (0, 1, 2, 4)
    shutil.rmtree(store / STORE_DIR)


@pytest.mark.slow
@pytest.mark.parametrize("line", [b"{}", b"\xff" * 3, b"[" * 2000, b""])
def test_a_journal_of_nothing_but_damage_is_passed_over_soon(store: Path, line: bytes) -> None:
    with OwnFiles(store, create=True):
        (store / STORE_DIR / "journal.jsonl").write_bytes((line + b"\n") * (20_000_000 // (len(line) + 100)))
    assert recover(store) == ()
    assert len(damaged(store)) == MOST_TOLD
