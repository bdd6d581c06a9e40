"""Bearer tokens: how a secret reads, what is kept of it, and a file of them that was written, damaged or forged."""

from __future__ import annotations

import json
import math
import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.errors import InputError, UsageError
from console.trust.tokens import KeptToken, digest_of, id_of, named, new_secret, parse, serialised

FILE = "the file of tokens"
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
NAMES = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._@-]{0,63}\Z")
FINITE = st.floats(0, 1e12, allow_nan=False)
TOKENS = st.lists(
    st.builds(
        KeptToken,
        id=st.text(ALPHABET, min_size=8, max_size=8),
        sha256=st.text("0123456789abcdef", min_size=64, max_size=64),
        name=NAMES,
        role=st.sampled_from(("view", "infer", "operate", "administer")),
        models=st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)).map(tuple),
        rate=st.floats(0, 1e6),
        created=FINITE,
        by=st.text(st.characters(exclude_categories=["Cs"]), max_size=10),
        expires=st.none() | FINITE,
        last_used=st.none() | FINITE,
    ),
    max_size=4,
    unique_by=(lambda token: token.id, lambda token: token.name),
).map(tuple)


def kept(secret: str, **other: object) -> KeptToken:
    made = {"id": id_of(secret), "sha256": digest_of(secret), "name": "ci", "role": "infer", **other}
    return msgspec.convert(made, KeptToken)


def test_a_secret_is_long_and_says_what_it_is_for() -> None:
    secrets = {new_secret() for _ in range(100)}
    assert len(secrets) == 100
    assert all(re.fullmatch(r"mc_[A-Za-z0-9_-]{43}", secret) for secret in secrets)


def test_nothing_that_is_kept_has_the_secret_in_it() -> None:
    secret = new_secret()
    written = serialised((kept(secret),)).decode()
    assert secret not in written
    assert secret[3 + 8 :] not in written
    assert digest_of(secret) in written


def test_only_the_very_secret_is_that_of_a_token() -> None:
    secret = new_secret()
    token = kept(secret)
    assert token.is_of(secret)
    for position in range(len(secret)):
        other = "A" if secret[position] != "A" else "B"
        assert not token.is_of(secret[:position] + other + secret[position + 1 :])
    assert not token.is_of(secret + "A")
    assert not token.is_of(secret[:-1])
    assert not token.is_of("")
    assert not token.is_of(token.sha256)


def test_secrets_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[str, str]] = []

    def compare(one: str, other: str) -> bool:
        compared.append((one, other))
        return one == other

    monkeypatch.setattr("hmac.compare_digest", compare)
    secret = new_secret()
    assert kept(secret).is_of(secret)
    assert not kept(secret).is_of(new_secret())
    assert len(compared) == 2
    assert all(len(one) == len(other) == 64 for one, other in compared)


@pytest.mark.parametrize(
    "text",
    ["", "mc_", "mc", "Bearer mc_" + "a" * 43, "mc_" + "a" * 42, "mc_" + "a" * 44, "xx_" + "a" * 43, "mc_" + "é" * 43],
)
def test_what_cannot_be_a_secret_has_no_public_part(text: str) -> None:
    assert id_of(text) is None


@given(st.text())
def test_any_text_has_a_public_part_or_none(text: str) -> None:
    assert id_of(text) is None or re.fullmatch(r"mc_.{43}", text, re.DOTALL)
    assert re.fullmatch(r"[0-9a-f]{64}", digest_of(text))


@given(TOKENS)
def test_what_was_written_is_read_again(tokens: tuple[KeptToken, ...]) -> None:
    assert parse(serialised(tokens), FILE) == tokens


@given(st.binary(max_size=200))
def test_whatever_else_is_there_is_no_tokens(data: bytes) -> None:
    with pytest.raises(InputError):
        parse(data, FILE)


@given(TOKENS.filter(bool), st.data())
def test_a_file_that_was_cut_short_is_no_tokens(tokens: tuple[KeptToken, ...], data: st.DataObject) -> None:
    whole = serialised(tokens)
    with pytest.raises(InputError, match=r"is damaged"):
        parse(whole[: data.draw(st.integers(0, len(whole) - 3))], FILE)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"version": 2}, "is of version 2, and this console knows 1"),
        ({"version": 2, "keys": []}, "is of version 2"),
        ({"version": 0}, "is of version 0"),
        ({"tokens": {}}, "is damaged"),
        ({"more": 1}, "is damaged"),
        ({"tokens": [{"role": "root"}]}, "is damaged"),
        ({"tokens": [{"sha256": "ab"}]}, "is damaged"),
        ({"tokens": [{"id": "../../etc"}]}, "is damaged"),
        ({"tokens": [{"name": "a\x1b[31m"}]}, "is damaged"),
        ({"tokens": [{"rate": -1}]}, "is damaged"),
        ({"tokens": [{"secret": "mc_"}]}, "is damaged"),
        ({"tokens": [{}, {"name": "other"}]}, "two tokens have one id"),
        ({"tokens": [{}, {"id": "bbbbbbbb"}]}, "two tokens have one name"),
    ],
)
def test_a_file_that_says_something_else_counts_for_nothing(change: dict[str, object], words: str) -> None:
    one = {"id": "aaaaaaaa", "sha256": "ab" * 32, "name": "ci", "role": "infer"}
    found: dict[str, object] = {"version": 1, "tokens": [{}], **change}
    if isinstance(found["tokens"], list):
        found["tokens"] = [{**one, **token} for token in found["tokens"]]
    with pytest.raises(InputError, match=re.escape(words)) as raised:
        parse(json.dumps(found).encode(), FILE)
    assert raised.value.hint


def test_a_token_is_over_at_the_moment_it_expires() -> None:
    token = kept(new_secret(), expires=100.0)
    assert [token.is_over(now) for now in (99.9, 100.0, 1e9)] == [False, True, True]
    assert not kept(new_secret()).is_over(1e12)


@pytest.mark.parametrize(
    ("name", "role", "models", "rate", "words"),
    [
        ("anonymous", "infer", (), 0.0, "that is whoever asks without one"),
        ("", "infer", (), 0.0, "a token's name"),
        ("a b", "infer", (), 0.0, "a token's name"),
        ("-rf", "infer", (), 0.0, "a token's name"),
        ("a\n", "infer", (), 0.0, "a token's name"),
        ("n" * 65, "infer", (), 0.0, "a token's name"),
        ("ci", "root", (), 0.0, "a token's role"),
        ("ci", "none", (), 0.0, "a token's role"),
        ("ci", "infer", ("",), 0.0, "a token's patterns"),
        ("ci", "infer", ("x" * 201,), 0.0, "a token's patterns"),
        ("ci", "infer", ("\udcff",), 0.0, "a token's patterns"),
        ("ci", "infer", (), -1.0, "a token's rate"),
        ("ci", "infer", (), math.inf, "a token's rate"),
        ("ci", "infer", (), math.nan, "a token's rate"),
    ],
)
def test_what_no_file_could_hold_is_not_made(
    name: str, role: str, models: tuple[str, ...], rate: float, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        named(name, role, models, rate)
