"""The operator's policy file: what it may say, who may have written it, and how an acceptance is recorded."""

from __future__ import annotations

import base64
import multiprocessing
import os
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.errors import InputError, OperationError
from console.trust.policy import DEFAULT_MANDATORY, Policy, accept, load_policy

DIGEST = "sha256:" + "ab" * 32
OTHER = "sha256:" + "cd" * 32
PIN = f"[[pin]]\ndigest = '{DIGEST}'"
KEY = "ed25519:" + base64.b64encode(bytes(range(32))).decode("ascii")


def write(directory: Path, text: str) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "policy.toml"
    path.write_text(text, "utf-8")
    return path


def test_no_files_is_an_empty_policy(tmp_path: Path) -> None:
    assert load_policy(tmp_path, tmp_path / "config") == Policy()


def test_store_and_user_policies_are_taken_together(tmp_path: Path) -> None:
    write(tmp_path / ".model-console", 'trusted = ["a.B"]\n[sandbox]\nmandatory = ["seccomp"]\n')
    write(tmp_path / "config", 'trusted = ["c.D"]\n')
    policy = load_policy(tmp_path, tmp_path / "config")
    assert policy.trusted == {"a.B", "c.D"}
    assert "seccomp" in policy.mandatory
    assert policy.fingerprint() != Policy().fingerprint()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("trused = []", ["toml:1: unknown key 'trused' at the top; did you mean 'trusted'?"]),
        ("\ntrusted = 'a.B'", ["toml:2: trusted must be a list of strings, not 'a.B'"]),
        ("trusted = ['os.system']", ["toml:1: trusted holds 'os.system', which could ", "no policy can allow it"]),
        ("trusted = ['a.B', 'mine.*']", ["trusted: each must be a whole name such as ", "not 'mine.*'"]),
        ("trusted = ['Ratio']", ["trusted: each must be a whole name such as ", "not 'Ratio'"]),
        ("pin = 3", ["pin must be a list of tables, each under [[pin]], not 3"]),
        ("[pin]", ["pin must be a list of tables, each under [[pin]], not a table"]),
        ("[[pin]]\nwhy = 'x'", ["toml:1: pin.digest is missing"]),
        ("[[pin]]\ndigest = 'sha256:12'", ["toml:2: pin.digest must read sha256: and 64 hexadecimal digits, not '"]),
        (f"{PIN}\n{PIN}\nwhy = 3", ["toml:5: pin.why must be a string, not 3"]),
        (f"{PIN}\nbecause = 'x'", ["toml:3: unknown key 'because' in [pin]"]),
        ("[sandbox]\nmandatory = 'all'", ["toml:2: sandbox.mandatory must be a list of strings, not 'all'"]),
        ("sandbox = 1", ["sandbox must be a table, not 1"]),
        (
            "[sandbox]\nmandatory = ['secomp']",
            ["toml:2: sandbox.mandatory: each must be one of descriptors, ", "not 'secomp'; did you mean 'seccomp'?"],
        ),
        ("[require]\npin = 'yes'", ["toml:2: require.pin must be true or false, not 'yes'"]),
        ("[require]\nsignatures = true", ["toml:2: unknown key 'signatures' in [require]; did you mean 'signature'?"]),
        ("[signing]\nkeys = ['ed25519:c2hvcnQ=']", ["toml:2: signing.keys: each must read ed25519: and 32 bytes "]),
        ("[signing]\nkeys = ['rsa:" + "A" * 43 + "=']", ["signing.keys: each must read ed25519:"]),
        ("[roles]\nowner = ['ml']", ["toml:2: unknown key 'owner' in [roles]"]),
        ("[roles]\nview = ['a', 3]", ["toml:2: roles.view: each must be a string, not 3"]),
        ("[roles]\nview = ['']", ["toml:2: roles.view: each must not be empty"]),
        (
            "[recipes]\ninterpreters = ['env/bin/python']",
            ["recipes.interpreters: each must be an absolute path"],
        ),
        ("trusted = [\n= 3", ["policy.toml", "line 2"]),
    ],
)
def test_errors_name_file_line_and_key(tmp_path: Path, text: str, words: list[str]) -> None:
    write(tmp_path, text)
    with pytest.raises(InputError) as caught:
        load_policy(None, tmp_path)
    for word in words:
        assert word in caught.value.message


WHOLE = f"""
trusted = ["a.B"]
[require]
signature = true
pin = true
[signing]
keys = ["{KEY}"]
[sandbox]
mandatory = ["namespaces"]
[roles]
operate = ["ops"]
administer = ["admins", "root"]
[recipes]
interpreters = ["/srv/env/bin/../bin/python"]
[[pin]]
digest = "{DIGEST}"
"""


def test_the_users_own_file_says_everything(tmp_path: Path) -> None:
    write(tmp_path, WHOLE)
    policy = load_policy(None, tmp_path)
    assert policy.trusted == {"a.B"}
    assert policy.pin(DIGEST) is not None
    assert policy.require_signature
    assert policy.require_pin
    assert policy.keys == (KEY,)
    assert policy.mandatory == {"namespaces"}
    assert policy.own_roles == ({"operate": ("ops",), "administer": ("admins", "root")},)
    assert policy.interpreters == ("/srv/env/bin/python",)
    assert policy.digest(own=True)
    assert not policy.digest(own=False)


def test_silence_leaves_the_default_layers_mandatory(tmp_path: Path) -> None:
    assert Policy().mandatory == load_policy(tmp_path, tmp_path / "none").mandatory == DEFAULT_MANDATORY
    write(tmp_path, "[sandbox]\nmandatory = []\n")
    assert load_policy(None, tmp_path).mandatory == frozenset()


def test_a_store_cannot_name_interpreters(tmp_path: Path) -> None:
    write(tmp_path / ".model-console", WHOLE)
    policy = load_policy(tmp_path, tmp_path / "none")
    assert policy.interpreters == ()
    assert policy.sources[0].ignored == ("recipes.interpreters",)


def tightened_only(policy: Policy) -> None:
    assert policy.trusted == frozenset()
    assert not any((policy.pins, policy.keys, policy.interpreters, policy.own_roles))
    assert policy.roles == {}
    assert policy.require_signature
    assert policy.require_pin
    assert policy.mandatory == DEFAULT_MANDATORY | {"namespaces"}
    assert policy.untrusted_in.keys() == {"a.B"}
    assert policy.sources[0].ignored == ("trusted", "pin", "signing.keys", "roles", "recipes.interpreters")


def test_a_store_file_that_anybody_may_write_only_tightens(tmp_path: Path) -> None:
    write(tmp_path / ".model-console", WHOLE).chmod(0o666)
    policy = load_policy(tmp_path, tmp_path / "none")
    tightened_only(policy)
    assert policy.sources[0].distrusted == "anybody may write it"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to give a file away")
def test_a_store_file_of_somebody_else_only_tightens(tmp_path: Path) -> None:
    os.chown(write(tmp_path / ".model-console", WHOLE), 12345, -1)
    policy = load_policy(tmp_path, tmp_path / "none")
    tightened_only(policy)
    assert "user 12345" in policy.sources[0].distrusted


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to give a file away")
def test_an_acceptance_goes_where_it_counts(tmp_path: Path) -> None:
    theirs = write(tmp_path / ".model-console", WHOLE)
    os.chown(theirs, 12345, -1)
    accept(tmp_path, digest=OTHER, who="ada", why="mine", user_dir=tmp_path / "config")
    assert theirs.read_text("utf-8") == WHOLE
    assert load_policy(tmp_path, tmp_path / "config").pin(OTHER) is not None
    assert (tmp_path / "config").stat().st_mode & 0o077 == 0


def test_a_policy_that_anybody_may_write_is_not_followed(tmp_path: Path) -> None:
    path = write(tmp_path, 'trusted = ["a.B"]\n')
    path.chmod(0o666)
    with pytest.raises(InputError, match="anybody may write"):
        load_policy(None, tmp_path)


def test_a_link_is_no_policy(tmp_path: Path) -> None:
    target = write(tmp_path / "elsewhere", 'trusted = ["a.B"]\n')
    (tmp_path / "policy.toml").symlink_to(target)
    with pytest.raises(InputError, match="cannot read the policy"):
        load_policy(None, tmp_path)


def test_acceptance_keeps_what_the_operator_wrote(tmp_path: Path) -> None:
    path = write(tmp_path / ".model-console", '# ours\ntrusted = ["a.B"]')
    pin = accept(tmp_path, digest=DIGEST, who="ada", why='said "yes"\n\x1b[31m\x7f \udc80', artifact="x.pkl")
    text = path.read_text("utf-8")
    assert text.startswith('# ours\ntrusted = ["a.B"]\n')
    policy = load_policy(tmp_path, tmp_path / "none")
    assert policy.trusted == {"a.B"}
    assert policy.pin(DIGEST) == pin
    assert policy.pin("sha256:" + "0" * 64) is None
    assert policy.pin(None) is None


def test_the_newest_pin_is_told(tmp_path: Path) -> None:
    for why in ("first", "second"):
        accept(tmp_path, digest=DIGEST, who="ada", why=why)
    found = load_policy(tmp_path, tmp_path / "none").pin(DIGEST)
    assert found is not None
    assert found.why == "second"


def test_acceptance_needs_a_real_digest(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no digest"):
        accept(tmp_path, digest="sha256:x", who="ada", why="because")


def test_acceptance_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / ".model-console").write_text("a file where the directory should be")
    with pytest.raises(OperationError, match="cannot record the acceptance"):
        accept(tmp_path, digest=DIGEST, who="ada", why="because")


def test_acceptance_never_overwrites_a_broken_policy(tmp_path: Path) -> None:
    path = write(tmp_path / ".model-console", "trusted = [")
    with pytest.raises(InputError):
        accept(tmp_path, digest=DIGEST, who="ada", why="because")
    assert path.read_text("utf-8") == "trusted = ["


def _accept_many(store: Path, start: int) -> None:
    for number in range(start, start + 10):
        accept(store, digest=f"sha256:{number:064x}", who="two at once", why=str(number))


def test_two_operators_at_once_lose_nothing(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    others = [context.Process(target=_accept_many, args=(tmp_path, start)) for start in (0, 100)]
    for other in others:
        other.start()
    for other in others:
        other.join(30)
    assert len(load_policy(tmp_path, tmp_path / "none").pins) == 20


@settings(max_examples=50)
@given(st.text(max_size=40))
def test_any_reason_survives_as_toml(tmp_path_factory: pytest.TempPathFactory, why: str) -> None:
    store = tmp_path_factory.mktemp("store")
    pin = accept(store, digest=DIGEST, who="ada", why=why)
    text = (store / ".model-console" / "policy.toml").read_text("utf-8")
    assert tomllib.loads(text)["pin"][0]["why"] == pin.why
