"""The OpenAPI description: whole in itself, and of all routes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from console.http.routes import ROUTES
from tests.http.asking import Asking
from tests.http.standin import engine_of


@pytest.fixture
async def document() -> Any:
    return (await Asking(engine_of()).get("/openapi.json")).json


def references(value: Any) -> Iterator[str]:
    """All references in a document."""
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def test_every_route_is_described(document: Any) -> None:
    described = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    assert described == {(route.method, route.pattern) for route in ROUTES}
    assert document["openapi"].startswith("3.1.")


def test_every_reference_is_found(document: Any) -> None:
    found = set(references(document["paths"])) | set(references(document["components"]))
    names = {reference.removeprefix("#/components/schemas/") for reference in found}
    assert names == set(document["components"]["schemas"])


def test_operations_have_names_of_their_own_and_their_parameters(document: Any) -> None:
    operations = [(path, one) for path, item in document["paths"].items() for one in item.values()]
    names = [operation["operationId"] for _path, operation in operations]
    assert len(set(names)) == len(names)
    for path, operation in operations:
        told = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "path"}
        assert told == set(re.findall(r"\{(\w+)\}", path))
        assert {"200", "default"} <= set(operation["responses"])
        assert all(response["description"] for response in operation["responses"].values())


@pytest.mark.parametrize(("path", "schema"), [("/v2/health/ready", "Ready"), ("/v2/models/{name}/ready", "ModelReady")])
def test_not_ready_is_described_as_the_answer_that_it_is(document: Any, path: str, schema: str) -> None:
    told = document["paths"][path]["get"]["responses"]["503"]["content"]["application/json"]["schema"]
    assert [one["$ref"].rpartition("/")[2] for one in told["anyOf"]] == [schema, "ErrorAnswer"]


def test_what_a_body_must_have_is_told(document: Any) -> None:
    def required(path: str) -> list[list[str]]:
        body = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
        return [one["required"] for one in body["oneOf"]]

    assert required("/v1/models/{name}:predict") == [["instances"], ["inputs"]]
    assert required("/invocations") == [["dataframe_split"], ["dataframe_records"], ["instances"], ["inputs"]]
    assert "FP64" in document["components"]["schemas"]["InputHead"]["properties"]["datatype"]["enum"]
