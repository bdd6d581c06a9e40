"""The operator's own word on what may be loaded: names to trust, contents accepted by hand, what is demanded of all.

It lives in the store's `.model-console/policy.toml` and in the user's configuration directory, never in an artifact:

    trusted = ["churn.features.Ratio"]        # names as `inspect` shows them

    [require]                                 # of whatever is loaded, whatever its verdict
    signature = true                          # a valid signature by one of the keys below
    pin = true                                # an accepted digest

    [signing]
    keys = ["ed25519:MCowBQYDK2VwAyEA…"]      # public keys: 32 bytes in base64

    [sandbox]
    mandatory = ["landlock", "seccomp"]       # layers without which an artifact under review is not loaded

    [roles]                                   # unix groups; see `roles`
    view = ["ml"]
    infer = ["ml-programs"]
    operate = ["ml-oncall"]
    administer = ["ml-admins"]

    [recipes]                                 # in the user's file alone
    interpreters = ["/srv/models/env/bin/python"]   # inside the store, and recipes may name them all the same

    [[pin]]                                   # one accepted content; `load` adds these
    digest = "sha256:…"
    who = "ada"
    when = "2026-05-01T10:00:00+00:00"
    why = "written by our own nightly job"

A store may come from anybody, and its policy with it. What tightens (require, mandatory) counts from every file. What
loosens (trusted, pins, keys, roles) counts from the user's file, and from a store's file that root or the user owns
and that others may not write. Layers below the default ones may be given up by the user's file, or by root's, alone.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from console import os_errors
from console.config import STORE_DIR, config_dir
from console.errors import InputError, OperationError
from console.files.roots import owner_name
from console.sharing import make_own_directory
from console.trust import allow_list
from console.trust.policy_file import DIGEST, POLICY_FILE, Pin, PolicyFile, add_pin, read_policy

DEFAULT_MANDATORY = frozenset(("no_new_privs", "landlock", "seccomp"))
"""What must hold an artifact under review where no policy says otherwise: no new powers, no files, no system calls
beyond what a model needs. Namespaces are left out: many containers and distributions allow none."""


@dataclass(frozen=True, slots=True)
class Source:
    """A policy file that was read. `distrusted` says why what it would loosen does not count; `ignored` names that.

    `own` marks the user's; `digest` changes with every byte of it.
    """

    path: str
    owner: str
    own: bool
    digest: str
    distrusted: str = ""
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """Policy of a store: all policy files, taken together.

    `mandatory` names sandbox layers; `roles` is an administrator's word on groups by role, `own_roles` what the user
    wrote, which can only take away; `interpreters` may lie inside the store. `trusted_in` and `untrusted_in` tell in
    which file a name is trusted, or would be if that file counted.
    """

    trusted: frozenset[str] = frozenset()
    pins: tuple[Pin, ...] = ()
    mandatory: frozenset[str] = DEFAULT_MANDATORY
    require_signature: bool = False
    require_pin: bool = False
    keys: tuple[str, ...] = ()
    roles: dict[str, tuple[str, ...]] = field(default_factory=dict)
    own_roles: tuple[dict[str, tuple[str, ...]], ...] = ()
    interpreters: tuple[str, ...] = ()
    trusted_in: dict[str, str] = field(default_factory=dict)
    untrusted_in: dict[str, str] = field(default_factory=dict)
    sources: tuple[Source, ...] = ()

    def pin(self, digest: str | None) -> Pin | None:
        """The newest pin of this content."""
        return next((pin for pin in reversed(self.pins) if pin.digest == digest), None)

    def fingerprint(self) -> str:
        """Changes whenever a judgement could: with trusted names, pins, or the lists that come with the console."""
        told = [f"{name} {path}" for where in (self.trusted_in, self.untrusted_in) for name, path in where.items()]
        pins = (pin.digest for pin in self.pins)
        return _fingerprint([allow_list.data_fingerprint(), *sorted(self.trusted), *sorted(told), *pins])

    def digest(self, *, own: bool) -> str:
        """Changes with the user's own file, or with the store's; "" where there is none."""
        return next((source.digest for source in self.sources if source.own is own), "")


def policy_files(store: Path, user_dir: Path | None = None) -> tuple[Path, Path]:
    """Where the user's own file and the store's lie."""
    return (user_dir or config_dir()) / POLICY_FILE, store / STORE_DIR / POLICY_FILE


def load_policy(store: Path | None, user_dir: Path | None = None) -> Policy:
    """Read the policy of the store at `store` and the user's own. Raises InputError that names file and key.

    `user_dir` is where the user's file lies (default: the configuration directory).
    """
    mine = _user_file((user_dir or config_dir()) / POLICY_FILE)
    theirs = read_policy(store / STORE_DIR / POLICY_FILE) if store is not None else None
    files = [file for file in (mine, theirs) if file is not None]
    distrusted = "" if theirs is None else _why_distrusted(theirs)
    counted = [file for file in files if file is mine or not distrusted]
    rest = [file for file in files if file not in counted]
    by_root = theirs is not None and not distrusted and theirs.owner == 0
    return Policy(
        trusted=frozenset().union(*(file.trusted for file in counted)),
        pins=tuple(pin for file in counted for pin in file.pin),
        mandatory=_mandatory(mine, theirs, by_root=by_root),
        require_signature=any(file.require.signature for file in files),
        require_pin=any(file.require.pin for file in files),
        keys=tuple(dict.fromkeys(key for file in counted for key in file.signing.keys)),
        roles=theirs.groups if theirs is not None and by_root else {},
        own_roles=tuple(file.groups for file in counted if file.groups and not (file is theirs and by_root)),
        interpreters=tuple(map(os.path.normpath, mine.recipes.interpreters)) if mine is not None else (),
        trusted_in={name: str(file.path) for file in counted for name in file.trusted},
        untrusted_in={name: str(file.path) for file in rest for name in file.trusted},
        sources=tuple(_source(file, "" if file is mine else distrusted, own=file is mine) for file in files),
    )


def accept(store: Path, *, digest: str, who: str, why: str, artifact: str = "", user_dir: Path | None = None) -> Pin:
    """Record that `who` accepts this content, atomically and durably. Raises OperationError, InputError.

    It goes into the store's policy where that is the user's to write or there is none, else into the user's own file:
    replacing a file would change its owner, and with it whose word it is for everybody else.
    """
    if not DIGEST.fullmatch(digest):
        raise InputError(f"'{digest}' is no digest: it reads sha256: and 64 hexadecimal digits")
    pin = Pin(digest, _line(who), datetime.now(UTC).isoformat(timespec="seconds"), _line(why), _line(artifact))
    path = store / STORE_DIR / POLICY_FILE
    theirs = read_policy(path)
    own = theirs is not None and (theirs.owner != os.geteuid() or bool(_why_distrusted(theirs)))
    if own:
        path = (user_dir or config_dir()) / POLICY_FILE
    try:
        if own:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        else:
            make_own_directory(store, STORE_DIR)
        add_pin(path, pin, links=own)
    except OSError as error:
        raise OperationError(
            f"cannot record the acceptance in {path}: {os_errors.why(error)}", hint=os_errors.hint(error)
        ) from None
    return pin


def _user_file(path: Path) -> PolicyFile | None:
    """The user's own file; one that anybody may write is no word of theirs."""
    found = read_policy(path, links=True)
    if found is not None and found.mode & stat.S_IWOTH:
        raise InputError(f"anybody may write the policy {path}, so it is not followed", hint=f"chmod o-w {path}")
    return found


def _why_distrusted(file: PolicyFile) -> str:
    """Why a store's file may not loosen anything, as a sentence; "" where it may."""
    if file.owner not in (0, os.geteuid()):
        return f"it belongs to {owner_name(file.owner)}, who is neither root nor you"
    return "anybody may write it" if file.mode & stat.S_IWOTH else ""


def _mandatory(mine: PolicyFile | None, theirs: PolicyFile | None, *, by_root: bool) -> frozenset[str]:
    """The default layers, unless the user or root says others; a store's other files only add to them."""
    deciding = [file.sandbox.mandatory for file in (mine, theirs if by_root else None) if file]
    named = [layers for layers in deciding if layers is not None]
    added = (theirs.sandbox.mandatory if theirs is not None else None) or frozenset()
    return (frozenset[str]().union(*named) if named else DEFAULT_MANDATORY) | added


def _source(file: PolicyFile, distrusted: str, *, own: bool) -> Source:
    """The file with the keys it sets and that do not count."""
    loosens = {
        "trusted": file.trusted,
        "pin": file.pin,
        "signing.keys": file.signing.keys,
        "roles": file.groups,
    }
    ignored = [key for key, value in loosens.items() if value and distrusted]
    if file.recipes.interpreters and not own:
        ignored.append("recipes.interpreters")
    digest = _fingerprint([file.text])
    return Source(str(file.path), owner_name(file.owner), own, digest, distrusted, tuple(ignored))


def _fingerprint(parts: list[str]) -> str:
    return sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _line(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8").strip()
