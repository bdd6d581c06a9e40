"""The command line: a store or a command, options before or after, mistakes in our own words."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from console.cli import main
from console.cli.parser import commands_parser
from console.cli.streams import is_plain
from console.composition import LocalDoor
from console.config import Settings
from console.start import Start
from tests.cli.running import Run

EXPECTED = {
    "ls", "inspect", "predict", "evaluate", "probe", "update", "history", "rollback",
    "accelerate", "watch", "convert", "diff", "doctor", "audit", "demo", "completion",
    "keygen", "sign", "verify", "seal", "unseal", "serve", "status", "token", "jobs",
}  # fmt: skip


@pytest.fixture
def screens(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, Settings]]:
    """Where the console would have opened, on a terminal."""
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    return []


@pytest.fixture
def console(screens: list[tuple[Path, Settings]]) -> Callable[..., int]:
    """Runs a command line that may open the console."""

    def opens(root: Path, settings: Settings, _start: Start) -> int:
        screens.append((root, settings))
        return 0

    return lambda *argv: main.run(argv, LocalDoor(), opens, lambda: None)


def test_the_commands_are_those_of_the_design() -> None:
    assert commands_parser().commands().keys() == EXPECTED


@pytest.mark.parametrize("command", sorted(EXPECTED))
def test_each_help_shows_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        commands_parser().parse_args([command, "--help"])
    assert ended.value.code == 0
    assert f"model-console {command}" in capsys.readouterr().out.partition("example:")[2]


@pytest.mark.parametrize("written", ["y.csv/", "y.csv/.", "..", "./"])
@pytest.mark.parametrize(
    "words",
    [
        "predict m.pkl --out",
        "convert m.pkl --to pickle --out",
        "seal m.pkl --to age1 --out",
        "unseal m.age --out",
        "keygen",
    ],
)
def test_a_name_of_a_directory_is_no_file_to_be_written(
    console: Callable[..., int], words: str, written: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert console(*words.split(), written) == 2
    assert f"'{written}' names a directory: name the file" in capsys.readouterr().err


def test_a_word_that_is_no_command_is_a_store(
    console: Callable[..., int], screens: list[tuple[Path, Settings]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "ls").mkdir()
    monkeypatch.chdir(tmp_path)
    for words in (("models",), ("--", "ls"), ("./ls",), ()):
        assert console(*words) == 0
    assert [root.name for root, _ in screens] == ["models", "ls", "ls", tmp_path.name]


def test_options_of_the_screens_win_over_the_settings_file(
    console: Callable[..., int], screens: list[tuple[Path, Settings]], tmp_path: Path
) -> None:
    assert console("--read-only", str(tmp_path), "--no-mouse", "--fps", "7", "--theme", "ansi-light") == 0
    settings = screens[0][1]
    assert (settings.read_only, settings.mouse, settings.fps, settings.theme, settings.ascii) == (
        True,
        False,
        7,
        "ansi-light",
        False,
    )


def test_without_a_terminal_the_console_says_what_to_do_instead(run: Run, tmp_path: Path) -> None:
    done = run(str(tmp_path))
    assert done.code == 2
    assert "ls --json" in done.err


def test_a_dumb_terminal_gets_no_screens_and_the_c_locale_ascii_ones(
    console: Callable[..., int], screens: list[tuple[Path, Settings]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.setenv("TERM", "xterm")
    assert console(str(tmp_path)) == 0
    assert screens[0][1].ascii
    monkeypatch.setenv("TERM", "dumb")
    assert console(str(tmp_path)) == 2
    assert len(screens) == 1


def test_the_first_variable_of_the_locale_counts() -> None:
    assert is_plain({"LC_ALL": "C", "LANG": "de_DE.UTF-8"})
    assert is_plain({"LC_ALL": "", "LC_CTYPE": "POSIX"})
    assert not is_plain({"LC_ALL": "C.UTF-8", "LANG": "C"})
    assert not is_plain({})


MEANT = (
    (("inspct", "m.pkl"), "there is no command 'inspct', and nothing here is called so", "mean model-console inspect?"),
    (("frobnicate", "m.pkl"), "there is no command 'frobnicate'", "see model-console --help"),
    (("ls", "--jsn"), "model-console ls takes no --jsn", "did you mean --json? see model-console ls --help"),
    (("probe", "m", "--sceonds", "3"), "model-console probe takes no --sceonds", "did you mean --seconds?"),
    (("--thme", "x"), "model-console takes no --thme", "did you mean --theme?"),
    (("convert", "m", "--to", "hdf"), "argument --to: 'hdf' is no choice: did you mean hdf5?", "convert --help"),
    (("completion", "fish"), "'fish' is no choice: it is one of bash, zsh", "see model-console completion --help"),
    (("audit", "verfy"), "there is no verfy", "did you mean model-console audit verify?"),
    (
        ("probe", "m", "--batch", "x"),
        "argument --batch: must be a whole number, 1 or more, not 'x'",
        "model-console probe --help",
    ),
    (
        ("probe", "m", "--rate", "x"),
        "argument --rate: must be a number from 0 to 100000, not 'x'",
        "see model-console probe --help",
    ),
    (("probe",), "the following arguments are required: ARTIFACT", "hint: see model-console probe --help"),
    (("ls", "a", "b"), "model-console ls takes no b", "see model-console ls --help"),
)


@pytest.mark.parametrize(("argv", "words", "hint"), MEANT)
def test_a_mistake_is_told_with_what_was_meant(run: Run, argv: tuple[str, ...], words: str, hint: str) -> None:
    done = run(*argv)
    assert done.code == 2
    message, way_out = done.err.splitlines()
    assert words in message
    assert hint in way_out
    assert "\\x0a" not in way_out


def test_the_usage_of_a_command_is_its_own() -> None:
    usage = commands_parser().commands()["probe"].format_usage()
    assert usage.startswith("usage: model-console probe [-h] ")


def test_a_name_like_a_command_that_is_there_is_opened(
    console: Callable[..., int], screens: list[tuple[Path, Settings]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "inspct").mkdir()
    monkeypatch.chdir(tmp_path)
    assert console("inspct") == 0
    assert screens[0][0].name == "inspct"


def test_a_converted_model_is_not_written_under_another_formats_name(run: Run, tmp_path: Path) -> None:
    (tmp_path / "m.pkl").write_bytes(b"x")
    for name, fits in (("m.xyz", False), ("m", False), ("m.h5", False), ("m.JOBLIB", True)):
        done = run("convert", str(tmp_path / "m.pkl"), "--to", "joblib", "--out", str(tmp_path / name))
        assert done.code == (4 if fits else 2)
        assert ("does not end as a joblib file does" in done.err) is not fits


def test_mistakes_are_usage_errors_as_text_and_as_json(run: Run) -> None:
    assert run("predict").code == 2
    done = run("probe", "x.pkl", "--rate", "-1", "--json")
    assert done.code == 2
    assert json.loads(done.out)["error"]["code"] == "usage"


def test_options_may_stand_before_a_command(run: Run, tmp_path: Path) -> None:
    assert json.loads(run("--json", "ls", str(tmp_path)).out) == []


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_completion_knows_every_command(run: Run, shell: str) -> None:
    done = run("completion", shell)
    assert done.code == 0
    assert all(name in done.out for name in EXPECTED)


@pytest.mark.parametrize(
    "words",
    [
        ("ls", ""),
        ("",),
        ("keygen", ""),
        ("demo", "--build-only", ""),
        ("predict", "m.pkl", "--data", ""),
        ("predict", "m.pkl", "--target="),
        ("predict", "m.pkl", "--method", ""),
        ("predict", "m.pkl", "--out", ""),
    ],
)
def test_an_empty_argument_is_refused_and_never_taken_for_this_directory(run: Run, words: tuple[str, ...]) -> None:
    done = run(*words)
    assert done.code == 2
    assert "must not be empty (is a variable unset?)" in done.err
    assert "COMMAND" not in done.err


def test_a_missing_path_is_bad_input(run: Run, tmp_path: Path) -> None:
    done = run("inspect", str(tmp_path / "none.pkl"), "--json")
    assert done.code == 4
    assert json.loads(done.out)["error"]["code"] == "bad-input"


def test_a_wrong_setting_is_a_usage_error_that_names_the_file(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model-console").mkdir()
    (tmp_path / "model-console/config.toml").write_text("fpz = 3\n")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    done = run("ls", str(tmp_path))
    assert done.code == 2
    assert "config.toml" in done.err
