"""Tokens of a store: made, listed, revoked, followed on the disk; and who asks by a secret or a handle."""

from __future__ import annotations

import asyncio
import os
import stat
import time
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from console.access.actor import Actor, acting_as
from console.access.control import AccessControl
from console.access.principals import Principals
from console.errors import (
    AccessDeniedError,
    ConflictError,
    InputError,
    OperationError,
    UnauthenticatedError,
    UsageError,
)
from console.events import Bus
from console.trust.tokens import new_secret, parse, serialised


@pytest.fixture
def book(tmp_path: Path) -> AccessControl:
    root = tmp_path / "store"
    root.mkdir()
    return AccessControl(root, Bus())


@pytest.fixture
async def tokens(book: AccessControl, tmp_path: Path) -> AsyncIterator[Principals]:
    found = Principals(tmp_path / "store", book)
    yield found
    await found.close()
    await book.refused.close()


def another(tokens: Principals) -> Principals:
    """Those of another process."""
    return Principals(tokens.root, tokens._access)


def rewrite(tokens: Principals, **change: object) -> None:
    """Change all tokens in the file, as an editor would."""
    found = parse(tokens.path.read_bytes(), "it")
    tokens.path.write_bytes(serialised(tuple(msgspec.structs.replace(token, **change) for token in found)))


async def test_a_flood_of_wrong_tokens_looks_at_the_file_together(
    tokens: Principals, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await another(tokens).add("ci")
    looks, read = [], tokens._read

    def counted() -> object:
        looks.append(1)
        return read()

    monkeypatch.setattr(tokens, "_read", counted)
    wrong = [tokens.principal(new_secret(), "192.0.2.1") for _ in range(300)]
    found = await asyncio.gather(*wrong, tokens.principal(made.secret), tokens.revoke("ci"), return_exceptions=True)
    assert {type(one) for one in found[:300]} == {UnauthenticatedError}
    assert [getattr(one, "name", None) for one in found[300:]] == ["ci", "ci"]
    assert len(looks) <= 3


async def test_a_token_is_made_listed_and_revoked(tokens: Principals) -> None:
    assert await tokens.list() == ()
    before = time.time()
    made = await tokens.add("ci", role="operate", models=("churn/*",), rate=5.0, expires=before + 1000)
    assert (made.token.name, made.token.role, made.token.models, made.token.rate) == (
        "ci",
        "operate",
        ("churn/*",),
        5.0,
    )
    assert made.token.created >= before
    assert made.token.by == tokens._access.who
    assert await tokens.list() == (made.token,)
    assert await another(tokens).list() == (made.token,)
    found = await tokens.principal(made.secret)
    assert (found.name, found.role, found.models, found.rate) == ("ci", "operate", ("churn/*",), 5.0)
    assert (await tokens.revoke("ci")).name == "ci"
    assert await tokens.list() == ()
    with pytest.raises(InputError, match="there is no token 'ci'"):
        await tokens.revoke("ci")


async def test_the_file_is_its_owners_alone_and_holds_no_secret(tokens: Principals) -> None:
    mask = os.umask(0)
    try:
        made = await tokens.add("ci")
    finally:
        os.umask(mask)
    assert stat.S_IMODE(tokens.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(tokens.path.parent.stat().st_mode) == 0o700
    everything = b"".join(one.read_bytes() for one in tokens.path.parent.iterdir())
    assert made.secret.encode() not in everything
    assert sorted(one.suffix for one in tokens.path.parent.iterdir()) == [".json", ".lock"]
    audited = (tokens.root / ".model-console" / "audit.jsonl").read_text()
    assert made.secret not in audited
    assert made.secret[11:] not in audited


async def test_what_is_done_with_tokens_is_on_record(tokens: Principals, book: AccessControl) -> None:
    await tokens.add("ci")
    with pytest.raises(ConflictError, match="there is a token ci already"):
        await tokens.add("ci")
    await tokens.revoke("ci")
    assert [entry.result for entry in book.entries()] == [
        *("add ci: intent", "add ci: done", "add ci: intent", "add ci: conflict"),
        *("revoke ci: intent", "revoke ci: done"),
    ]


@pytest.mark.parametrize("expires", [0.0, -1.0, float("nan"), float("inf"), 1e300])
async def test_a_token_expires_at_a_moment_to_come(tokens: Principals, expires: float) -> None:
    with pytest.raises(UsageError, match="at a moment to come"):
        await tokens.add("ci", expires=expires)
    assert not tokens.path.exists()


async def test_who_asks_without_a_token_may_infer(tokens: Principals) -> None:
    found = await tokens.principal("")
    assert (found.name, found.role, found.models) == ("anonymous", "infer", ())
    assert tokens.of(found.handle) is tokens.of("") is found


WRONG = {
    "nothing of ours": "hunter2",
    "the prefix alone": "mc_",
    "one that nobody made": "mc_" + "a" * 43,
    "a secret of another kind": "Bearer " + "mc_" + "a" * 35,
    "much too long": "mc_" + "a" * 1_000_000,
    "not ASCII": "mc_" + "é" * 43,
    "half of a character": "mc_\udcff",
    "a null byte": "mc_\0",
    "a path": "mc_../../../../../../etc/passwd",
}


@pytest.mark.parametrize("title", WRONG)
async def test_a_wrong_token_lets_nobody_in(tokens: Principals, book: AccessControl, title: str) -> None:
    await tokens.add("ci")
    await refused_with(tokens, WRONG[title])
    entry = book.entries()[-1]
    assert (entry.action, entry.result) == ("token", "refused: this token is not known here")
    assert (entry.detail["asked_by"], entry.detail["peer"]) == ("somebody", "192.0.2.1:4")
    assert WRONG[title] == "mc_" or WRONG[title] not in str(entry)


async def test_a_token_that_was_altered_lets_nobody_in(tokens: Principals) -> None:
    made = await tokens.add("ci")
    for other in (made.secret[:-1], f"{made.secret}A", made.secret.swapcase(), made.secret[:11] + new_secret()[11:]):
        await refused_with(tokens, other)
    kept = parse(tokens.path.read_bytes(), "it")[0]
    await refused_with(tokens, kept.sha256)
    await refused_with(tokens, f"mc_{kept.id}")
    assert (await tokens.principal(made.secret)).name == "ci"


async def refused_with(tokens: Principals, secret: str) -> None:
    with pytest.raises(UnauthenticatedError) as raised:
        await tokens.principal(secret, "192.0.2.1:4")
    assert isinstance(raised.value, AccessDeniedError)
    assert raised.value.code == "unauthenticated"
    assert secret not in raised.value.message


async def test_a_flood_of_wrong_tokens_is_two_lines(tokens: Principals, book: AccessControl) -> None:
    await asyncio.gather(*(_tried(tokens, f"mc_{number:043}") for number in range(300)))
    await book.refused.flush()
    assert [entry.detail.get("count") for entry in book.entries()] == [None, 299]


async def _tried(tokens: Principals, secret: str) -> None:
    with pytest.raises(UnauthenticatedError):
        await tokens.principal(secret)


async def test_the_front_tells_who_was_refused_and_that_is_whose_record_it_is(
    tokens: Principals, book: AccessControl
) -> None:
    await tokens.add("ci")
    front = Actor("anonymous", -1, principal=tokens.of(""))
    with acting_as(front):
        for who in ("ci", "anonymous", "somebody"):
            await tokens.refused("GET v2/models/wine", "wine", "ci may not ask this model", who, "192.0.2.1")
    with acting_as(Actor("bob", 4321)):
        await tokens.refused("anything", "", "it is not bob", "ci")
    told = [(entry.who["user"], entry.detail["asked_by"]) for entry in book.entries()[-4:]]
    assert told == [("token ci", "token ci"), ("anonymous", "anonymous"), ("anonymous", "somebody"), ("bob", "ci")]


async def test_a_token_that_has_expired_lets_nobody_in(tokens: Principals, monkeypatch: pytest.MonkeyPatch) -> None:
    made = await tokens.add("ci", expires=time.time() + 1000)
    handle = (await tokens.principal(made.secret)).handle
    assert tokens.of(handle) is not None
    later = time.time() + 1001
    monkeypatch.setattr("console.access.principals.time.time", lambda: later)
    assert tokens.of(handle) is None
    with pytest.raises(UnauthenticatedError, match="the token ci has expired"):
        await tokens.principal(made.secret)
    assert [token.name for token in await tokens.list()] == ["ci"]


async def test_a_revoked_token_counts_no_more_at_once(tokens: Principals) -> None:
    ci, other = await tokens.add("ci"), await tokens.add("other")
    handles = [(await tokens.principal(made.secret)).handle for made in (ci, other)]
    await tokens.revoke("ci")
    assert tokens.of(handles[0]) is None
    await refused_with(tokens, ci.secret)
    kept = tokens.of(handles[1])
    assert kept is not None
    assert kept.handle == handles[1]
    again = await tokens.add("ci")
    assert again.secret != ci.secret
    await refused_with(tokens, ci.secret)
    assert tokens.of(handles[0]) is None


async def test_handles_are_not_guessed_and_never_more_than_tokens(tokens: Principals) -> None:
    made = await tokens.add("ci")
    handles = {(await tokens.principal(made.secret)).handle for _ in range(50)}
    (handle,) = handles
    assert len(handle) >= 20
    assert handle not in made.secret
    assert handle != (await another(tokens).principal(made.secret)).handle
    for guess in ("ci", made.secret, made.secret[3:11], handle[:-1], "\0", "é"):
        assert tokens.of(guess) is None
    assert len(tokens._handles) == 1


async def test_the_file_is_followed(tokens: Principals) -> None:
    ci, other = await tokens.add("ci"), await tokens.add("other")
    handle = (await tokens.principal(ci.secret)).handle
    elsewhere = another(tokens)
    await elsewhere.revoke("ci")
    new = await elsewhere.add("new", role="view")
    assert (await tokens.principal(new.secret)).role == "view"
    assert tokens.of(handle) is None
    rewrite(tokens, role="administer")
    await tokens.reload()
    assert (await tokens.principal(other.secret)).role == "administer"
    tokens.path.unlink()
    await tokens.reload()
    await refused_with(tokens, other.secret)


async def test_use_alone_makes_it_look_at_the_file(tokens: Principals, monkeypatch: pytest.MonkeyPatch) -> None:
    made = await tokens.add("ci")
    handle = (await tokens.principal(made.secret)).handle
    await _settled(tokens)
    await another(tokens).revoke("ci")
    monkeypatch.setattr("console.access.principals._LOOK_S", 0.0)
    tokens.of(handle)
    await _settled(tokens)
    assert tokens.of(handle) is None


async def _settled(tokens: Principals) -> None:
    if tokens._task is not None:
        await tokens._task


async def test_when_it_was_last_used_is_kept_by_the_hour(tokens: Principals, monkeypatch: pytest.MonkeyPatch) -> None:
    made = await tokens.add("ci")
    handle = (await tokens.principal(made.secret)).handle
    await _settled(tokens)
    (first,) = await another(tokens).list()
    assert first.last_used is not None
    assert made.token.created <= first.last_used <= time.time()
    written = tokens.path.stat().st_ino
    for _ in range(1000):
        tokens.of(handle)
    await _settled(tokens)
    assert tokens.path.stat().st_ino == written
    later = time.time() + 3601
    monkeypatch.setattr("console.access.principals.time.time", lambda: later)
    tokens.of(handle)
    await _settled(tokens)
    assert [token.last_used for token in await another(tokens).list()] == [later]


async def test_two_processes_at_once_lose_no_token(tokens: Principals) -> None:
    sides = [tokens, another(tokens)]
    made = await asyncio.gather(*(sides[number % 2].add(f"t{number}") for number in range(20)))
    assert {token.name for token in await tokens.list()} == {f"t{number}" for number in range(20)}
    for one in made:
        assert (await sides[0].principal(one.secret)).name == (await sides[1].principal(one.secret)).name


@pytest.mark.parametrize("damage", ["half", "others", "link", "newer"])
async def test_a_file_that_is_damaged_or_open_to_others_changes_nothing(
    tokens: Principals, book: AccessControl, tmp_path: Path, damage: str
) -> None:
    made = await tokens.add("ci")
    data = tokens.path.read_bytes()
    if damage == "half":
        tokens.path.write_bytes(data[: len(data) // 2])
    elif damage == "others":
        tokens.path.chmod(0o640)
    elif damage == "newer":
        tokens.path.write_bytes(b'{"version": 2, "keys": []}')
    else:
        (tmp_path / "theirs.json").write_bytes(data.replace(b'"ci"', b'"theirs"'))
        tokens.path.unlink()
        tokens.path.symlink_to(tmp_path / "theirs.json")
    for _ in range(3):
        with pytest.raises(InputError, match="tokens"):
            await tokens.list()
    assert (await tokens.principal(made.secret)).name == "ci"
    told = [event for event in book._bus.recent() if event.kind == "trust.policy"]
    assert len(told) == 1
    with pytest.raises((InputError, OperationError)):
        await tokens.add("other")
    for fresh in (another(tokens),):
        with pytest.raises(UnauthenticatedError):
            await fresh.principal(made.secret)


async def test_tokens_are_an_administrators(tokens: Principals) -> None:
    made = await tokens.add("ci", role="operate")
    bob = Actor("bob", 4321)
    bearer = Actor("ci", -1, principal=await tokens.principal(made.secret))
    for actor, may_list in ((bob, False), (bearer, True)):
        with acting_as(actor):
            with pytest.raises(AccessDeniedError, match="making or revoking a token needs the role administer"):
                await tokens.add("more", role="administer")
            with pytest.raises(AccessDeniedError):
                await tokens.revoke("ci")
            if may_list:
                assert len(await tokens.list()) == 1
            else:
                with pytest.raises(AccessDeniedError, match="listing tokens needs the role operate"):
                    await tokens.list()


async def test_a_store_has_its_own_tokens_wherever_it_moves(tokens: Principals, tmp_path: Path) -> None:
    made = await tokens.add("ci")
    other = tmp_path / "other"
    other.mkdir()
    tokens.root = other
    await refused_with(tokens, made.secret)
    await tokens.reload()
    assert await tokens.list() == ()
    tokens.root = tmp_path / "store"
    assert [token.name for token in await tokens.list()] == ["ci"]
