"""Answers of models as JSON: bounded, and what was cut says so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from console.worker.child.jsonable import TEXT_CAP, jsonable


class Long:
    def __str__(self) -> str:
        return "x" * (TEXT_CAP + 1)


@pytest.mark.parametrize("value", ["x" * (TEXT_CAP + 1), b"x" * (TEXT_CAP + 1), np.str_("x" * (TEXT_CAP + 1)), Long()])
def test_a_text_that_is_cut_says_so(value: Any) -> None:
    told = jsonable(value)
    assert told == "x" * TEXT_CAP + "… (cut: the first 10,000 of 10,001 characters)"
    assert jsonable([value]) == [told]


def test_a_text_that_just_fits_is_whole() -> None:
    assert jsonable("x" * TEXT_CAP) == "x" * TEXT_CAP
    assert jsonable(10**1000) == "1" + "0" * 1000
    assert jsonable(1 << 20_000) == "0x1" + "0" * 5000
