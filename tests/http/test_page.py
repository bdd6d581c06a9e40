"""The page for a browser."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from urllib.parse import urlencode

import pytest

from tests.http.asking import Answered, Asking
from tests.http.standin import Standin, engine_of

CHURN = "/?model=churn%2Flr"
VOID = {"meta", "input", "rect", "br"}


class Balanced(HTMLParser):
    """Fails on tags that are not closed in order; keeps what is shown, and the attributes of all tags."""

    def __init__(self) -> None:
        super().__init__()
        self.opened: list[str] = []
        self.shown = ""
        self.attributes: list[tuple[str, str | None]] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.opened.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.opened.pop() == tag

    def handle_data(self, data: str) -> None:
        self.shown += data if self.opened[-1:] != ["style"] else ""


def parsed(answer: Answered) -> Balanced:
    page = Balanced()
    page.feed(answer.body.decode())
    assert not page.opened
    return page


@pytest.fixture
def client() -> Asking:
    return Asking(engine_of(Standin()))


async def test_all_models_are_shown_and_their_names_escaped(client: Asking) -> None:
    page = parsed(await client.get("/"))
    assert "3 models · 2 loaded" in page.shown
    assert "<b>broken</b>" in page.shown
    assert "names os.system" in page.shown
    assert "1.25 ms3.00 ms" in page.shown
    assert "b" not in page.tags


async def test_nothing_comes_from_elsewhere_and_nothing_runs(client: Asking) -> None:
    answer = await client.get(CHURN)
    page = parsed(answer)
    assert not page.tags & {"script", "img", "link", "iframe"}
    assert not [name for name, _value in page.attributes if name.startswith("on") or name in ("style", "src")]
    assert all((value or "").startswith("/") for name, value in page.attributes if name in ("href", "action"))
    style = re.search("<style>(.*?)</style>", answer.body.decode(), re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    policy = answer.headers["Content-Security-Policy"]
    assert f"style-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy


async def test_a_model_in_detail(client: Asking) -> None:
    page = parsed(await client.get(CHURN))
    for words in (
        "sklearn.linear_model._logistic.LogisticRegression",
        "income",
        "current",
        "stable",
        "it was replaced",
    ):
        assert words in page.shown
    assert [value for name, value in page.attributes if name == "name"] == [
        "viewport",
        "f0",
        "f1",
        "f2",
        "rows",
        "method",
    ]


async def form(client: Asking, **fields: str) -> Answered:
    return await client.post(CHURN, urlencode(fields))


async def test_a_row_of_fields_is_asked(client: Asking) -> None:
    page = parsed(await form(client, f0="10", f1="20.5", f2="40", method="predict"))
    assert "leaves" in page.shown
    assert "version 2" in page.shown
    assert ("value", "20.5") in page.attributes
    scores = parsed(await form(client, f0="10", f1="20", f2="40", method="predict_proba"))
    assert ("width", "70.00") in scores.attributes


async def test_rows_in_json_are_asked(client: Asking) -> None:
    page = parsed(await form(client, f0="", rows="[[1,2,3],[40,50,60]]"))
    assert page.shown.count("stays") >= 2
    assert "leaves" in page.shown


@pytest.mark.parametrize(
    ("fields", "status", "told"),
    [
        ({"f0": ""}, 400, "no values"),
        ({"rows": "[[1"}, 400, "no valid JSON"),
        ({"rows": "[[1,2]]"}, 400, "Expected 3 columns"),
        ({"f0": "1", "method": "</textarea><script>"}, 400, "</textarea><script>"),
    ],
)
async def test_errors_are_shown_on_the_page(client: Asking, fields: dict[str, str], status: int, told: str) -> None:
    answer = await form(client, **fields)
    page = parsed(answer)
    assert (answer.status, told in page.shown, "script" in page.tags) == (status, True, False)


async def test_a_model_that_is_not_there(client: Asking) -> None:
    answer = await client.get("/?model=%3Cscript%3E")
    assert (answer.status, "<script>" in parsed(answer).shown) == (404, True)
    assert (await client.post("/?model=none", "f0=1")).status == 404
    assert (await client.post(CHURN, b"\xff")).status == 400
