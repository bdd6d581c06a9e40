"""Runs publish, rollback, recover, seal or settle in forked processes that a tracer is attached to before they begin.

One JSON request a line on stdin: {"root", "path", "action", "content", "replaces", "audit"}. Answers the pid, waits
for any line, lets the process go, answers how it ended.
"""

import contextlib
import json
import os
import sys
import traceback
from pathlib import Path

from console.errors import ConsoleError
from console.files import opening, snapshot
from console.trust.audit import Audit
from console.versions import publish, recovery
from console.versions.remove import remove_for


def act(request: dict[str, str]) -> None:
    """Do it, as an update does: with a record before and behind where `audit` names the home of its mirror."""
    if request.get("audit"):
        os.environ["XDG_STATE_HOME"] = request["audit"]
        Audit(Path(request["root"])).append(request["action"], artifact=request["path"], result="intent")
    change(request)
    if request.get("audit"):
        Audit(Path(request["root"])).append(request["action"], artifact=request["path"], result="done")


def change(request: dict[str, str]) -> None:
    root = Path(request["root"])
    promotion = publish.Promotion("tester", "a test")
    if request["action"] == "recover":
        recovery.recover(root)
    elif request["action"] == "settle":
        recovery.settle(root)
    elif request["action"] == "seal":
        seal(root, request["path"], Path(request["content"]), promotion)
    elif request["action"] == "rollback":
        publish.rollback(root, request["path"], int(request["content"]), promotion)
    else:
        source = Path(request["content"])
        with opening.open_artifact(source.parent, source.name) as opened, snapshot.seal(opened) as content:
            publish.publish(root, request["path"], content, promotion, replaces=request["replaces"] or None)


def seal(root: Path, path: str, source: Path, promotion: publish.Promotion) -> None:
    """As a command does it: the sealed file by publish, then the open one removed."""
    with (
        opening.open_artifact(root, path) as opened,
        opening.open_artifact(source.parent, source.name) as other,
        snapshot.seal(other) as content,
    ):
        target = f"{path}.age"

        def write() -> None:
            publish.publish(root, target, content, promotion, replaces=None)

        remove_for(root, opened, root / target, content.digest or "", write)


def child(request: dict[str, str], gate: int) -> int:
    os.read(gate, 1)
    try:
        act(request)
    except ConsoleError as error:
        with contextlib.suppress(OSError):
            print(json.dumps({"error": type(error).__name__, "message": error.message}), flush=True)
        return 3
    except BaseException:
        traceback.print_exc()
        return 4
    return 0


for line in sys.stdin:
    ready, go = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(go)
        os._exit(child(json.loads(line), ready))
    os.close(ready)
    print(pid, flush=True)
    sys.stdin.readline()
    os.write(go, b".")
    os.close(go)
    print(json.dumps({"status": os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}), flush=True)
