"""A file whose owner has no number in the user namespace of the console: its message names that owner."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from console import os_errors

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys
from pathlib import Path
from console.errors import ConsoleError
from console.files import opening, snapshot
from console.versions import publish
root = Path(sys.argv[1])
with opening.open_artifact(root, "new") as opened, snapshot.seal(opened) as content:
    with opening.open_artifact(root, "m.pkl") as old:
        replaces = snapshot.digest_of(old)
    try:
        publish.publish(root, "m.pkl", content, publish.Promotion("tester", "a test"), replaces=replaces)
    except ConsoleError as error:
        print(error.message, error.hint, sep="\\n")
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root")
def test_an_owner_without_a_mapping_is_named(tmp_path: Path) -> None:
    apart = ["unshare", "--user", "--map-root-user"]
    if subprocess.run([*apart, "true"], capture_output=True).returncode:
        pytest.skip("no user namespace may be made here")
    for name in ("m.pkl", "new"):
        (tmp_path / name).write_text(name)
    tmp_path.chmod(0o777)
    os.chown(tmp_path / "m.pkl", 1234, 1234)
    done = subprocess.run(
        [*apart, sys.executable, "-c", PROGRAM, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    said = done.stdout.splitlines()
    assert said[0].startswith("m.pkl was not replaced: its owner, uid 65534, and its group, gid 65534, have no mapping")
    assert "namespace" in said[1]
    assert (tmp_path / "m.pkl").read_text() == "m.pkl"


def test_where_every_owner_has_a_mapping_nothing_is_said() -> None:
    assert os_errors.unmapped_owner(os.geteuid(), os.getegid()) == ""
