"""The role of whoever asks: users with their groups, guests of an engine, bearers of tokens; and who it was."""

from __future__ import annotations

import asyncio
import grp
import os
from contextlib import nullcontext
from pathlib import Path

import pytest

from console.access.actor import Actor, acting, acting_as
from console.access.control import AccessControl
from console.errors import AccessDeniedError
from console.events import Bus
from console.records import Principal
from console.trust.policy import Policy
from console.trust.roles import NEEDS, Caller, Role, permission

FIRST, SECOND, THIRD = sorted(grp.getgrall(), key=lambda group: group.gr_gid)[1:4]
NO_GROUPS = {"operate": ("no-such-group-here",)}
ADA = Caller("ada", 1000)
OPERATING: dict[str, tuple[str, ...]] = {"operate": (FIRST.gr_name,), "infer": (SECOND.gr_name,)}


def guest(*groups: int) -> Caller:
    return Caller("bob", 1001, frozenset(groups), guest_of="ada")


def role(caller: Caller, policy: Policy | None = None) -> Role:
    return permission(policy or Policy(), caller, NO_GROUPS).role


def test_another_user_gets_nothing_of_the_engines_rights() -> None:
    assert role(ADA) is Role.ADMINISTER
    found = permission(Policy(), guest(FIRST.gr_gid), NO_GROUPS)
    assert (found.role, found.source) == (Role.VIEW, "no groups are set up")
    assert found.refusal("look") is None
    assert found.refusal("load") == (
        "bob may view only: loading needs the role operate (ada, whose engine it is, and root alone have it)"
    )
    assert role(Caller("root", 0, guest_of="ada")) is Role.ADMINISTER


def test_the_engines_user_may_give_their_rights_to_groups() -> None:
    policy = Policy(own_roles=(OPERATING,))
    assert role(guest(FIRST.gr_gid), policy) is Role.OPERATE
    assert role(guest(SECOND.gr_gid), policy) is Role.INFER
    assert role(guest(), policy) is Role.VIEW
    twice = Policy(own_roles=(OPERATING, {"operate": (THIRD.gr_name,)}))
    assert role(guest(FIRST.gr_gid), twice) is Role.VIEW
    assert role(guest(FIRST.gr_gid, THIRD.gr_gid), twice) is Role.OPERATE
    assert role(guest(), Policy(own_roles=({"view": (FIRST.gr_name,)},))) is Role.NONE


def test_an_administrators_groups_hold_for_guests_as_for_everybody() -> None:
    policy = Policy(roles=OPERATING)
    for one in (guest, lambda *groups: Caller("ada", 1000, frozenset(groups))):
        assert role(one(FIRST.gr_gid), policy) is Role.OPERATE
        assert role(one(SECOND.gr_gid), policy) is Role.INFER
        assert role(one(THIRD.gr_gid), policy) is Role.VIEW
    both = Policy(roles=OPERATING, own_roles=({"administer": (FIRST.gr_name,)},))
    assert role(guest(FIRST.gr_gid), both) is Role.OPERATE
    assert role(guest(), both) is Role.VIEW


def test_to_infer_lies_between_viewing_and_operating() -> None:
    found = permission(Policy(roles=OPERATING), guest(SECOND.gr_gid), NO_GROUPS)
    assert {action for action in NEEDS if found.refusal(action) is None} == {"look", "infer"}
    assert found.refusal("unload") == (
        f"bob may view and ask models in service: unloading needs the role operate (group {FIRST.gr_name})"
    )


# in an engine


@pytest.fixture
def book(tmp_path: Path) -> AccessControl:
    return AccessControl(tmp_path, Bus())


BOB = Actor("bob", 4321, frozenset((FIRST.gr_gid,)))
MINE = Actor("me", os.geteuid())


def bearer(role: str, *models: str) -> Actor:
    return Actor("ci", -1, principal=Principal("ci", role, models))


def write_policy(root: Path, roles: str) -> None:
    (root / ".model-console").mkdir(exist_ok=True)
    (root / ".model-console" / "policy.toml").write_text(f"[roles]\n{roles}\n")


async def test_the_role_is_that_of_whoever_asks(book: AccessControl) -> None:
    assert book.role == "administer"
    for actor, word in (
        (BOB, "view"),
        (MINE, "administer"),
        (bearer("infer"), "infer"),
        (bearer("operate"), "operate"),
    ):
        with acting_as(actor):
            assert book.role == word
            assert await asyncio.create_task(_role_in_a_task(book)) == word
            assert ("load" in book.refusals()) == (word in ("view", "infer"))
    assert book.role == "administer"


async def _role_in_a_task(book: AccessControl) -> str:
    await asyncio.to_thread(lambda: None)
    return book.role


async def test_a_permission_is_made_once_and_anew_when_the_policy_changes(
    book: AccessControl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    def counted(policy: Policy, caller: Caller) -> object:
        made.append(caller.name)
        return permission(policy, caller)

    monkeypatch.setattr("console.access.control.permission", counted)
    with acting_as(BOB):
        assert [book.role for _ in range(100)] == ["view"] * 100
        assert made == ["bob"]
        write_policy(tmp_path, f"operate = ['{FIRST.gr_name}']")
        await book.refresh()
        assert book.role == "operate"
    for number in range(10_000):
        with acting_as(Actor(f"user {number}", number + 1)):
            book.refusal("look")
    assert len(book._permissions) <= 4096


async def test_who_did_it_is_whoever_asked(book: AccessControl) -> None:
    for actor, who in ((BOB, "bob"), (bearer("operate"), "token ci"), (None, book.who)):
        with acting_as(actor):
            assert book.who == who
            await book.record("load", "a.pkl", None, "loaded")
        assert book.entries()[-1].who["user"] == who
    first, second, own = (entry.who for entry in book.entries())
    assert (first["uid"], first["login"]) == (4321, None)
    assert (second["uid"], second["role"]) == (None, "operate")
    assert own["uid"] == os.geteuid()
    assert book.verify().ok


async def test_what_the_engine_finds_by_itself_is_its_own_record(book: AccessControl, tmp_path: Path) -> None:
    (tmp_path / ".model-console").mkdir()
    write_policy(tmp_path, "operate = ['ml']")
    with acting_as(BOB):
        await book.refresh()
        await book.refresh()
    (entry,) = book.entries()
    assert (entry.action, entry.who["uid"]) == ("policy", os.geteuid())


async def test_a_refusal_is_theirs_who_asked_and_a_flood_of_them_two_lines(book: AccessControl) -> None:
    with acting_as(BOB):
        for _ in range(500):
            with pytest.raises(AccessDeniedError, match=r"^bob may view only: loading needs the role operate"):
                await book.authorize("load", "a.pkl")
    await book.refused.close()
    first, rest = book.entries()
    assert (first.who["user"], first.action, first.artifact) == ("bob", "load", "a.pkl")
    assert first.result.startswith("refused: bob may view only")
    assert (rest.detail["count"], rest.detail["asked_by"]) == (499, "bob")


@pytest.mark.parametrize(
    ("actor", "model", "allowed"),
    [
        (bearer("infer"), "churn/lr", True),
        (bearer("infer", "churn/*"), "churn/lr", True),
        (bearer("infer", "churn/*"), "Churn/lr", False),
        (bearer("infer", "churn/*"), "wine/forest", False),
        (bearer("infer", "churn/*"), "xchurn/lr", False),
        (bearer("infer", "wine", "churn/l?"), "churn/lr", True),
        (bearer("infer", "wine"), "wine/forest", False),
        (bearer("infer", "wine"), "wine\n", False),
        (bearer("view"), "churn/lr", False),
        (bearer("operate", "churn/*"), "wine/forest", False),
        (bearer("administer"), "wine/forest", True),
        (BOB, "churn/lr", False),
        (MINE, "churn/lr", True),
        (None, "churn/lr", True),
    ],
)
async def test_a_token_asks_for_its_models_only(
    book: AccessControl, actor: Actor | None, model: str, allowed: bool
) -> None:
    why = r"may not ask for|needs the role infer"
    with acting_as(actor), nullcontext() if allowed else pytest.raises(AccessDeniedError, match=why):
        await book.authorize_model("infer", model)
    assert len(book.entries()) == (not allowed)
    await book.refused.close()


async def test_an_acceptance_is_theirs_who_said_it(book: AccessControl, tmp_path: Path) -> None:
    from console.records import Judgement, Verdict

    digest = "sha256:" + "ab" * 32
    judgement = Judgement(Verdict.REVIEW, ())
    with acting_as(BOB), pytest.raises(AccessDeniedError):
        await book.accept("a.pkl", judgement, digest, "why not")
    with acting_as(Actor("carol", 0)):
        await book.accept("a.pkl", judgement, digest, "our own job")
    pin = book.policy.pin(digest)
    assert pin is not None
    assert (pin.who, pin.why) == ("carol", "our own job")
    assert acting.get() is None
    await book.refused.close()
