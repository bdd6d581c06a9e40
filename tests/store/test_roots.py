from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from console.errors import InputError
from console.files import roots


def test_the_nearest_directory_with_the_own_one_is_the_store(store: Path) -> None:
    (store / ".model-console").mkdir()
    (store / "a" / "b").mkdir(parents=True)
    (store / "a" / "b" / "m.pkl").write_bytes(b"x")
    assert roots.place_of(store / "a" / "b" / "m.pkl") == roots.Place(store, "a/b/m.pkl")
    assert roots.place_of(store / "a") == roots.Place(store, "a")
    assert roots.place_of(store) == roots.Place(store, "")


def test_without_one_it_is_the_directory_given_or_the_artifacts_own(store: Path) -> None:
    (store / "a").mkdir()
    (store / "a" / "m.pkl").write_bytes(b"x")
    assert roots.place_of(store / "a") == roots.Place(store / "a", "")
    assert roots.place_of(store / "a" / "m.pkl") == roots.Place(store / "a", "m.pkl")


def test_links_on_the_way_are_followed_and_the_last_one_is_kept(store: Path, tmp_path: Path) -> None:
    (store / "m.pkl").write_bytes(b"x")
    (store / "link.pkl").symlink_to("m.pkl")
    (tmp_path / "way").symlink_to(store)
    assert roots.place_of(tmp_path / "way" / "m.pkl") == roots.Place(store, "m.pkl")
    assert roots.place_of(tmp_path / "way" / "link.pkl") == roots.Place(store, "link.pkl")
    assert roots.place_of(tmp_path / "way") == roots.Place(tmp_path / "way", "")


def test_a_relative_path_and_a_hostile_name(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(store)
    name = os.fsdecode(b"\xff\n\x1b[31m.pkl")
    Path(name).write_bytes(b"x")
    assert roots.place_of(name) == roots.Place(store, name)


def test_what_is_not_there_is_said(store: Path) -> None:
    with pytest.raises(InputError, match=r"there is no .*nothing"):
        roots.place_of(store / "nothing.pkl")


def test_a_store_of_ours_is_writable(store: Path) -> None:
    assert roots.why_not_writable(store) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to become another user")
def test_who_may_not_write_is_told_so(store: Path) -> None:
    os.chmod(store, 0o755)
    for directory in store.parents:
        if not directory.stat().st_mode & 0o001:
            os.chmod(directory, 0o755)
    code = "import os,sys; os.setuid(65534); from pathlib import Path; from console.files import roots;"
    code += f"print(roots.why_not_writable(Path({str(store)!r})))"
    # the modules are imported before the user changes, since the project itself may be private
    code = "import console.files.roots; " + code
    project = Path(roots.__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=project, check=True)
    assert f"may not write in {store}" in done.stdout
