"""Roles from unix groups: tried as other users, by the groups that the kernel counts them among."""

from __future__ import annotations

import grp
import json
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.trust.policy import Policy
from console.trust.roles import NEEDS, Role, permission, this_user

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs to become somebody else")
HOUSE = Path(__file__).parents[2]
NOBODY = 65534
FIRST, SECOND, THIRD = sorted(grp.getgrall(), key=lambda group: group.gr_gid)[1:4]
MISSING = "no-such-group-here"

ASKING = """
import json, os, sys
from console.trust.policy import Policy
from console.trust.roles import NEEDS, permission, this_user
uid, groups, roles, own, defaults = json.loads(sys.argv[1])
os.setgroups(groups)
os.setgid(uid)
os.setuid(uid)
found = permission(Policy(roles=roles, own_roles=tuple(own)), this_user(), defaults)
print(json.dumps([found.role.word, found.source, {name: found.refusal(name) for name in NEEDS}]))
"""


def asked(
    groups: list[int],
    roles: dict[str, list[str]] | None = None,
    own: list[dict[str, list[str]]] | None = None,
    defaults: dict[str, list[str]] | None = None,
) -> tuple[str, str, dict[str, str | None]]:
    said = json.dumps([NOBODY, groups, roles or {}, own or [], defaults or {"operate": [MISSING]}])
    command = [sys.executable, "-c", f"import sys\nsys.path.insert(0, {str(HOUSE)!r})\n{ASKING}", said]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=HOUSE)
    role, source, refusals = json.loads(done.stdout)
    return role, source, refusals


@AS_ROOT
def test_where_nobody_set_up_groups_the_files_decide() -> None:
    role, source, refusals = asked([])
    assert (role, source) == ("administer", "the permissions of the files")
    assert not any(refusals.values())


@AS_ROOT
@pytest.mark.parametrize(
    ("groups", "role"),
    [
        ([], "view"),
        ([FIRST.gr_gid], "operate"),
        ([SECOND.gr_gid], "administer"),
        ([FIRST.gr_gid, SECOND.gr_gid], "administer"),
        ([THIRD.gr_gid], "view"),
    ],
)
def test_the_policys_groups_give_roles(groups: list[int], role: str) -> None:
    roles = {"operate": [FIRST.gr_name, MISSING], "administer": [SECOND.gr_name]}
    assert asked(groups, roles)[0] == role
    assert asked(groups, None, None, roles)[:2] == (role, "the groups of this machine")


@AS_ROOT
def test_a_group_for_viewing_shuts_everybody_else_out() -> None:
    roles = {"view": [THIRD.gr_name], "operate": [FIRST.gr_name]}
    assert asked([], roles)[0] == "none"
    assert asked([THIRD.gr_gid], roles)[0] == "view"
    assert asked([], None, None, roles)[0] == "view"


@AS_ROOT
def test_what_users_write_themselves_only_takes_away() -> None:
    roles = {"operate": [FIRST.gr_name]}
    everything = {"administer": [THIRD.gr_name]}
    assert asked([FIRST.gr_gid, THIRD.gr_gid], roles, [everything])[0] == "operate"
    assert asked([FIRST.gr_gid], roles, [everything])[0] == "view"
    assert asked([THIRD.gr_gid], None, [everything])[0] == "administer"
    assert asked([], None, [everything])[0] == "view"


@AS_ROOT
def test_a_refusal_names_the_role_and_who_has_it() -> None:
    roles = {"operate": ["modelops-operate"]}
    _role, _source, refusals = asked([], roles)
    assert refusals["look"] is None
    assert refusals["load"] == "nobody may view only: loading needs the role operate (group modelops-operate)"
    assert refusals["accept"] == (
        "nobody may view only: accepting what needs a review needs the role administer (root alone has it)"
    )


AS_OTHERS = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("setpriv") is None, reason="needs root and setpriv to become somebody else"
)


@pytest.fixture
def shared() -> Iterator[Path]:
    """A store of root's that others may read, with roles."""
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        home.chmod(0o755)
        (home / "store" / ".model-console").mkdir(parents=True)
        (home / "store" / "m.pkl").write_bytes(pickle.dumps({"a": 1}))
        policy = home / "store" / ".model-console" / "policy.toml"
        policy.write_text(f"[roles]\noperate = ['{FIRST.gr_name}']\n")
        (home / "own").mkdir()
        os.chown(home / "own", NOBODY, NOBODY)
        yield home


def command(home: Path, groups: list[int], *argv: str) -> subprocess.CompletedProcess[str]:
    """Run a command as nobody, who may here read what root may: the interpreter may lie in root's home."""
    own = {f"XDG_{name}_HOME": str(home / "own") for name in ("CONFIG", "CACHE", "STATE", "DATA")}
    among = ["--groups", ",".join(map(str, groups))] if groups else ["--clear-groups"]
    caps = ["--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search"]
    become = ["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), *among, *caps]
    return subprocess.run(
        [*become, sys.executable, "-m", "console", *argv],
        capture_output=True,
        text=True,
        cwd=home,
        env={**os.environ, **own, "TMPDIR": str(home / "own"), "PYTHONPATH": str(HOUSE)},
    )


@pytest.mark.slow
@AS_OTHERS
@pytest.mark.parametrize(
    "argv",
    [
        ("predict", "--data", "x.csv"),
        ("evaluate",),
        ("probe",),
        ("update", "--yes", "--data", "x.csv"),
        ("rollback",),
        ("convert", "--to", "pickle"),
    ],
)
def test_who_may_only_view_is_refused_by_every_command_that_does_something(shared: Path, argv: tuple[str, ...]) -> None:
    name, *rest = argv
    done = command(shared, [], name, str(shared / "store" / "m.pkl"), *rest, "--json")
    assert done.returncode == 3, done.stderr
    assert "nobody may view only" in done.stderr + done.stdout
    assert f"(group {FIRST.gr_name})" in done.stderr + done.stdout
    assert sorted(os.listdir(shared / "store" / ".model-console")) == ["policy.toml"]
    looked = command(shared, [], "history", str(shared / "store" / "m.pkl"), "--json")
    assert looked.returncode == 0, looked.stderr
    refused = json.loads(command(shared, [], "audit", "show", str(shared / "store"), "--json").stdout)
    assert [entry["result"].partition(":")[0] for entry in refused] == ["refused"]


@AS_OTHERS
def test_who_has_no_role_is_shown_nothing(shared: Path) -> None:
    policy = shared / "store" / ".model-console" / "policy.toml"
    policy.write_text(f"[roles]\nview = ['{FIRST.gr_name}']\n")
    done = command(shared, [], "ls", str(shared / "store"))
    assert done.returncode == 3
    assert "may not use this store" in done.stderr
    assert command(shared, [FIRST.gr_gid], "history", str(shared / "store" / "m.pkl")).returncode == 0


@AS_ROOT
def test_root_may_do_everything() -> None:
    found = permission(Policy(roles={"view": (MISSING,)}), this_user())
    assert found.role is Role.ADMINISTER
    assert all(found.refusal(action) is None for action in NEEDS)
