"""Commands in crippled surroundings, as real processes: each names the obstacle and what helps, with its exit code."""

from __future__ import annotations

import functools
import json
import os
import pickle
import shutil
import site
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
USER = 4242
"""A user who has no entry in the password file."""
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")
NO_SPACE = "the answer could not be written to stdout: no space is left on its file system"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    root = tmp_path / "store"
    root.mkdir()
    (root / "m.pkl").write_bytes(pickle.dumps([1.0, 2.0]))
    return root


def ran(*argv: str, out: str = "/dev/full", **more: str) -> subprocess.CompletedProcess[str]:
    """A command with its stdout on a file, in an environment with more than the usual."""
    with open(out, "w") as file:
        return subprocess.run(
            [sys.executable, "-m", "console", *argv], stdout=file, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
            text=True, cwd=ROOT, env={**os.environ, **more}, timeout=60, check=False,
        )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("buffered", ["", "1"])
@pytest.mark.parametrize("words", [("ls", "--json"), ("--help",), ("completion", "zsh")])
def test_a_full_stdout_is_told(words: tuple[str, ...], buffered: str, store: Path) -> None:
    argv = (*words, str(store)) if words[0] == "ls" else words
    done = ran(*argv, PYTHONUNBUFFERED=buffered)
    assert done.returncode == 1
    assert done.stderr.splitlines()[0] == f"model-console: {NO_SPACE}"
    assert done.stderr.splitlines()[1] == "hint: make room there, then try again"


@pytest.mark.slow
def test_an_error_that_cannot_be_written_as_json_is_still_told(tmp_path: Path) -> None:
    done = ran("ls", "--json", str(tmp_path / "none"))
    assert (done.returncode, done.stderr) == (4, f"model-console: there is no {tmp_path / 'none'}\n")


def in_shell(line: str, **more: str) -> subprocess.CompletedProcess[str]:
    line = line.replace("model-console", f"{sys.executable} -m console")
    environment = {**os.environ, **more}
    return subprocess.run(
        ["bash", "-c", line], capture_output=True, text=True, cwd=ROOT, env=environment, timeout=60, check=False
    )


@pytest.mark.slow
def test_closed_streams_lose_nothing_but_the_answer(store: Path) -> None:
    done = in_shell(f"model-console ls {store} >&-")
    assert (done.returncode, done.stderr) == (
        1,
        "model-console: stdout is closed, so that nobody sees what was asked for\n",
    )
    assert in_shell(f"model-console ls {store} >&- 2>&- <&-").returncode == 1
    done = in_shell(f"model-console ls {store} 2>&-")
    assert (done.returncode, done.stderr) == (0, "")
    assert "m.pkl" in done.stdout


@pytest.mark.slow
def test_a_reader_that_has_seen_enough_is_no_error(store: Path) -> None:
    done = in_shell(f"model-console ls --json {store} | head -1; exit ${{PIPESTATUS[0]}}")
    assert (done.returncode, done.stdout, done.stderr) == (0, "[\n", "")


@pytest.mark.slow
def test_a_current_directory_that_is_gone_is_told(store: Path, tmp_path: Path) -> None:
    found = f"PYTHONPATH={ROOT}"
    done = in_shell(f"cd {tmp_path}; mkdir gone; cd gone; rmdir ../gone; {found} model-console ls")
    assert (done.returncode, done.stderr.splitlines()) == (
        4,
        ["model-console: the current directory is gone", "hint: change to one that is there: cd"],
    )
    done = in_shell(f"cd {tmp_path}; mkdir gone; cd gone; rmdir ../gone; {found} model-console ls {store}")
    assert done.returncode == 0


# in another locale, on another terminal


@pytest.mark.slow
def test_the_c_locale_gets_ascii_alone(store: Path) -> None:
    (store / "é.pkl").write_text("<html><title>Ü</title>")
    for locale in (
        {"LC_ALL": "C"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"LC_ALL": "POSIX"},
    ):
        done = in_shell(f"model-console inspect {store / 'é.pkl'}; model-console seal --help", **locale)
        assert done.returncode == 0, done.stderr
        assert (done.stdout + done.stderr).isascii()
        assert "\\xdc" in done.stdout
        assert "--to age1.. --replace" in done.stdout
    done = in_shell(f"model-console ls {store}", LC_ALL="C.UTF-8")
    assert "é.pkl" in done.stdout


# as a user whom little is allowed


@pytest.fixture
def shared() -> Iterator[Path]:
    """A store that another user reaches, beside a home of his."""
    base = Path("/tmp") / f"edges-{os.getpid()}"
    (base / "home").mkdir(parents=True)
    (base / "store/shut").mkdir(parents=True)
    for name in ("m.pkl", "shut/m.pkl"):
        (base / "store" / name).write_bytes(pickle.dumps([1.0]))
    os.chown(base / "home", USER, USER)
    yield base
    shutil.rmtree(base)


@functools.cache
def interpreter() -> str:
    """A Python of this version that another user may run; "" where there is none."""
    same = f"import sys; sys.exit(sys.version_info[:2] != {sys.version_info[:2]})"
    for one in (sys.executable, "/usr/bin/python3"):
        if subprocess.run([*BECOME, one, "-c", same], check=False, capture_output=True, cwd="/").returncode == 0:
            return one
    return ""


BECOME = ("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "env")


def as_user(
    base: Path, *argv: str, environment: Mapping[str, str] | None = None, before: str = ""
) -> subprocess.CompletedProcess[str]:
    """A command of a user without an entry in the password file, after a line of a shell."""
    if not interpreter():
        pytest.skip("no Python of this version may be run by another user")
    given = {"HOME": str(base / "home")} if environment is None else environment
    line = f'{before}\nexec "$@"'
    found = os.pathsep.join((str(ROOT), *site.getsitepackages()))
    return subprocess.run(
        [*BECOME, "bash", "-c", line, "-", interpreter(), "-m", "console", *argv], capture_output=True, text=True,
        cwd="/", timeout=60, env={"PATH": os.environ["PATH"], "PYTHONPATH": found, **given}, check=False,
    )  # fmt: skip


@needs_root
@pytest.mark.slow
def test_a_store_that_may_not_be_read_is_bad_input(shared: Path) -> None:
    store = shared / "store"
    modes = ((0o000, store), (0o644, store), (0o000, store / "shut"), (0o744, store / "shut"))
    for (mode, path), command in zip(modes, ("watch", "inspect", "ls", "doctor"), strict=True):
        path.chmod(mode)
        done = as_user(shared, command, str(path))
        assert done.returncode == 4, (command, done.stderr)
        assert f"{path} cannot be looked into by user {USER}: it is root's, with mode {mode:04o}" in done.stderr
        assert f"chmod o+rx {path}" in done.stderr
        path.chmod(0o755)
    store.chmod(0)
    for path in (store / "m.pkl", store / "shut"):
        done = as_user(shared, "inspect", str(path))
        assert done.returncode == 4
        assert f"cannot be reached: permission denied at {store}, which is root's, with mode 0000" in done.stderr
        assert f"chmod o+x {store}" in done.stderr


@needs_root
@pytest.mark.slow
def test_what_nobody_could_look_at_has_no_size_and_no_time(shared: Path) -> None:
    (shared / "store/shut").chmod(0)
    shown = as_user(shared, "ls", str(shared / "store"))
    assert "shut " in shown.stdout
    assert "1970" not in shown.stdout
    rows = json.loads(as_user(shared, "ls", "--json", str(shared / "store")).stdout)
    row = next(one for one in rows if one["path"] == "shut")
    assert (row["size"], row["modified"], row["why"]) == (None, None, "directory cannot be read: permission denied")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
@pytest.mark.parametrize(("error", "words"), [("EIO", "input/output error"), ("ESTALE", "stale file handle")])
def test_a_directory_that_the_disk_cannot_list_is_told(store: Path, error: str, words: str) -> None:
    shutil.copytree(store, store / "far")
    fails = [
        "strace",
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-P",
        str(store / "far"),
        "-e",
        f"inject=getdents64:error={error}",
    ]
    done = subprocess.run(
        [*fails, sys.executable, "-m", "console", "ls", "--json", str(store)], capture_output=True, text=True, cwd=ROOT,
        timeout=60, check=False,
    )  # fmt: skip
    if "ptrace" in done.stderr:
        pytest.skip("strace may not trace here")
    rows = {row["path"]: row.get("why", "") for row in json.loads(done.stdout)}
    assert set(rows) == {"m.pkl", "far"}
    assert words in rows["far"]


def test_a_name_of_several_lines_does_not_cut_the_sentence(store: Path) -> None:
    done = ran("ls", str(store / "new\nline/x"), out=os.devnull)
    assert done.returncode == 4
    assert r"there is no " in done.stderr
    assert r"new\x0aline/x" in done.stderr


@needs_root
def test_without_a_home_the_way_out_is_told(shared: Path) -> None:
    done = as_user(shared, "ls", str(shared / "store"), environment={})
    assert done.returncode == 1
    no_home = f"user {USER} has no home directory: there is no entry in the password file, and HOME is not set"
    assert done.stderr.splitlines() == [
        f"model-console: {no_home}",
        "hint: set HOME, or XDG_CONFIG_HOME, XDG_CACHE_HOME and XDG_STATE_HOME, to directories of this user",
    ]
    assert as_user(shared, "ls", str(shared / "store")).returncode == 0


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        ("-n 11", "this process may open no more files (its limit is 11)"),
        (
            "-f 0",
            "no directory for temporary files can be written, since files may have no bytes here; raise its limit",
        ),
    ],
)
@pytest.mark.slow
def test_a_limit_that_is_reached_is_named(limit: str, words: str, store: Path) -> None:
    done = in_shell(f"(ulimit {limit}; model-console inspect {store / 'm.pkl'})")
    assert done.returncode == 1
    assert words in done.stdout + done.stderr


@needs_root
@pytest.mark.slow
def test_too_few_processes_are_told(shared: Path) -> None:
    for number in (1, 2):
        done = as_user(shared, "ls", str(shared / "store"), before=f"ulimit -u {number}")
        assert done.returncode in (0, 1)
        assert "Traceback" not in done.stderr
        assert "defect" not in done.stderr
        assert "no more processes or threads may be started" in done.stdout + done.stderr
    for number, command in ((3, "watch"), (5, "doctor"), (5, "ls")):
        done = as_user(shared, command, str(shared / "store"), before=f"ulimit -u {number}")
        assert done.returncode in (0, 1)
        assert "Traceback" not in done.stderr
        assert "defect" not in done.stderr


NO_TMP = """
import sys, tempfile
tempfile._candidate_tempdir_list = lambda: ["/proc"]
from console.__main__ import main
sys.exit(main(["inspect", sys.argv[1]]))
"""


def test_without_a_place_for_temporary_files_the_way_out_is_told(store: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", NO_TMP, str(store / "m.pkl")], capture_output=True, text=True, cwd=ROOT, timeout=60,
        check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert (
        "no directory for temporary files can be written; set TMPDIR to a directory that this user may" in done.stdout
    )


DEFECT = """
import sys
from console.cli import main
def account():
    raise OSError("the account fails as well")
class Odd(Exception):
    def __str__(self):
        raise ValueError
main._dispatch = lambda *given: (_ for _ in ()).throw(Odd())
sys.exit(main.run(["ls"], None, lambda *given: 0, account))
"""


def test_the_last_handler_never_raises() -> None:
    done = subprocess.run([sys.executable, "-c", DEFECT], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "model-console: this is a defect of model-console itself",
        "hint: its account cannot be written; it is an error whose text cannot be made",
    ]
