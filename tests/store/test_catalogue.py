"""Entries of the catalogue of hostile inputs that other tests of the store do not try; names start with the number."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.store.conftest import PROJECT, needs_strace

PUBLISH = """
import sys
from pathlib import Path
from console.files import opening, snapshot
from console.versions import publish
root, new = Path(sys.argv[1]), Path(sys.argv[2])
with opening.open_artifact(new.parent, new.name) as opened, snapshot.seal(opened) as content:
    publish.publish(root, "m.pkl", content, publish.Promotion("tester", "a test"), replaces=sys.argv[3])
"""


@needs_strace
def test_146_everything_is_on_disk_before_it_is_called_done(tmp_path: Path) -> None:
    """A power cut may take whatever was not yet fsynced: file before name, name and history before the word."""
    store, new, log = tmp_path / "store", tmp_path / "new.pkl", tmp_path / "log"
    store.mkdir()
    (store / "m.pkl").write_bytes(b"one")
    new.write_bytes(b"two")
    replaces = f"sha256:{hashlib.sha256(b'one').hexdigest()}"
    calls = "trace=fsync,fdatasync,renameat2,renameat,write"
    command = [
        "strace",
        "-y",
        "-o",
        str(log),
        "-e",
        calls,
        sys.executable,
        "-c",
        PUBLISH,
        str(store),
        str(new),
        replaces,
    ]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if "attach" in ended.stderr or "ptrace" in ended.stderr:
        pytest.skip(f"strace cannot trace here: {ended.stderr.strip()}")
    assert ended.returncode == 0, ended.stderr
    assert (store / "m.pkl").read_bytes() == b"two"
    done = [re.match(r"(\w+)\(\d+<([^>]*)>", line) for line in log.read_text().splitlines()]
    steps = [(match.group(1), match.group(2).removeprefix(str(store))) for match in done if match]
    swap = next(at for at, (call, _) in enumerate(steps) if call == "renameat2")
    before, after = steps[:swap], steps[swap + 1 :]
    temporary = next(path for call, path in before if call == "write" and path.endswith(".tmp"))
    assert ("fsync", temporary) in before
    journal = "/.model-console/journal.jsonl"
    assert before[-1] == ("fsync", journal)
    said = after.index(("write", journal))
    assert ("fsync", "") in after[:said], "the directory of the artifact"
    kept = next(path for call, path in after if call == "renameat")
    assert ("fsync", kept) in after[:said], "the directory of the version that was replaced"
    assert after[said + 1] == ("fsync", journal)
