"""Other distributions whose files lie in our modules are told, ours are not."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

from console.doctor.doctor import installation, intruders


def install(where: Path, name: str, *files: str) -> None:
    """The files that an installer leaves of a wheel."""
    info = where / f"{name}-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
    (info / "RECORD").write_text("".join(f"{file},,\n" for file in (*files, f"{info.name}/RECORD")))


def test_files_in_our_modules_are_told_with_whose_they_are(tmp_path: Path) -> None:
    install(tmp_path, "terminal_tools", "console/__init__.py", "console/progress.py", "consolekit/x.py")
    install(tmp_path, "django_backends", "backends/base.py")
    install(tmp_path, "model_console", "console/__init__.py", "backends/base.py")
    install(tmp_path, "single", "console.py", "other/console/x.py")
    assert intruders(metadata.distributions(path=[str(tmp_path)])) == [
        "django_backends 1.2 has 1 file in backends/",
        "terminal_tools 1.2 has 2 files in console/",
    ]


def test_here_is_nothing_else() -> None:
    found = installation()
    assert (found["modules"], found["foreign_files"]) == (str(Path(__file__).parents[2]), "none")
