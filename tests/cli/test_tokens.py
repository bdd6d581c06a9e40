"""The command `token`: a secret that a shell takes as it is, shown this once; tokens listed and revoked."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path
from typing import get_args

import pytest

from console.cli.parser import commands_parser
from console.records import TokenRole
from tests.cli.running import Run

SECRET = re.compile(r"mc_[A-Za-z0-9_-]{43}\n")


@pytest.fixture
def store(tmp_path: Path) -> str:
    return str(tmp_path)


def test_a_shell_takes_the_secret_from_stdout(store: str) -> None:
    script = 'TOKEN=$("$1" -m console token add ci "$2" --models "churn/*" wine --rate 50) && printf "<%s>\\n" "$TOKEN"'
    done = subprocess.run(["sh", "-c", script, "sh", sys.executable, store], capture_output=True, text=True, check=True)
    assert re.fullmatch(r"<mc_[A-Za-z0-9_-]{43}>\n", done.stdout)
    assert done.stderr == (
        "token ci: role infer, models churn/*, wine, 50 requests a second at most; "
        "it is shown this once, and only its hash is kept\n"
    )


def test_tokens_are_listed_without_their_secrets(run: Run, store: str) -> None:
    assert run("token", "list", store).err == "there are no tokens yet\n"
    assert run("token", "list", store, "--json").json == []
    secret = run("token", "add", "ci", store, "--expires", "90").out
    assert SECRET.fullmatch(secret)
    made = run("token", "add", "nightly", store, "--role", "operate", "--json").json
    assert SECRET.fullmatch(f"{made.pop('secret')}\n")
    first, second = run("token", "list", store, "--json").json
    assert second == made
    assert (first["name"], first["role"], first["models"], first["expired"]) == ("ci", "infer", [], False)
    assert abs(first["expires"] - time.time() - 90 * 86_400) < 600
    shown = run("token", "list", store).out
    assert secret.strip() not in shown
    assert [line.split()[:2] for line in shown.splitlines()] == [
        ["NAME", "ROLE"],
        ["ci", "infer"],
        ["nightly", "operate"],
    ]


def test_a_token_has_any_role_that_there_is() -> None:
    role = next(action for action in commands_parser().commands()["token"]._actions if action.dest == "role")
    assert role.choices == get_args(TokenRole)


def test_a_revoked_token_is_gone(run: Run, store: str) -> None:
    run("token", "add", "ci", store)
    assert run("token", "revoke", "ci", store).out == "revoked ci: nobody asks with it any more\n"
    again = run("token", "revoke", "ci", store, "--json")
    assert (again.code, again.json["error"]["message"]) == (4, "there is no token 'ci'")
    assert run("token", "add", "ci", store).code == 0
    taken = run("token", "add", "ci", store)
    assert (taken.code, taken.out) == (1, "")
    assert "there is a token ci already" in taken.err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("lst",), "'lst' is none of add, list, revoke\nhint: did you mean model-console token list?"),
        (("frobnicate",), "hint: see model-console token --help"),
        (("add",), "which token? model-console token add NAME"),
        (("revoke",), "which token? model-console token revoke NAME"),
        (("list", ".", "more"), "model-console token list takes one STORE"),
        (("list", "--role", "view"), "--role is for model-console token add"),
        (("revoke", "ci", "--rate", "0"), "--rate is for model-console token add"),
        (("add", "ci", "--role", "operat"), "'operat' is no choice: did you mean operate?"),
        (("add", "a/b"), "a token's name is of letters"),
        (("add", "anonymous"), "no token is called anonymous"),
        (("add", "ci", "--expires", "0"), "--expires: must be a number, more than 0 and at most 36500, not '0'"),
    ],
)
def test_what_cannot_be_said_is_a_usage_error(words: tuple[str, ...], sentence: str, run: Run, store: str) -> None:
    named = words if len(words) != 2 or words[0] != "add" else (*words, store)
    done = run("token", *named)
    assert (done.code, done.out) == (2, "")
    assert sentence in done.err
