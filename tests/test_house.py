"""The house's rules that no type checker sees: who may import whom, and which Python a room is written for."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.readme_keys import keys_table

ROOT = Path(__file__).parents[1]
HEAVY = {"numpy", "scipy", "sklearn", "joblib", "h5py", "pandas", "pyarrow", "lz4", "hdf5plugin", "skops"}
OLD_PYTHON = sorted(
    [
        *(ROOT / "backends").rglob("*.py"),
        *(ROOT / "console/worker/child").rglob("*.py"),
        ROOT / "console/worker/binary_frames.py",
        ROOT / "console/worker/wire.py",
        ROOT / "console/worker/boot.py",
    ]
)


def console_modules(*packages: str) -> list[str]:
    """Dotted names of all modules in these packages, but for what runs in children only."""
    found = []
    for package in packages:
        for path in sorted((ROOT / package.replace(".", "/")).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            if parts[-1] != "boot" and "child" not in parts:
                found.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return found


def loaded_after(modules: list[str]) -> set[str]:
    """Top-level names in sys.modules of a fresh interpreter that imported `modules`."""
    code = f"import json, sys, {', '.join(modules)}; print(json.dumps([n.partition('.')[0] for n in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    return set(json.loads(done.stdout))


CHECKS = {
    "types": ["-m", "mypy"],
    "lint": ["-m", "ruff", "check", "--no-cache"],
    "format": ["-m", "ruff", "format", "--check", "--no-cache"],
    "import contracts": [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
}


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", CHECKS)
def test_a_check_passes(name: str) -> None:
    done = subprocess.run([sys.executable, *CHECKS[name]], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_console_process_imports_nothing_that_could_run_a_model() -> None:
    modules = console_modules("console")
    assert "console.ui.app" in modules
    assert "console.cli.run" in modules
    assert not loaded_after([*modules, "sample_models"]) & HEAVY


def test_nothing_is_imported_before_the_first_picture_that_it_does_not_need() -> None:
    code = "import json, sys, console.__main__, console.ui.run, console.ui.app; print(json.dumps([*sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    found = set(json.loads(done.stdout))
    rooms = (
        *("engine", "update", "monitor", "doctor", "catalog", "serving", "access", "inspection", "worker", "trust"),
        *("versions", "recipes", "files", "records", "ui.panes", "ui.rows"),
    )
    assert not {name for name in found if name.startswith(tuple(f"console.{room}" for room in rooms))}
    assert not found & {"sqlite3", "watchdog", "psutil", "tomllib", "importlib.metadata"}
    screens = {name.rpartition(".")[2] for name in found if name.startswith("console.ui.screens.")}
    assert screens == {"base", "boot"}


def test_commands_do_without_the_screens() -> None:
    modules = [name for name in console_modules("console") if not name.startswith("console.ui")]
    assert not loaded_after(modules) & {"textual", "rich"}


@pytest.mark.parametrize("path", OLD_PYTHON, ids=lambda path: str(path.relative_to(ROOT)))
def test_children_are_written_for_python_3_9(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"), feature_version=(3, 9))
    future = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
    assert future or len(tree.body) <= 1, "annotations are evaluated without the future import"


def python_3_9() -> str | None:
    """A Python 3.9 of this machine that starts."""
    candidates = [shutil.which("python3.9"), *map(str, Path.home().glob(".pyenv/versions/3.9.*/bin/python"))]
    for python in candidates:
        if python and subprocess.run([python, "--version"], capture_output=True, check=False).returncode == 0:
            return python
    return None


def test_python_3_9_compiles_what_children_run() -> None:
    python = python_3_9()
    if python is None:
        pytest.skip("there is no Python 3.9 here")
    code = "import sys\nfor name in sys.argv[1:]: compile(open(name, encoding='utf-8').read(), name, 'exec')"
    done = subprocess.run([python, "-c", code, *map(str, OLD_PYTHON)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_one_version_everywhere() -> None:
    from console import __version__

    assert f'version = "{__version__}"' in (ROOT / "pyproject.toml").read_text("utf-8")


def test_the_key_list_of_the_readme_is_the_action_table() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    listed = re.search(r"<!-- keys -->\n(.*)\n<!-- end of keys -->", text, re.DOTALL)
    assert listed is not None
    assert listed.group(1) == keys_table(), "run: python -m tests.readme_keys"


def test_every_picture_of_the_readme_is_there() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    pictures = re.findall(r"!\[[^]]*\]\(([^)]+)\)", text)
    assert pictures
    assert [path for path in pictures if not (ROOT / unquote(path)).is_file()] == []


def test_docstrings_name_the_thing() -> None:
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    offenders = [
        f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}"
        for package in ("console", "backends", "sample_models", "tests")
        for path in sorted((ROOT / package).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, kinds) and (ast.get_docstring(node) or "").startswith("What ")
    ]
    assert offenders == [], "a docstring's first word is the thing itself, not What"
