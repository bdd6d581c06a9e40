"""Keys, signatures and seals from the command line, and what the kernel saw of the secrets meanwhile."""

from __future__ import annotations

import io
import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from console.config import config_dir
from tests.cli.running import Run

MARKER = "hushed-7f3a91c2d4"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    root = tmp_path / "store"
    (root / "sub").mkdir(parents=True)
    inputs = np.random.default_rng(3).normal(size=(60, 3))
    model = LogisticRegression().fit(inputs, inputs[:, 0] > 0)
    model.remark_ = MARKER
    joblib.dump(model, root / "a.joblib")
    joblib.dump(model, root / "sub" / "b.joblib")
    (tmp_path / "rows.csv").write_text("\n".join(["p,q,r", *(",".join(map(str, row)) for row in inputs[:5])]))
    return root


def configured(name: str, text: str) -> None:
    config_dir().mkdir(parents=True, exist_ok=True)
    (config_dir() / name).write_text(text)


def trusting(run: Run, key: Path) -> str:
    """A new signing key that the user's policy trusts; its public line."""
    line = str(run("keygen", str(key), "--json").json["key"])
    configured("policy.toml", f'[signing]\nkeys = ["{line}"]\n')
    return line


def sealing(run: Run, identity: Path) -> str:
    """A new identity that the settings name; its recipient."""
    recipient = str(run("keygen", "--age", str(identity), "--json").json["recipient"])
    configured("config.toml", f'[sealing]\nidentity = "{identity}"\nrecipients = ["{recipient}"]\n')
    return recipient


def test_a_new_key_is_told_and_kept(run: Run, tmp_path: Path) -> None:
    done = run("keygen", str(tmp_path / "k.pem"))
    assert done.code == 0
    assert done.out.startswith("ed25519:")
    assert "[signing] keys" in done.err
    again = run("keygen", str(tmp_path / "k.pem"))
    assert (again.code, again.out) == (4, "")
    assert "never written over" in again.err
    age = run("keygen", "--age", str(tmp_path / "id.txt"))
    assert age.out.startswith("age1")
    for name in ("k.pem", "id.txt"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o400
    assert "SECRET" not in age.out + age.err


def test_what_was_signed_is_verified_until_it_changes(run: Run, store: Path, tmp_path: Path) -> None:
    key = tmp_path / "k.pem"
    line = trusting(run, key)
    before = run("verify", str(store))
    assert before.code == 1
    assert before.out.count("unsigned") == 2
    signed = run("sign", str(store), "--key", str(key), "--json").json
    assert [one["path"] for one in signed["signed"]] == ["a.joblib", "sub/b.joblib"]
    assert run("verify", str(store)).code == 0
    one = run("verify", str(store / "a.joblib"), "--json")
    assert one.code == 0
    assert one.json[0]["key_id"] == signed["key_id"]
    with (store / "a.joblib").open("ab") as file:
        file.write(b".")
    found = {entry["path"]: entry["state"] for entry in run("verify", str(store), "--json").json}
    assert found == {"a.joblib": "changed", "sub/b.joblib": "signed"}
    stranger = run("keygen", str(tmp_path / "other.pem"), "--json").json["key"]
    other = run("verify", str(store / "sub"), "--key", stranger, "--json")
    assert other.code == 1
    assert other.json[0]["state"] == "unknown-key"
    assert run("verify", str(store / "sub"), "--key", stranger, "--key", line).code == 0
    done = json.loads(run("audit", "show", str(store), "--json").out)
    assert [entry["artifact"] for entry in done if entry["action"] == "sign"] == ["a.joblib", "sub/b.joblib"]


def test_a_copy_under_another_name_is_not_signed(run: Run, store: Path, tmp_path: Path) -> None:
    key = tmp_path / "k.pem"
    trusting(run, key)
    run("sign", str(store / "a.joblib"), "--key", str(key))
    shutil.copy(store / "a.joblib", store / "c.joblib")
    assert run("verify", str(store / "a.joblib")).code == 0
    found = run("verify", str(store / "c.joblib"), "--json")
    assert (found.code, found.json[0]["state"]) == (1, "unsigned")
    (store / ".model-console" / "signatures" / "9.dsse.json").write_text("{}")
    assert "9.dsse.json is no signature: its payload is not" in run("verify", str(store / "c.joblib")).out


def test_a_key_in_the_store_itself_counts_for_nothing(run: Run, store: Path, tmp_path: Path) -> None:
    """Nor does a policy in the store that anybody may write."""
    key = tmp_path / "k.pem"
    line = run("keygen", str(key), "--json").json["key"]
    run("sign", str(store), "--key", str(key))
    policy = store / ".model-console" / "policy.toml"
    policy.write_text(f'[signing]\nkeys = ["{line}"]\n')
    policy.chmod(0o666)
    assert run("verify", str(store)).code == 2
    policy.chmod(0o644)
    assert run("verify", str(store)).code == 0


def test_mistakes_are_told_with_the_way_out(run: Run, store: Path, tmp_path: Path) -> None:
    key = tmp_path / "k.pem"
    run("keygen", str(key))
    key.chmod(0o644)
    loose = run("sign", str(store), "--key", str(key))
    assert loose.code == 3
    assert f"hint: chmod 400 {key}" in loose.err
    assert run("verify", str(store)).code == 2
    assert run("verify", str(store), "--key", "ed25519:no").code == 2
    assert run("seal", str(store / "a.joblib"), "--to", "age1nobody").code == 4
    assert run("unseal", str(store / "a.joblib"), "--out", str(tmp_path / "x")).code == 4
    assert run("sign", str(store / "absent"), "--key", str(key)).code == 4


def test_sealed_and_back(run: Run, store: Path, tmp_path: Path) -> None:
    content = (store / "a.joblib").read_bytes()
    recipient = sealing(run, tmp_path / "id.txt")
    done = run("seal", str(store / "a.joblib"), "--to", recipient, "--replace", "--json")
    assert done.code == 0
    sealed = store / "a.joblib.age"
    assert done.json["path"] == str(sealed)
    assert not (store / "a.joblib").exists()
    assert MARKER.encode() not in sealed.read_bytes()
    shown = run("inspect", str(sealed), "--json").json
    assert (shown["format"], shown["sealed"], shown["trust"]["verdict"]) == ("joblib", "age", "safe")
    assert "sealed      age" in run("inspect", str(sealed)).out
    back = run("unseal", str(sealed), "--out", str(tmp_path / "back.joblib"))
    assert back.code == 0
    assert (tmp_path / "back.joblib").read_bytes() == content
    assert stat.S_IMODE((tmp_path / "back.joblib").stat().st_mode) == 0o600
    assert run("unseal", str(sealed), "--out", str(tmp_path / "back.joblib")).code == 4
    run("keygen", "--age", str(tmp_path / "other.txt"))
    wrong = run("unseal", str(sealed), "--identity", str(tmp_path / "other.txt"), "--out", str(tmp_path / "no"))
    assert wrong.code == 3
    assert "cannot be opened with the identity" in wrong.err
    assert not (tmp_path / "no").exists()
    assert run("convert", str(sealed), "--to", "hdf5").code == 3


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("strace") is None or os.geteuid() != 0, reason="takes strace, as root")
def test_the_kernel_sees_no_secret_go_where_it_should_not(run: Run, store: Path, tmp_path: Path) -> None:
    """Every read and write of every process while a sealed artifact is loaded and asked.

    The identity is read by the unsealer alone. What was sealed is read by children alone, never by the console, and
    written to nothing but memory.
    """
    recipient = sealing(run, tmp_path / "id.txt")
    assert run("seal", str(store / "a.joblib"), "--to", recipient, "--replace").code == 0
    traces = tmp_path / "traces"
    traces.mkdir()
    calls = "execve,read,pread64,preadv,preadv2,readv,recvfrom,recvmsg,write,pwrite64,writev,sendto,sendmsg,sendfile"
    words = [sys.executable, "-m", "console", "predict", str(store / "a.joblib.age")]
    command = ["strace", "-ff", "-y", "-s", "100000", "-o", str(traces / "t"), "-e", f"trace={calls}", *words]
    done = subprocess.run(
        [*command, "--data", str(tmp_path / "rows.csv")], capture_output=True, text=True, cwd=Path(__file__).parents[2]
    )
    if "Operation not permitted" in done.stderr and done.returncode:
        pytest.skip("strace may not trace here")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 6
    told = {path.name: path.read_text(errors="replace").splitlines() for path in traces.iterdir()}
    kinds = {name: kind_of(lines) for name, lines in told.items()}
    holders = {kinds[name] for name, lines in told.items() if any("AGE-SECRET-KEY-1" in line for line in lines)}
    assert holders == {"unsealer"}
    seen = [(kinds[name], line) for name, lines in told.items() for line in lines if MARKER in line]
    assert {kind for kind, _ in seen} >= {"unsealer", "inspector"}
    assert "console" not in {kind for kind, _ in seen}
    written = [line for _, line in seen if line.startswith(("write", "pwrite", "send"))]
    assert written
    assert all("</memfd:" in line.partition(",")[0] for line in written), written


def kind_of(lines: list[str]) -> str:
    """The kind of child that a trace is of; the console's own threads do not execute anything."""
    started = next((line for line in lines if line.startswith("execve") and "boot.py" in line), "")
    return next((kind for kind in ("unsealer", "inspector", "worker", "zygote") if f'"{kind}"' in started), "console")


@pytest.mark.slow
def test_secrets_stand_in_no_log_and_no_message(run: Run, store: Path, tmp_path: Path) -> None:
    key, identity = tmp_path / "k.pem", tmp_path / "id.txt"
    trusting(run, key)
    recipient = sealing(run, identity)
    told = io.StringIO()
    for words in (
        ("sign", str(store), "--key", str(key)),
        ("seal", str(store / "a.joblib"), "--to", recipient),
        ("predict", str(store / "a.joblib.age"), "--data", str(tmp_path / "rows.csv"), "--json"),
        ("unseal", str(store / "a.joblib.age"), "--out", str(tmp_path / "back.joblib")),
        ("audit", "show", str(store), "--json"),
        ("inspect", str(store / "a.joblib.age"), "--json"),
    ):
        done = run(*words)
        assert done.code == 0, done.err
        told.write(done.out + done.err)
    secrets = [key.read_text().splitlines()[1], identity.read_text().splitlines()[-1]]
    for path in store.rglob("*"):
        if path.is_file():
            told.write(path.read_bytes().decode("latin-1"))
    assert not [secret for secret in secrets if secret in told.getvalue()]
