from __future__ import annotations

import json
import shutil
import socket
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from console.monitor.counts import ProbeCounts
from console.monitor.exposition import Exposed, ProcessFacts, exposition
from console.monitor.series import Recorder
from console.monitor.traffic import Traffic
from console.records import (
    Artifact,
    Memory,
    RequestOutcome,
    ServedModel,
    ServedState,
    ServedVersion,
    ServeSettings,
    Verdict,
    WorkerState,
    WorkerView,
)
from tests.monitor.scraped import Page, read

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
TRACE = f"00-{TRACE_ID}-b7ad6b7169203331-01"
PROMTOOL, PROMETHEUS = shutil.which("promtool"), shutil.which("prometheus")


def exposed(outcomes: list[RequestOutcome], *models: ServedModel, probe: ProbeCounts | None = None) -> Exposed:
    """All that would be told after these requests; each model that was asked is loaded."""
    traffic = Traffic(lambda path: Recorder(), lambda failed: None)
    for outcome in outcomes:
        traffic.record(outcome)
    paths = {outcome.path: outcome.model for outcome in outcomes if outcome.path}
    memory = Memory(200 << 20, 150 << 20, 100 << 20)
    views = {
        path: WorkerView(path, WorkerState.READY, 0.0, pid=7, memory=memory, cpu=12.5, restarts=2, copies=2, pids=(7,))
        for path in paths
    }
    return Exposed(
        traffic.counts(100),
        traffic.strangers,
        {} if probe is None else dict.fromkeys(paths, probe),
        views,
        dict.fromkeys(paths, 3),
        tuple(Artifact(path, 10, 0.0, verdict=Verdict.SAFE) for path in (*paths, "else.pkl")),
        models or tuple(served(path, name) for path, name in paths.items()),
        ProcessFacts(1_790_000_000.0, 4, jobs=1, clients=2),
    )


def served(path: str, name: str) -> ServedModel:
    """A model in service with two versions, of which one is a canary."""
    new = ServedVersion("7", ServedState.AVAILABLE, digest="sha256:ab", labels=("canary", "next"), weight=0.1)
    new = replace(new, memory=Memory(50 << 20, 40 << 20), cpu=50.0)
    old = ServedVersion("6", ServedState.AVAILABLE, digest="sha256:cd", current=True, weight=0.9)
    return ServedModel(name, path, "joblib", None, "safe", ServeSettings(name), (old, new), ready=True)


def outcome(model: str = "churn/lr", **about: object) -> RequestOutcome:
    usual = {"model": model, "path": f"{model}.joblib", "version": "6", "when": time.time(), "rows": 4, "batch": 8}
    times = {"queue_ms": 0.05, "model_ms": 2.0, "total_ms": 3.0, "bytes_in": 300, "bytes_out": 40}
    return RequestOutcome(**{**usual, **times, **about})  # type: ignore[arg-type]


def both(told: Exposed) -> Iterator[Page]:
    """The page in either format."""
    for openmetrics in (False, True):
        text = exposition(told, openmetrics=openmetrics)
        assert text.endswith("# EOF\n") is openmetrics
        yield read(text)


def check(text: str) -> None:
    """Have promtool say nothing."""
    assert PROMTOOL is not None
    done = subprocess.run([PROMTOOL, "check", "metrics"], input=text, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), done.stderr


def test_requests_probes_and_errors_are_told_apart() -> None:
    probe = Recorder()
    probe.call(1, 9.0, 10.0)
    probe.error()
    outcomes = [outcome(), outcome(), outcome(error="deadline"), outcome("", path="", error="not-served")]
    one = {"model": "churn/lr", "version": "6", "source": "request"}
    for page in both(exposed(outcomes, probe=probe.probed)):
        assert page.value("model_console_requests_total", **one) == 3
        assert page.value("model_console_request_errors_total", code="deadline", **one) == 1
        assert page.value("model_console_rows_total", **one) == 8
        assert page.value("model_console_request_duration_seconds_sum", **one) == pytest.approx(0.006)
        assert page.value("model_console_request_duration_seconds_count", **one) == 2
        assert page.value("model_console_request_duration_seconds_bucket", le="0.0025", **one) == 0
        assert page.value("model_console_request_duration_seconds_bucket", le="0.005", **one) == 2
        assert page.value("model_console_worker_duration_seconds_bucket", le="0.0025", **one) == 2
        assert page.value("model_console_queue_duration_seconds_bucket", le="0.0001", **one) == 2
        assert page.value("model_console_batch_rows_sum", **one) == 16
        assert page.value("model_console_request_size_bytes_sum", **one) == 900
        probed = {"model": "churn/lr", "version": "", "source": "probe"}
        assert page.value("model_console_requests_total", **probed) == 2
        assert page.value("model_console_request_errors_total", code="failed", **probed) == 1
        assert page.value("model_console_worker_duration_seconds_sum", **probed) == pytest.approx(0.009)
        stranger = {"model": "", "version": "", "source": "request", "code": "not-served"}
        assert page.value("model_console_request_errors_total", **stranger) == 1


def test_workers_versions_store_and_engine_are_told() -> None:
    for page in both(exposed([outcome()])):
        assert page.value("model_console_worker_rss_bytes", model="churn/lr") == 200 << 20
        assert page.value("model_console_worker_cpu_ratio", model="churn/lr") == 0.125
        assert page.value("model_console_worker_restarts_total", model="churn/lr") == 2
        assert page.value("model_console_worker_copies_wanted", model="churn/lr") == 2
        assert page.value("model_console_worker_copies_ready", model="churn/lr") == 1
        assert page.value("model_console_queue_depth", model="churn/lr") == 3
        assert page.value("model_console_version_weight_ratio", model="churn/lr", version="7") == 0.1
        assert page.value("model_console_version_rss_bytes", model="churn/lr", version="7") == 50 << 20
        assert page.value("model_console_version_cpu_ratio", model="churn/lr", version="7") == 0.5
        assert {"labels": "canary,next", "digest": "sha256:ab", "version": "7"}.items() <= page.labels(
            "model_console_version_info"
        )[1].items()
        assert page.value("model_console_artifacts", verdict="safe", state="ready") == 1
        assert page.value("model_console_artifacts", verdict="safe", state="on disk") == 1
        assert page.value("model_console_failures_total") == 4
        assert page.value("model_console_jobs_running") == 1
        assert page.value("model_console_clients_attached") == 2
        assert page.value("model_console_engine_start_time_seconds") == 1_790_000_000


def test_exemplars_are_told_in_openmetrics_only() -> None:
    plain, rich = both(exposed([outcome(trace=TRACE), outcome(trace="no trace context")]))
    assert not plain.traces
    assert list(rich.traces.values()) == [TRACE_ID]
    ((name, labels),) = rich.traces
    assert (name, dict(labels)["le"]) == ("model_console_request_duration_seconds_bucket", "0.005")
    assert rich.kinds["model_console_requests"] == "counter"
    assert plain.kinds["model_console_requests_total"] == "counter"


def test_two_artifacts_of_one_name_do_not_make_a_series_twice() -> None:
    outcomes = [outcome("a", path="a.pkl"), outcome("a", path="a.joblib")]
    for page in both(exposed(outcomes, served("a.pkl", "a"), served("a.joblib", "a"))):
        assert {one["model"] for one in page.labels("model_console_worker_rss_bytes")} == {"a", "a.joblib"}


def test_models_and_versions_are_bounded() -> None:
    outcomes = [outcome(f"m{model}", version=str(version)) for model in range(50) for version in range(9)]
    told = exposed(outcomes)
    assert len(told.requests) == 100
    assert exposition(told).count("model_console_requests_total{") == 100


NAMES = st.one_of(
    st.text(max_size=20), st.sampled_from(['a"b', "a\\", "a\nb", "\\n", '"} 1\nx{a="', "\udc80", "ü\0\r"])
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(NAMES, NAMES, NAMES), min_size=1, max_size=5))
def test_hostile_names_stay_labels(hostile: list[tuple[str, str, str]]) -> None:
    outcomes = [outcome(model, path=path + "x", version=version) for model, path, version in hostile]
    wanted = {(model, version) for model, _path, version in hostile}
    for page in both(exposed(outcomes)):
        told = {(one["model"], one["version"]) for one in page.labels("model_console_requests_total")}
        assert told == {tuple(text.encode("utf-8", "backslashreplace").decode() for text in one) for one in wanted}


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")
def test_promtool_has_nothing_to_say() -> None:
    names = ["churn/lr", 'a"b\\', "a\nb", "\udc80", '"} 1\nx{a="', "ü\r\0", "x" * 3000]
    outcomes = [outcome(name, trace=TRACE, error=error) for name in names for error in ("", "deadline")]
    probe = Recorder()
    probe.call(1, 1.0, 2.0)
    check(exposition(exposed(outcomes, probe=probe.probed)))
    check(exposition(exposed([])))


@pytest.mark.slow
@pytest.mark.skipif(PROMETHEUS is None, reason="prometheus is not installed")
def test_prometheus_scrapes_and_answers(tmp_path: Path) -> None:
    outcomes = [outcome(name, trace=TRACE) for name in ("churn/lr", 'a"b\\', "a\nb", "ü\r") for _ in range(20)]
    told = exposed([*outcomes, outcome(error="deadline")])
    with page_server(told) as (target, asked), prometheus(tmp_path, target) as api:
        query = "histogram_quantile(0.5, sum by (le, model) (model_console_request_duration_seconds_bucket))"
        found = eventually(api, query, 4)
        assert {one["metric"]["model"] for one in found} == {"churn/lr", 'a"b\\', "a\nb", "ü\r"}
        assert all(0.0025 <= float(one["value"][1]) <= 0.005 for one in found)
        (failed,) = eventually(api, 'model_console_request_errors_total{code="deadline"}', 1)
        assert failed["value"][1] == "1"
        around = {"start": str(time.time() - 600), "end": str(time.time() + 600)}
        asks = {"query": "model_console_request_duration_seconds_bucket", **around}
        examples = get(f"{api}/query_exemplars?{urllib.parse.urlencode(asks)}")
        traces = [one["labels"]["trace_id"] for series in examples for one in series["exemplars"]]
        assert set(traces) == {TRACE_ID}
        assert all("application/openmetrics-text" in accept for accept in asked)


@contextmanager
def page_server(told: Exposed) -> Iterator[tuple[str, list[str]]]:
    """A server of the page in the format that is asked for, with what it was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.headers["Accept"])
            openmetrics = "application/openmetrics-text" in asked[-1]
            body = exposition(told, openmetrics=openmetrics).encode()
            kind = "application/openmetrics-text; version=1.0.0" if openmetrics else "text/plain; version=0.0.4"
            self.send_response(200)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Nothing is written."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def prometheus(place: Path, target: str) -> Iterator[str]:
    """The real one, that scrapes one target; the address of its API."""
    assert PROMETHEUS is not None
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    job = {"job_name": "engine", "static_configs": [{"targets": [target]}]}
    config = {"global": {"scrape_interval": "1s", "scrape_timeout": "1s"}, "scrape_configs": [job]}
    (place / "prometheus.yml").write_text(json.dumps(config))
    words = [
        *(PROMETHEUS, f"--config.file={place / 'prometheus.yml'}", f"--storage.tsdb.path={place / 'data'}"),
        *(f"--web.listen-address={address}", "--enable-feature=exemplar-storage"),
    ]
    with (place / "log").open("wb") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log, cwd=place)
        try:
            yield f"http://{address}/api/v1"
        finally:
            process.terminate()
            process.wait()


def get(url: str) -> list[dict[str, Any]]:
    with urllib.request.urlopen(url, timeout=60) as answer:
        data = json.load(answer)["data"]
    found: list[dict[str, Any]] = data["result"] if isinstance(data, dict) else data
    return found


def eventually(api: str, query: str, number: int) -> list[dict[str, Any]]:
    """The answer once it has so many series."""
    url = f"{api}/query?{urllib.parse.urlencode({'query': query})}"
    found: list[dict[str, Any]] = []
    until = time.monotonic() + 120
    while len(found) < number and time.monotonic() < until:
        try:
            found = get(url)
        except OSError:
            time.sleep(0.2)
        else:
            time.sleep(0 if len(found) >= number else 0.2)
    assert len(found) == number
    return found
