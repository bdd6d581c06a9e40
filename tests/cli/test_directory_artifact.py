"""A directory of shards on the command line: one artifact with a verdict, facts and a digest, and none that answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.running import Run
from tests.safetensors_files import INDEX, packed, shard, write_shards


@pytest.fixture
def llm(tmp_path: Path) -> Path:
    write_shards(tmp_path / "models" / "llm", {"a": ("F32", [4])}, {"b": ("BF16", [2])})
    return tmp_path / "models" / "llm"


def test_it_is_listed_and_inspected_as_one(run: Run, llm: Path) -> None:
    (listed,) = run("ls", "--json", str(llm.parent)).json
    assert (listed["path"], listed["format"], listed["verdict"]) == ("llm", "safetensors", "safe")
    done = run("inspect", "--json", "--digest", str(llm))
    assert done.code == 0
    assert done.json["n_weights"] == 6
    assert done.json["details"]["shards"] == 2
    assert done.json["digest"].startswith("sha256:")
    assert ": 1 safe\n1 file holds no model\n" in run("inspect", str(llm.parent)).err
    assert "in 3 files" in run("inspect", str(llm)).out


def test_what_is_wrong_with_a_member_is_said_of_the_whole(run: Run, llm: Path) -> None:
    (llm / shard(2, 2)).write_bytes(packed({"c": ("BF16", [2])}))
    done = run("inspect", str(llm))
    assert done.code == 4
    assert f"{shard(2, 2)} holds tensor 'c', which {INDEX} does not name" in done.out
    (llm / shard(2, 2)).unlink()
    (llm / shard(2, 2)).symlink_to("elsewhere")
    assert f"it holds {shard(2, 2)}, which is a symbolic link" in run("inspect", str(llm)).out


def test_it_is_not_loaded_and_what_to_do_is_said(run: Run, llm: Path, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("x\n1\n")
    done = run("predict", str(llm), "--data", str(tmp_path / "rows.csv"))
    assert done.code == 4
    assert "not the program that computes with them: export the model to ONNX" in done.err


def test_it_is_signed_as_one(run: Run, llm: Path, tmp_path: Path) -> None:
    key, digest = str(tmp_path / "key"), run("inspect", str(llm), "--digest", "--json").json["digest"]
    public = run("keygen", key).out.strip()
    for place in (llm.parent, llm):
        assert run("sign", str(place), "--key", key, "--json").json["signed"] == [{"path": "llm", "digest": digest}]
    (verified,) = run("verify", str(llm), "--key", public, "--json").json
    assert (verified["digest"], verified["state"]) == (digest, "signed")


def test_it_is_not_sealed_and_what_to_do_is_said(run: Run, llm: Path) -> None:
    recipient = run("keygen", "--age", str(llm.parent / "id")).out.strip()
    done = run("seal", str(llm), "--to", recipient)
    assert done.code == 4
    assert "llm is a directory, and only a file is sealed" in done.err
    assert "hint: pack it into one file (tar)" in done.err


def test_a_single_file_says_the_same(run: Run, llm: Path, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("x\n1\n")
    done = run("predict", str(llm / shard(1, 2)), "--data", str(tmp_path / "rows.csv"))
    assert done.code == 4
    assert "not the program that computes with them: export the model to ONNX" in done.err
