"""The real Prometheus scrapes `serve` under requests, and promtool reads its page."""

from __future__ import annotations

import json
import tempfile
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import joblib
import pytest
from sklearn.linear_model import LogisticRegression

from tests.monitor.test_exposition import PROMETHEUS, PROMTOOL, TRACE, TRACE_ID, check, eventually, get, prometheus
from tests.service.serving import Served, own_directories

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(None in (PROMETHEUS, PROMTOOL), reason="prometheus or promtool is not installed"),
]
BODY = {"inputs": [{"name": "x", "shape": [1, 1], "datatype": "FP64", "data": [1.0]}]}


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """The address of `serve`, with one model loaded."""
    (tmp_path / "store").mkdir()
    joblib.dump(LogisticRegression().fit([[0.0], [1.0]], [0, 1]), tmp_path / "store/lr.joblib")
    (tmp_path / "store/lr.recipe.toml").write_text('[serve]\nload = "start"\n')
    with (
        tempfile.TemporaryDirectory(prefix="mc-", dir="/tmp") as home,
        Served(tmp_path / "store", "--http", "127.0.0.1:0", **own_directories(home)) as one,
    ):
        one.hear("READY=1")
        yield f"127.0.0.1:{one.port()}"


def ask(address: str, number: int) -> None:
    """Send so many requests."""
    headers = {"Content-Type": "application/json", "traceparent": TRACE}
    url = f"http://{address}/v2/models/lr/infer"
    for _ in range(number):
        with urllib.request.urlopen(urllib.request.Request(url, json.dumps(BODY).encode(), headers)) as answer:
            assert json.load(answer)["outputs"][0]["data"] == [1]


def page(address: str, accept: str) -> str:
    """The metrics in this format."""
    request = urllib.request.Request(f"http://{address}/metrics", headers={"Accept": accept})
    with urllib.request.urlopen(request) as answer:
        return str(answer.read().decode())


def test_a_page_of_requests(address: str) -> None:
    ask(address, 20)
    check(page(address, "text/plain"))
    rich = page(address, "application/openmetrics-text; version=1.0.0")
    assert rich.endswith("# EOF\n")
    assert f'# {{trace_id="{TRACE_ID}"}}' in rich


def test_quantiles_rates_and_exemplars(address: str, tmp_path: Path) -> None:
    ask(address, 20)
    with prometheus(tmp_path, address) as api:
        quantile = "histogram_quantile(0.99, sum by (le) (model_console_request_duration_seconds_bucket))"
        (found,) = eventually(api, quantile, 1)
        assert 0 < float(found["value"][1]) < 60
        ask(address, 20)
        (rate,) = eventually(api, 'rate(model_console_requests_total{model="lr",source="request"}[1m]) > 0', 1)
        assert rate["metric"]["version"] == "1"
        asked = {"query": "model_console_request_duration_seconds_bucket", "start": "0", "end": "9999999999"}
        series = get(f"{api}/query_exemplars?{urllib.parse.urlencode(asked)}")
        assert {one["labels"]["trace_id"] for part in series for one in part["exemplars"]} == {TRACE_ID}
