"""What a child may use and reach; sent to it as the first frame, before anything else."""

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
    kernel ignores it for root.
    """

    memory: int = 8 << 30
    address_factor: int = 4
    cpu_seconds: int = 0
    files: int = 512
    file_size: int = 16 << 30
    processes: int = 4096


@dataclass(frozen=True, slots=True)
class SandboxPlan:
    """Which layers are asked for. `forks` allows processes of its own; `readable` and `writable` add paths."""

    landlock: bool = True
    seccomp: bool = True
    namespaces: bool = True
    forks: bool = False
    readable: tuple[str, ...] = ()
    writable: tuple[str, ...] = ()

    def reading(self, *paths: str) -> SandboxPlan:
        """The same plan with more to read."""
        return replace(self, readable=self.readable + paths)
