"""Words of the commands about files that stand where a model should."""

from __future__ import annotations

import pickle
from pathlib import Path

from tests.cli.running import Run

LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "4d" * 32 + "\nsize 12345678\n"


def test_a_pointer_is_named_with_what_brings_the_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "m.pkl").write_text(LFS)
    (tmp_path / "zero.pkl").write_bytes(b"")
    shown = run("inspect", str(tmp_path / "m.pkl"))
    assert shown.code == 4
    assert shown.out.splitlines()[1] == "Not a model but a git-lfs pointer (`git lfs pull` brings the file)."
    assert "12,345,678 bytes with sha256:4d4d" in shown.out
    assert "invalid load key, 'v'" in shown.out
    rows = {row["path"]: row for row in run("ls", "--json", str(tmp_path)).json}
    assert rows["m.pkl"]["verdict"] == "unsupported"
    assert "git lfs pull" in rows["m.pkl"]["why"]
    assert (rows["zero.pkl"]["verdict"], rows["zero.pkl"]["why"][:20]) == (None, "is empty: its bytes ")
    listed = run("ls", str(tmp_path)).out
    assert "git lfs pull" in listed
    assert "is empty: its bytes never came" in listed
    assert run("inspect", str(tmp_path / "zero.pkl")).out.splitlines()[1] == "It is empty."
    whole = run("inspect", "--json", str(tmp_path))
    assert [one["trust"]["reasons"][0]["code"] for one in whole.json] == ["no-model", "unreadable"]
    (tmp_path / "zero.pkl").unlink()
    assert run("inspect", str(tmp_path)).code == 5
    (tmp_path / "m.pkl").rename(tmp_path / "notes")
    assert run("inspect", str(tmp_path)).code == 0


def test_what_is_cut_off_is_refused_with_what_to_do(run: Run, tmp_path: Path) -> None:
    whole = pickle.dumps([float(number) for number in range(100)])
    (tmp_path / "part.pkl").write_bytes(whole[: len(whole) // 2])
    done = run("predict", str(tmp_path / "part.pkl"))
    assert done.code == 4
    assert "part.pkl is damaged: cut off" in done.err
    assert "hint: copy it again from where it was made, and compare the sizes" in done.err
