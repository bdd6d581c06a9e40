"""Options of an engine that serves a store, as its command line names them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """Where an engine listens, and for whom.

    `http` and `metrics` are addresses as HOST:PORT ("" = none), `socket` the path of the unix socket ("" = its place in
    the runtime directory), `group` the one whose members may attach. `certificate` and `key` are files in PEM. With
    `anonymous` whoever has no token may ask, from wherever.
    """

    http: str = ""
    metrics: str = ""
    socket: str = ""
    group: str = ""
    certificate: str = ""
    key: str = ""
    anonymous: bool = False
    read_only: bool = False
