"""Roles: view < operate < administer, by unix groups, with the operating system as the authority.

The groups are those that the policy names, else `modelops-view`, `modelops-operate` and `modelops-admin` where this
machine has any of them; where nobody set up groups, file permissions alone decide. The console's check is a courtesy:
it says in words, before anything is done, what the owner of the files has decided.
"""

from __future__ import annotations

import grp
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum

from console.files.roots import user_name
from console.trust.policy import Policy

Groups = Mapping[str, tuple[str, ...]]


class Role(IntEnum):
    """Roles of a user, each including those before."""

    NONE = 0
    VIEW = 1
    OPERATE = 2
    ADMINISTER = 3

    @property
    def word(self) -> str:
        """As policy, screens and messages name it."""
        return self.name.lower()


DEFAULT_GROUPS: Groups = {
    "view": ("modelops-view",),
    "operate": ("modelops-operate",),
    "administer": ("modelops-admin",),
}

NEEDS: Mapping[str, tuple[Role, str]] = {
    "look": (Role.VIEW, "looking"),
    "infer": (Role.OPERATE, "asking a model in service"),
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
    "accept": (Role.ADMINISTER, "accepting what needs a review"),
    "sign": (Role.ADMINISTER, "signing"),
    "seal": (Role.ADMINISTER, "sealing"),
    "unseal": (Role.ADMINISTER, "unsealing"),
}
"""What each action takes, and how it is called in a refusal."""

_CAN = {
    Role.NONE: "may not use this store",
    Role.VIEW: "may view only",
    Role.OPERATE: "may view and operate",
    Role.ADMINISTER: "may do everything",
}


@dataclass(frozen=True, slots=True)
class Permission:
    """The role of this process's user. `groups` are those that would give each role, `source` who says so."""

    role: Role
    user: str
    groups: Groups
    source: str

    def refusal(self, action: str) -> str | None:
        """Why an action is not this user's, as a sentence; None where it is."""
        needed, doing = NEEDS[action]
        if self.role >= needed:
            return None
        named = self.groups.get(needed.word, ())
        who = f"group {' or '.join(named)}" if named else "root alone has it"
        return f"{self.user} {_CAN[self.role]}: {doing} needs the role {needed.word} ({who})"


def permission(policy: Policy, defaults: Groups = DEFAULT_GROUPS) -> Permission:
    """The role of this process's user, from the groups that the kernel counts it among.

    An administrator's word (root's policy file, or the default groups) decides; what users wrote themselves can only
    take away. A role that no group is named for is nobody's but root's; to view takes none, unless one is named.
    """
    user = user_name()
    if policy.roles:
        groups, source = policy.roles, "the policy"
    elif group_ids(name for names in defaults.values() for name in names):
        groups, source = {**defaults, "view": ()}, "the groups of this machine"
    else:
        groups, source = {}, "the permissions of the files"
    if os.geteuid() == 0:
        return Permission(Role.ADMINISTER, user, groups, "root")
    role = _role(groups) if groups else Role.ADMINISTER
    for own in policy.own_roles:
        if _role(own) < role:
            role, groups, source = _role(own), own, "the policy"
    return Permission(role, user, groups, source)


def _role(groups: Groups) -> Role:
    mine = {os.getegid(), *os.getgroups()}
    for role in (Role.ADMINISTER, Role.OPERATE, Role.VIEW):
        if mine & group_ids(groups.get(role.word, ())):
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
