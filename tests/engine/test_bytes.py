"""Whatever the engine is asked and answers goes through bytes and comes out the same."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from console import errors
from console.engine.codec import decode, encode, error_from, error_record
from console.errors import ConsoleError
from console.records import ErrorRecord
from tests.engine.strategies import values
from tests.engine.surface import Method, methods, rooms

METHODS = {str(method): method for method in methods()}
ERRORS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, ConsoleError)]


def kinds(method: Method) -> list[Any]:
    return [*method.takes.values(), method.gives]


def test_the_whole_surface_is_looked_at() -> None:
    assert len(rooms()) >= 11
    assert len(METHODS) >= 60
    assert {"artifacts.scan", "models.load", "monitor.series", "inference.answers", "changes"} <= set(METHODS)


@pytest.mark.parametrize("name", METHODS)
@settings(max_examples=4, suppress_health_check=list(HealthCheck), database=None)
@given(data=st.data())
def test_arguments_and_answers_survive(name: str, data: st.DataObject) -> None:
    for kind in kinds(METHODS[name]):
        value = data.draw(values(kind))
        assert decode(encode(value), kind) == value


@pytest.mark.parametrize("kind", ERRORS)
@given(record=values(ErrorRecord))
@settings(max_examples=5, database=None)
def test_an_error_is_raised_again_as_it_was(kind: type[ConsoleError], record: ErrorRecord) -> None:
    error = kind(record.message, hint=record.hint, failure=record.failure)
    again = error_from(decode(encode(error_record(error)), ErrorRecord))
    assert type(again) is kind
    assert (again.message, again.hint, again.failure, again.code) == (
        error.message,
        error.hint,
        error.failure,
        error.code,
    )


def test_an_error_that_only_some_room_knows_goes_by_its_kind() -> None:
    class Odd(errors.AccessDeniedError):
        code = "odd"

    again = error_from(error_record(Odd("no")))
    assert (type(again), again.code, again.exit_code) == (errors.AccessDeniedError, "odd", 3)


def test_bytes_that_are_no_such_record_are_refused() -> None:
    for data in (b"", b"\xff", b'{"kind": 1}', b"[]"):
        with pytest.raises(ValueError, match=r"."):
            decode(data, ErrorRecord)
