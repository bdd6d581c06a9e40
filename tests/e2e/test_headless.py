"""Every headless command on the demo store, with the engine, the children and the files it really uses."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from sample_models.troubles import MARKER
from tests.cli.running import Run

QUANTILES = {"p50", "p90", "p99", "max"}


def everything_in(root: Path) -> dict[str, int]:
    """Every file of a store that nobody else uses, with the time of its last change."""
    return {str(path): path.lstat().st_mtime_ns for path in sorted(root.rglob("*"))}


def test_ls_shows_every_artifact_without_running_one(run: Run, demo_copy: Path) -> None:
    before = everything_in(demo_copy)
    rows = {row["path"]: row for row in run("ls", str(demo_copy), "--json").json}
    assert set(rows["wine/forest.joblib"]) == {
        "path", "format", "size", "digest", "modified", "model_class", "verdict", "state",
    }  # fmt: skip
    assert rows["wine/forest.joblib"]["model_class"].endswith(".RandomForestClassifier")
    assert {row["format"] for row in rows.values()} >= {"pickle", "joblib", "hdf5"}
    assert sum(row["verdict"] == "safe" for row in rows.values()) >= 16
    assert rows["trouble/do-not-load.pkl"]["verdict"] == "blocked"
    assert rows["trouble/half-copied.joblib"]["verdict"] == "damaged"
    assert not [path for path in rows if "/data/" in path]
    assert everything_in(demo_copy) == before
    assert not Path(tempfile.gettempdir(), MARKER).exists()


def test_ls_of_a_directory_of_the_store_shows_what_is_beneath(run: Run, demo_store: Path) -> None:
    assert [row["path"] for row in run("ls", str(demo_store / "wine"), "--json").json] == ["wine/forest.joblib"]


def test_inspect_tells_the_facts(run: Run, demo_store: Path) -> None:
    facts = run("inspect", str(demo_store / "churn/lr.joblib"), "--json").json
    assert facts["signature"]["feature_names"][0] == "tenure_months"
    assert facts["signature"]["classes"] == [0, 1]
    assert facts["digest"] is None
    assert facts["complete"] is True
    assert facts["recipe"] == "churn/lr.recipe.toml"
    assert "sklearn.linear_model._logistic.LogisticRegression" in facts["classes"]
    last = facts["models"][-1]
    assert (last["class"].rpartition(".")[2], last["parameters"]["C"]) == ("LogisticRegression", 10.0)
    assert facts["trust"]["verdict"] == "safe"


def test_inspect_explains_a_verdict_and_what_is_new(run: Run, demo_copy: Path) -> None:
    trust = run("inspect", str(demo_copy / "trouble/do-not-load.pkl"), "--json").json["trust"]
    point = trust["explanation"][0]
    assert (point["code"], point["verdict"]) == ("dangerous-name", "blocked")
    assert point["mentions"][0]["name"] == "posix.system"
    assert point["mentions"][0]["arguments"].startswith("'touch ")
    assert trust["since_last"] is None
    target = demo_copy / "diabetes/ridge.pkl"
    run("inspect", str(target))
    target.write_bytes((demo_copy / "trouble/do-not-load.pkl").read_bytes())
    trust = run("inspect", str(target), "--json").json["trust"]
    assert "posix.system" in trust["since_last"]["names_added"]
    assert trust["explanation"][0]["mentions"][0]["new"]
    text = run("inspect", str(target)).out
    assert "Loading it calls posix.system (os.system), which could run any command on this machine." in text
    assert "+ posix.system" in text
    assert "verdict safe → blocked" in text


def test_inspect_reads_the_digest_when_asked(run: Run, demo_store: Path) -> None:
    from hashlib import sha256

    path = demo_store / "wine/forest.joblib"
    facts = run("inspect", str(path), "--digest", "--json").json
    assert facts["digest"] == f"sha256:{sha256(path.read_bytes()).hexdigest()}"


@pytest.mark.parametrize(
    ("path", "code", "verdict"),
    [
        ("trouble/do-not-load.pkl", 0, "blocked"),
        ("trouble/half-copied.joblib", 4, "damaged"),
        ("trouble/notes.pkl", 4, "unsupported"),
    ],
)
def test_inspect_of_what_is_wrong(run: Run, demo_store: Path, path: str, code: int, verdict: str) -> None:
    done = run("inspect", str(demo_store / path), "--json")
    assert done.code == code
    assert done.json["trust"]["verdict"] == verdict
    assert done.json["trust"]["reasons"]


def test_inspect_of_a_directory_is_fit_for_ci(run: Run, demo_store: Path, tmp_path: Path) -> None:
    assert run("inspect", str(demo_store / "wine"), "--json").code == 0
    done = run("inspect", str(demo_store), "--json")
    assert done.code == 3
    assert {report["trust"]["verdict"] for report in done.json} == {"safe", "blocked", "damaged", "unsupported"}
    shutil.copy(demo_store / "trouble/half-copied.joblib", tmp_path)
    assert run("inspect", str(tmp_path)).code == 4


def test_predict_answers_and_writes_nothing_in_the_store(run: Run, demo_copy: Path, tmp_path: Path) -> None:
    before = everything_in(demo_copy)
    out = tmp_path / "answers.csv"
    done = run("predict", str(demo_copy / "wine/forest.joblib"), "--out", str(out), "--json")
    assert done.code == 0
    assert done.json["rows"] == len(done.json["outputs"]["predict"]) == 48
    assert set(done.json["latency_ms"]) == QUANTILES
    assert done.json["load_ms"]
    assert done.json["memory"]["rss_bytes"] > 1 << 20
    assert {layer["active"] for layer in done.json["worker"]["sandbox"].values()} <= {True, False}
    with out.open() as file:
        answers = [int(row["predict"]) for row in csv.DictReader(file)]
    assert answers == done.json["outputs"]["predict"]
    assert everything_in(demo_copy) == before


def test_predict_with_a_named_method(run: Run, demo_store: Path) -> None:
    done = run("predict", str(demo_store / "wine/forest.joblib"), "--method", "predict_proba", "--rows", "2")
    assert done.out.splitlines()[0].split() == ["predict_proba_0", "predict_proba_1", "predict_proba_2"]
    assert len(done.out.splitlines()) == 3


def test_one_of_several_models_in_a_file_runs(run: Run, demo_store: Path, tmp_path: Path) -> None:
    data = tmp_path / "rows.csv"
    lines = (demo_store / "cancer/data/cancer-holdout.csv").read_text().splitlines()[:3]
    data.write_text("\n".join(line.rpartition(",")[0] for line in lines) + "\n")
    done = run("predict", str(demo_store / "credit/holder.joblib"), "--at", "model", "--data", str(data), "--json")
    assert done.code == 0, done.err
    assert done.json["rows"] == 2


def test_columns_that_do_not_fit_are_bad_input(run: Run, demo_store: Path) -> None:
    data = str(demo_store / "iris/data/iris-holdout.csv")
    done = run("predict", str(demo_store / "wine/forest.joblib"), "--data", data, "--json")
    assert done.code == 4


def test_evaluate_names_metrics_as_scikit_learn_does(run: Run, demo_store: Path) -> None:
    found = run("evaluate", str(demo_store / "wine/forest.joblib"), "--json").json
    assert (found["task"], found["rows"]) == ("classification", 48)
    assert found["metrics"]["accuracy"] > 0.9


@pytest.mark.slow
def test_probe_tells_each_second_and_sums_up(run: Run, demo_store: Path) -> None:
    done = run("probe", str(demo_store / "sensors/online.pkl"), "--rate", "40", "--seconds", "1.5", "--json")
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert done.code == 0, done.err
    assert lines[-1]["summary"] is True
    assert lines[-1]["calls"] >= lines[0]["calls"] > 0
    assert lines[-1]["errors"] == 0
    assert set(lines[-1]["latency_ms"]) == set(lines[-1]["round_trip_ms"]) == QUANTILES


def test_what_is_blocked_is_refused_and_does_not_run(run: Run, demo_store: Path) -> None:
    done = run("predict", str(demo_store / "trouble/do-not-load.pkl"), "--json")
    assert done.code == 3
    assert done.json["error"]["code"] == "refused"
    assert not Path(tempfile.gettempdir(), MARKER).exists()


def test_what_needs_a_yes_gets_it_from_accept(run: Run, tmp_path: Path) -> None:
    import pickle
    from ipaddress import IPv4Address

    (tmp_path / "odd.pkl").write_bytes(pickle.dumps({"model": _fitted(), "made-on": IPv4Address(1)}))
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n3,4\n")
    words = ("predict", str(tmp_path / "odd.pkl"), "--at", "model", "--data", str(tmp_path / "rows.csv"), "--json")
    refused = run(*words)
    assert refused.code == 3
    assert refused.json["error"]["code"] == "needs-review"
    assert "--accept" in refused.json["error"]["hint"]
    accepted = run(*words, "--accept", "made by our own team")
    assert accepted.code == 0, accepted.err
    assert accepted.json["rows"] == 2
    assert "trust it" in refused.json["error"]["hint"]
    assert [one["action"] for one in run("audit", "show", str(tmp_path), "--json").json][:1] == ["accept"]


def _fitted() -> Any:
    from sklearn.linear_model import LinearRegression

    return LinearRegression().fit([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [1.0, 2.0, 3.0])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "phase", "said"),
    [
        ("trouble/raises.joblib", "predict", "13 features"),
        ("trouble/dies.joblib", "predict", "segmentation fault"),
        ("legacy/forest-1.2.2.joblib", "read", "1.2.2"),
    ],
)
def test_a_failing_model_is_told_with_its_cause(run: Run, demo_store: Path, path: str, phase: str, said: str) -> None:
    done = run("predict", str(demo_store / path), "--json")
    assert done.code == 1
    error = done.json["error"]
    assert error["phase"] == phase
    assert said in f"{error['message']} {error['hint']}"
    assert bool(error["traceback"]) == (path != "trouble/dies.joblib")


@pytest.mark.slow
def test_convert_writes_a_model_that_answers_alike(run: Run, demo_store: Path, tmp_path: Path) -> None:
    out = tmp_path / "ridge.h5"
    done = run("convert", str(demo_store / "diabetes/ridge.pkl"), "--to", "hdf5", "--out", str(out), "--json")
    assert done.code == 0, done.err
    data = str(demo_store / "diabetes/data/diabetes-holdout.csv")
    answers = [
        run("predict", str(model), "--data", data, "--target", "progression", "--json").json["outputs"]
        for model in (demo_store / "diabetes/ridge.pkl", out)
    ]
    assert answers[0] == answers[1]


def test_update_promotes_what_passes_and_rollback_brings_the_old_one_back(run: Run, demo_copy: Path) -> None:
    path = str(demo_copy / "churn/lr.joblib")
    old = Path(path).read_bytes()
    updated = run("update", path, "--yes", "--why", "monthly", "--json")
    assert updated.code == 0, updated.err
    found = updated.json
    assert (found["promoted"], found["version"]) == (True, 2)
    assert all(result["passed"] for result in found["gate"])
    assert found["candidate"]["metrics"]["roc_auc"] > found["current"]["metrics"]["roc_auc"]
    assert Path(path).read_bytes() != old
    versions = run("history", path, "--json").json
    assert [(one["version"], one["current"]) for one in versions] == [(2, True), (1, False)]
    assert versions[0]["why"] == "monthly"
    back = run("rollback", path, "--json")
    assert back.json == {"version": 1, "digest": found["current"]["digest"]}
    assert Path(path).read_bytes() == old
    actions = [entry["action"] for entry in run("audit", "show", str(demo_copy), "--json").json]
    assert {"update", "promote", "rollback"} <= set(actions)
    assert run("audit", "verify", str(demo_copy), "--json").json["ok"] is True


@pytest.mark.slow
def test_a_candidate_that_fails_its_gate_is_not_promoted(run: Run, demo_copy: Path) -> None:
    path = demo_copy / "diabetes/ridge.pkl"
    recipe = path.with_name("ridge.recipe.toml")
    recipe.write_text(recipe.read_text().replace("at_least = 0.3", "at_least = 0.99"))
    old = path.read_bytes()
    done = run("update", str(path), "--yes", "--json")
    assert done.code == 1
    assert done.json["promoted"] is False
    assert done.json["gate"][0]["passed"] is False
    assert done.json["error"]["code"] == "gate-refused"
    assert path.read_bytes() == old


@pytest.mark.slow
def test_a_gate_that_measures_nothing_promotes_nothing(run: Run, demo_copy: Path) -> None:
    path = demo_copy / "diabetes/ridge.pkl"
    recipe = path.with_name("ridge.recipe.toml")
    recipe.write_text(recipe.read_text().replace("diabetes-holdout", "diabetes-train"))
    old = path.read_bytes()
    done = run("update", str(path), "--yes", "--json")
    assert done.code == 1
    assert done.json["promoted"] is False
    assert done.json["unmeasured"] == "the hold-out is the training file"
    assert done.json["error"]["code"] == "not-measured"
    assert path.read_bytes() == old


@pytest.mark.slow
def test_a_training_command_that_fails_shows_what_it_printed(run: Run, demo_copy: Path) -> None:
    path = demo_copy / "diabetes/ridge.pkl"
    path.with_name("train.py").write_text("import sys\nprint('half way', file=sys.stderr)\nraise SystemExit(7)\n")
    with path.with_name("ridge.recipe.toml").open("a") as recipe:
        recipe.write('[retrain]\ncommand = ["python", "train.py", "{candidate}"]\n')
    done = run("update", str(path), "--yes", "--json")
    error = done.json["error"]
    assert (done.code, error["code"], error["exit"]) == (1, "training-failed", "exit code 7")
    assert (error["output"], error["phase"]) == ("half way", "command")
    assert "half way" in run("update", str(path), "--yes").err


def test_an_audit_log_that_was_touched_is_found_out(run: Run, demo_copy: Path) -> None:
    assert run("evaluate", str(demo_copy / "wine/forest.joblib")).code == 0
    log = next((demo_copy / ".model-console").glob("audit*"))
    log.write_bytes(log.read_bytes().replace(b"wine/forest", b"wine/Forest"))
    done = run("audit", "verify", str(demo_copy), "--json")
    assert done.code == 1
    assert done.json["ok"] is False


def test_doctor_examines_the_surroundings(run: Run, demo_store: Path) -> None:
    found = run("doctor", str(demo_store), "--json").json
    assert found["versions"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert all(set(layer) == {"active", "evidence"} for layer in found["sandbox"].values())


def started(*argv: str) -> subprocess.Popen[str]:
    """A command in a process of its own."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "console", *argv],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=Path(__file__).parents[2],
    )


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_an_interrupted_probe_ends_with_130_and_leaves_no_child(demo_store: Path, number: signal.Signals) -> None:
    with started("probe", str(demo_store / "sensors/online.pkl"), "--seconds", "60", "--json") as probe:
        assert probe.stdout is not None
        assert json.loads(probe.stdout.readline())["second"] == 1
        children = Path(f"/proc/{probe.pid}/task/{probe.pid}/children").read_text().split()
        probe.send_signal(number)
        _, err = probe.communicate(timeout=60)
    assert probe.returncode == 130
    assert "Traceback" not in err
    assert children
    assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]


@pytest.mark.slow
def test_a_reader_that_leaves_early_is_no_error(demo_store: Path) -> None:
    with started("probe", str(demo_store / "sensors/online.pkl"), "--seconds", "60", "--json") as probe:
        assert probe.stdout is not None
        probe.stdout.readline()
        probe.stdout.close()
        assert probe.wait(timeout=60) == 0
        assert probe.stderr is not None
        assert "Traceback" not in probe.stderr.read()


def test_watch_tells_of_a_change_as_a_json_line(demo_copy: Path) -> None:
    with started("watch", str(demo_copy), "--json") as watch:
        assert watch.stdout is not None
        seen: list[str] = []
        for line in watch.stdout:
            event = json.loads(line)
            if event["kind"] == "store.scanned":
                (demo_copy / "new.pkl").write_bytes((demo_copy / "sensors/online.pkl").read_bytes())
            seen.append(event["kind"])
            if event["subject"] == "new.pkl":
                break
        watch.send_signal(signal.SIGINT)
        watch.communicate(timeout=60)
    assert seen[-1] in ("artifact.added", "artifact.settling", "artifact.changed")
    assert watch.returncode == 130


def test_the_demo_is_built_once(tmp_path: Path, demo_store: Path, run: Run) -> None:
    done = run("demo", "--build-only", str(demo_store))
    assert (done.code, done.err) == (0, "")
    (tmp_path / "mine.txt").write_text("not a demo store")
    assert run("demo", "--build-only", str(tmp_path)).code == 1
    assert (tmp_path / "mine.txt").exists()


@pytest.mark.slow
def test_watch_follows_the_link_that_the_store_was_given_as(demo_copy: Path, tmp_path: Path) -> None:
    (tmp_path / "v2").mkdir()
    shutil.copy(demo_copy / "wine/forest.joblib", tmp_path / "v2")
    current, new = tmp_path / "current", tmp_path / "new"
    current.symlink_to(demo_copy)
    new.symlink_to("v2")
    with started("watch", str(current), "--json") as watch:
        assert watch.stdout is not None
        told = []
        for line in watch.stdout:
            told.append(json.loads(line))
            if told[-1]["kind"] == "store.scanned":
                new.replace(current)
            if told[-1]["text"] == "forest.joblib appeared":
                break
        watch.send_signal(signal.SIGINT)
        watch.communicate(timeout=60)
    moved = next(one for one in told if one["kind"] == "store.moved")
    assert moved["text"] == f"the store {current} leads to {tmp_path / 'v2'} now, no longer to {demo_copy}"
    assert "store.offline" not in [one["kind"] for one in told]
