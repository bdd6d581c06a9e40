"""Report on the installation: versions, sandbox layers with their evidence, limits, paths, foreign files."""

from __future__ import annotations

import asyncio
import os
import platform
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path

from console import __version__
from console.access.control import AccessControl
from console.config import STORE_DIR, cache_dir, config_dir, state_dir
from console.doctor.fitness import trials
from console.doctor.remedies import next_steps
from console.errors import ConsoleError
from console.files.roots import file_system_of
from console.records import Json, Layer
from console.trust.audit import AUDIT_FILE
from console.trust.policy import Policy
from console.trust.roles import Permission
from console.worker.launcher import Launcher

LIBRARIES = (
    "textual",
    "numpy",
    "scipy",
    "scikit-learn",
    "joblib",
    "h5py",
    "pandas",
    "pyarrow",
    "lz4",
    "hdf5plugin",
    "httptools",
    "skl2onnx",
    "onnxruntime",
    "skops",
    "lightgbm",
    "xgboost-cpu",
    "catboost",
    "torch",
    "transformers",
    "keras",
    "jax",
    "ai-edge-litert",
    "protobuf",
    "cryptography",
    "pyrage",
    "psutil",
    "watchdog",
    "platformdirs",
    "shtab",
    "msgspec",
)
NOT_DENIED: Mapping[str, str] = {
    "names": "whether a path exists, its size, times and owner: Landlock keeps files from being opened, not from stat",
    "machine": "the names of control groups, /proc/stat and /proc/meminfo: what runs here, and how busy it is",
    "code": "mapping a file that can be read as code; making code in memory, for models that name a library which may",
    "memory": "pipes and socket pairs: up to some 400 MiB of the kernel's where no control group counts them",
}
"""What a model can do in the whole sandbox all the same."""
_INOTIFY = Path("/proc/sys/fs/inotify/max_user_watches")


class Doctor:
    """Looks at the machine, the store at `root` and what the console's children are held in."""

    def __init__(self, root: Path, launcher: Launcher, access: AccessControl) -> None:
        self.root = root
        self._launcher = launcher
        self._access = access

    async def examine(self) -> dict[str, Json]:
        """Everything by topic: versions, sandbox layers with their evidence, limits, paths, what this user can write,
        and the policy.

        A sandboxed child is started to hear from it which layers hold, and what it is denied.
        """
        found = await examine(self.root, self._launcher, self._access.why_read_only)
        tried = await asyncio.to_thread(trials, self.root, AUDIT_FILE)
        found["writing"] = {one.name: {"active": one.works, "evidence": one.evidence} for one in tried}
        return {**found, "policy": policy_shown(self._access.policy, self._access.permission)}

    async def remedies(self, layers: Mapping[str, Layer]) -> dict[str, str]:
        """The remedy for each layer that is missing, by its name."""
        return next_steps(layers)


async def examine(root: Path, launcher: Launcher, why_read_only: str) -> dict[str, Json]:
    """All but the policy, by topic."""
    return {
        "versions": versions(),
        "installation": await asyncio.to_thread(installation),
        "machine": {
            "system": f"{platform.system()} {platform.release()} {platform.machine()}",
            "cores": os.cpu_count(),
            "user": os.geteuid(),
            "terminal": os.environ.get("TERM"),
            "inotify_watches": _number(_INOTIFY),
        },
        **await _sandbox(launcher),
        "not_denied": {**NOT_DENIED},
        "limits": {
            "memory_bytes": launcher.limits.memory,
            "open_files": launcher.limits.files,
            "scratch_bytes": launcher.limits.scratch,
            "scratch_files": launcher.limits.scratch_files,
        },
        "store": {
            "path": str(root),
            "own_files": str(root / STORE_DIR),
            "file_system": file_system_of(root),
            "read_only": why_read_only or None,
        },
        "paths": {"config": str(config_dir()), "cache": str(cache_dir()), "state": str(state_dir())},
    }


def policy_shown(policy: Policy, permission: Permission) -> dict[str, Json]:
    """The policy files and whether they count, what is mandatory, and what this user may do."""
    files: dict[str, Json] = {}
    for source in policy.sources:
        ignored = f"not followed for {', '.join(source.ignored)}" if source.ignored else "followed"
        files[source.path] = f"{ignored}; it belongs to {source.owner}" + (
            f": {source.distrusted}" * bool(source.distrusted)
        )
    demands = [
        name for name, wanted in (("signature", policy.require_signature), ("pin", policy.require_pin)) if wanted
    ]
    return {
        "files": files,
        "trusted": [*sorted(policy.trusted)],
        "pins": len(policy.pins),
        "keys": [*policy.keys],
        "required": [*demands],
        "mandatory_layers": [*sorted(policy.mandatory)],
        "role": permission.role.word,
        "role_by": permission.source,
        "groups": {role: list(names) for role, names in permission.groups.items() if names},
    }


def versions() -> dict[str, Json]:
    """The console's own version, Python's, and those of the libraries; None for one that is not installed."""
    found: dict[str, Json] = {
        "model-console": __version__,
        "python": platform.python_version(),
        "executable": sys.executable,
    }
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
    return found


async def _sandbox(launcher: Launcher) -> dict[str, Json]:
    """Topics `sandbox` (layers), `selftest` (what was tried in it) and `next_steps` (layer to what would give it)."""
    try:
        child = await launcher.spawn("worker", label="doctor")
    except ConsoleError as error:
        return {"sandbox": {"error": error.message}, "selftest": {}, "next_steps": {}}
    layers, selftest = child.layers, child.selftest
    await child.end()
    steps: dict[str, Json] = {**next_steps(layers)}
    return {"sandbox": _plain(layers), "selftest": _plain(selftest), "next_steps": steps}


def _plain(layers: Mapping[str, Layer]) -> dict[str, Json]:
    return {name: {"active": layer.active, "evidence": layer.evidence} for name, layer in layers.items()}


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text("ascii"))
    except (OSError, ValueError):
        return None


OURS = ("console", "backends", "sample_models")
_NAME = "model-console"
_WAY_OUT = "install model-console into an environment of its own: uv tool install, pipx install, or a fresh venv"


def installation() -> dict[str, Json]:
    """Where the console's modules lie, whose files lie in them, and what helps where those are others'."""
    found: dict[str, Json] = {"modules": str(Path(__file__).parents[2])}
    others = intruders(metadata.distributions())
    found["foreign_files"] = [*others] or "none"
    if others:
        found["next_step"] = _WAY_OUT
    return found


def intruders(distributions: Iterable[metadata.Distribution]) -> list[str]:
    """`rich-console 1.2 has 14 files in console/`, for each other distribution that was installed into our modules."""
    told = []
    for one in distributions:
        name = one.metadata["Name"] or "a distribution without a name"
        if name.lower().replace("_", "-") == _NAME:
            continue
        counts = Counter(path.parts[0] for path in one.files or () if len(path.parts) > 1 and path.parts[0] in OURS)
        told += [
            f"{name} {one.version} has {count} file{'s' * (count != 1)} in {module}/"
            for module, count in counts.items()
        ]
    return sorted(told)
