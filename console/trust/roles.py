"""Roles: view < infer < operate < administer, by unix groups, with the operating system as the authority.

The groups are those that root's policy names, else `modelops-view`, `modelops-infer`, `modelops-operate` and
`modelops-admin` where this machine has any of them. What decides about a caller, in this order:

1. root may do everything;
2. where an administrator set up groups, the highest role that one of the caller's groups gives; who is in none of them
   may view, unless a group is named for that;
3. where nobody did, the user that the engine runs as may do everything: the permissions of the files decide, and the
   console's check is a courtesy that says it in words beforehand;
4. another user who is attached to the engine has none of its rights by that: they may view, and what else the engine's
   user gives to groups in a policy of their own;
5. what users wrote themselves can otherwise only take away;
6. a bearer of a token has the token's role, and who asks over HTTP without one may infer.
"""

from __future__ import annotations

import grp
import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum

from console.files.roots import user_name
from console.trust.policy import Policy

Groups = Mapping[str, tuple[str, ...]]


class Role(IntEnum):
    """Roles of a user, each including those before."""

    NONE = 0
    VIEW = 1
    INFER = 2
    OPERATE = 3
    ADMINISTER = 4

    @property
    def word(self) -> str:
        """As policy, screens and messages name it."""
        return self.name.lower()


DEFAULT_GROUPS: Groups = {
    "view": ("modelops-view",),
    "infer": ("modelops-infer",),
    "operate": ("modelops-operate",),
    "administer": ("modelops-admin",),
}

NEEDS: Mapping[str, tuple[Role, str]] = {
    "look": (Role.VIEW, "looking"),
    "infer": (Role.INFER, "asking a model in service"),
    "load": (Role.OPERATE, "loading"),
    "unload": (Role.OPERATE, "unloading"),
    "reload": (Role.OPERATE, "reloading"),
    "predict": (Role.OPERATE, "predicting"),
    "probe": (Role.OPERATE, "probing"),
    "evaluate": (Role.OPERATE, "evaluating"),
    "recipe": (Role.OPERATE, "writing a recipe"),
    "accelerate": (Role.OPERATE, "accelerating"),
    "convert": (Role.OPERATE, "converting"),
    "update": (Role.OPERATE, "updating"),
    "promote": (Role.OPERATE, "promoting"),
    "discard": (Role.OPERATE, "discarding a candidate"),
    "rollback": (Role.OPERATE, "rolling back"),
    "tokens": (Role.OPERATE, "listing tokens"),
    "accept": (Role.ADMINISTER, "accepting what needs a review"),
    "sign": (Role.ADMINISTER, "signing"),
    "seal": (Role.ADMINISTER, "sealing"),
    "unseal": (Role.ADMINISTER, "unsealing"),
    "token": (Role.ADMINISTER, "making or revoking a token"),
}
"""What each action takes, and how it is called in a refusal."""

_CAN = {
    Role.NONE: "may not use this store",
    Role.VIEW: "may view only",
    Role.INFER: "may view and ask models in service",
    Role.OPERATE: "may view and operate",
    Role.ADMINISTER: "may do everything",
}


@dataclass(frozen=True, slots=True)
class Caller:
    """A user of this machine who is to have a role. `guest_of` names the user that the engine runs as where that is
    another one, "" where the caller is that user."""

    name: str
    uid: int
    groups: frozenset[int] = frozenset()
    guest_of: str = ""


@dataclass(frozen=True, slots=True)
class Permission:
    """The role of a caller. `groups` are those that would give each role, `source` who says so; `alone` is who has a
    role that no group gives."""

    role: Role
    user: str
    groups: Groups
    source: str
    alone: str = "root alone has it"

    def refusal(self, action: str) -> str | None:
        """Why an action is not this caller's, as a sentence; None where it is."""
        needed, doing = NEEDS[action]
        if self.role >= needed:
            return None
        named = self.groups.get(needed.word, ())
        who = f"group {' or '.join(named)}" if named else self.alone
        return f"{self.user} {_CAN[self.role]}: {doing} needs the role {needed.word} ({who})"


def this_user() -> Caller:
    """The user of this process, with the groups that the kernel counts it among."""
    return Caller(user_name(), os.geteuid(), frozenset((os.getegid(), *os.getgroups())))


def permission(policy: Policy, caller: Caller, defaults: Groups = DEFAULT_GROUPS) -> Permission:
    """The role of a caller by the rules above. A role that no group is named for is nobody's but root's."""
    if policy.roles:
        groups, source = policy.roles, "the policy"
    elif group_ids(name for names in defaults.values() for name in names):
        groups, source = {**defaults, "view": ()}, "the groups of this machine"
    else:
        groups, source = {}, "the permissions of the files"
    if caller.uid == 0:
        return Permission(Role.ADMINISTER, caller.name, groups, "root")
    if caller.guest_of and not groups:
        return _guest(policy, caller)
    role = _role(groups, caller.groups) if groups else Role.ADMINISTER
    for own in policy.own_roles:
        if _role(own, caller.groups) < role:
            role, groups, source = _role(own, caller.groups), own, "the policy"
    return Permission(role, caller.name, groups, source)


def bearer_permission(name: str, role: str) -> Permission:
    """The permission of whoever asks over HTTP. Raises KeyError for a role that there is not."""
    return Permission(Role[role.upper()], name, {}, "its token", "a token that has it")


def _guest(policy: Policy, caller: Caller) -> Permission:
    """The permission of another user than the engine's where no administrator set up groups."""
    alone = f"{caller.guest_of}, whose engine it is, and root alone have it"
    if not policy.own_roles:
        return Permission(Role.VIEW, caller.name, {}, "no groups are set up", alone)
    least = min(policy.own_roles, key=lambda own: _role(own, caller.groups))
    return Permission(_role(least, caller.groups), caller.name, least, "the policy", alone)


def _role(groups: Groups, mine: Collection[int]) -> Role:
    for role in (Role.ADMINISTER, Role.OPERATE, Role.INFER, Role.VIEW):
        if not group_ids(groups.get(role.word, ())).isdisjoint(mine):
            return role
    return Role.NONE if groups.get("view") else Role.VIEW


def group_ids(names: Iterable[str]) -> frozenset[int]:
    """The numbers of those groups that this machine knows."""
    found = set()
    for name in names:
        try:
            found.add(grp.getgrnam(name).gr_gid)
        except KeyError:
            continue
    return frozenset(found)
