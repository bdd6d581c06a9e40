"""Users and groups by the names that the system knows them under."""

from __future__ import annotations

import grp
import os
import pwd


def name_of_user(uid: int) -> str:
    """The login name of a user, or its number where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def own_groups() -> frozenset[int]:
    """The groups that the kernel counts this process among: what file permissions are judged by."""
    return frozenset((os.getegid(), *os.getgroups()))


def group_ids(names: tuple[str, ...]) -> frozenset[int]:
    """The numbers of those groups that this machine knows."""
    found = set()
    for name in names:
        try:
            found.add(grp.getgrnam(name).gr_gid)
        except KeyError:
            continue
    return frozenset(found)
