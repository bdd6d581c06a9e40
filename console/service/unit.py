"""A systemd unit that runs an engine, hardened as far as the sandboxes of its workers let it be."""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path

import console
from console.files.roots import owner_name
from console.records.service import ServeOptions
from console.safe_text import safe

_WATCHDOG_S = 30
_END_S = 15
"""Seconds for the end of workers, beside those in which requests are finished."""
_TEMPORARY = ("/tmp/", "/var/tmp/")

_UNIT = """\
[Unit]
Description=Model server of {store}
After=network.target local-fs.target
RequiresMountsFor={mount}

[Service]
Type=notify
NotifyAccess=main
ExecStart={command}
ExecReload=/bin/kill -HUP $MAINPID
{identity}Restart=on-failure
RestartSec=1
WatchdogSec={watchdog}
# Models are loaded before it is ready, each within its own deadline.
TimeoutStartSec=infinity
TimeoutStopSec={stop}
KillMode=mixed
RuntimeDirectory=model-console
RuntimeDirectoryMode=0750
RuntimeDirectoryPreserve=yes
StateDirectory=model-console
CacheDirectory=model-console
Environment=XDG_STATE_HOME=%S XDG_CACHE_HOME=%C
LimitNOFILE=65536
# Each worker has a control group, namespaces, Landlock and a filter of system calls of its own: its group has to be
# made here, and nothing below may forbid the calls that build them.
Delegate=yes
NoNewPrivileges=yes
ProtectSystem=strict
ReadWritePaths={writes}
ProtectHome=read-only
PrivateTmp={tmp}
ProtectKernelModules=yes
ProtectKernelLogs=yes
RestrictRealtime=yes
UMask=0027

[Install]
WantedBy=multi-user.target
"""


def unit_text(root: Path, options: ServeOptions, *, drain_s: float) -> str:
    """The unit of an engine that serves the store at `root` so, for this user and this interpreter."""
    store, source = os.path.abspath(root), Path(console.__file__).parents[1]
    identity = "" if os.geteuid() == 0 else f"User={_text(owner_name(os.geteuid()))}\n"
    if os.fspath(source) not in (sysconfig.get_path("purelib"), sysconfig.get_path("platlib")):
        identity += f"WorkingDirectory={_text(os.fspath(source))}\n"
    return _UNIT.format(
        store=_text(safe(store)),
        mount=quoted(store),
        command=" ".join(quoted(word, command=True) for word in command(store, options)),
        identity=identity,
        watchdog=_WATCHDOG_S,
        stop=round(drain_s) + _END_S,
        tmp="no" if store.startswith(_TEMPORARY) else "yes",
        writes=" ".join(map(quoted, _written(store, options))),
    )


def command(store: str, options: ServeOptions) -> list[str]:
    """The words that start such an engine."""
    named = {
        "--http": options.http,
        "--metrics": options.metrics,
        "--socket": options.socket and os.path.abspath(options.socket),
        "--group": options.group,
        "--tls-cert": options.certificate and os.path.abspath(options.certificate),
        "--tls-key": options.key and os.path.abspath(options.key),
    }
    words = [sys.executable, "-m", "console", "serve", store]
    words += [word for name, value in named.items() if value for word in (name, value)]
    flags = {"--no-http": not options.http, "--anonymous": options.anonymous, "--read-only": options.read_only}
    return words + [name for name, given in flags.items() if given]


def quoted(word: str, *, command: bool = False) -> str:
    """A word as systemd.syntax(7) reads it again; in a command variables are named by a $ as well."""
    text = _text(word.replace("\\", "\\\\").replace('"', '\\"'))
    return f'"{text.replace("$", "$$") if command else text}"'


def _text(value: str) -> str:
    """Text in a unit: specifiers begin with %, and what is no plain sign is written as its bytes."""
    signs = (sign if sign.isprintable() else "".join(f"\\x{byte:02x}" for byte in os.fsencode(sign)) for sign in value)
    return "".join(signs).replace("%", "%%")


def _written(store: str, options: ServeOptions) -> list[str]:
    """Directories beside its own in which an engine writes."""
    return [store, *([os.path.dirname(os.path.abspath(options.socket))] if options.socket else [])]
