"""On what kind of file system a path lies, from /proc/self/mountinfo (proc(5))."""

from __future__ import annotations

import os
import re
from pathlib import Path

_REMOTE = frozenset("nfs nfs4 cifs smb3 smbfs 9p afs ceph glusterfs lustre beegfs gpfs ocfs2 gfs2 virtiofs".split())  # noqa: SIM905


def file_system_of(path: Path, table: str | None = None) -> str:
    """The type of the file system that holds `path` ("ext4", "nfs4", "fuse.sshfs"); "" where it cannot be told."""
    if table is None:
        try:
            table = Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape")
        except OSError:
            return ""
    where = os.path.realpath(path)
    best, found = -1, ""
    for line in table.splitlines():
        before, _, after = line.partition(" - ")
        fields, kind = before.split(" "), after.split(" ")
        if len(fields) < 5:
            continue
        mounted = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match.group(1), 8)), fields[4])
        inside = where == mounted or where.startswith(mounted.rstrip("/") + "/")
        if inside and len(mounted) >= best:
            best, found = len(mounted), kind[0]
    return found


def is_remote(kind: str) -> bool:
    """Whether files may change there without this kernel telling of it."""
    return kind in _REMOTE or kind == "fuse" or kind.startswith("fuse.")
