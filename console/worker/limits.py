"""Limits and sandbox of a child; sent to it as the first frame, before anything else."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

PACKAGE_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
"""The directory that holds the packages `console` and `backends`."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Resource limits of one child, set with setrlimit before any library is imported.

    `memory` is bytes of private memory (RLIMIT_DATA); the address space as a whole may be `address_factor` times that,
    so that read-only mappings of large files fit. `cpu_seconds` is processor time for one request (0 = no limit);
    `files` open descriptors; `file_size` bytes of one written file; `processes` is for ordinary users only, since the
    kernel ignores it for root, and counts all that the user has. `tasks` is how many processes and threads fit in the
    child's control group, and in its user namespace; `group_extra` are the bytes that group may hold over `memory`,
    for what the kernel counts there and not here. `scratch` bytes and `scratch_files` fit into its scratch directory.
    `handed` bytes are to be written into files in memory that it is given, over what it may hold otherwise.
    """

    memory: int = 8 << 30
    address_factor: int = 4
    cpu_seconds: int = 0
    files: int = 512
    file_size: int = 16 << 30
    processes: int = 4096
    tasks: int = 1024
    group_extra: int = 256 << 20
    scratch: int = 256 << 20
    scratch_files: int = 4096
    handed: int = 0


@dataclass(frozen=True, slots=True)
class SandboxPlan:
    """Which layers are asked for: all of them, but in tests that show what the others hold without one.

    `forks` allows processes of its own, `compiles` code that is made while it runs; `readable`, `writable` add paths.
    """

    descriptors: bool = True
    terminal: bool = True
    limits: bool = True
    cgroup: bool = True
    namespaces: bool = True
    user: bool = True
    no_new_privs: bool = True
    landlock: bool = True
    seccomp: bool = True
    forks: bool = False
    compiles: bool = False
    readable: tuple[str, ...] = ()
    writable: tuple[str, ...] = ()

    def reading(self, *paths: str) -> SandboxPlan:
        """The same plan with more to read."""
        return replace(self, readable=self.readable + paths)
