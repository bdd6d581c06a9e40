"""The counts of the matrix at the end of a test run, by model."""

from __future__ import annotations

from typing import Any

__all__ = ["PROPERTY"]

PROPERTY = "matrix"
"""The property of a test that holds its counts, under these heads."""
_HEADS = ("answers equal", "refused with cause", "neither", "metrics equal", "left out with reason", "neither")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """A line for each model, and one for all."""
    reports = [one for kind in ("passed", "failed") for one in terminalreporter.getreports(kind)]
    found = {value[0]: value[1:] for one in reports for name, value in one.user_properties if name == PROPERTY}
    if not found:
        return
    terminalreporter.section("matrix: models x files")
    terminalreporter.write_line(f"{'':32}  {'  '.join(_HEADS)}")
    total = [sum(counts) for counts in zip(*found.values(), strict=True)]
    for model, counts in [*sorted(found.items()), (f"{len(found)} models", total)]:
        columns = (f"{count:>{len(head)}}" for count, head in zip(counts, _HEADS, strict=True))
        terminalreporter.write_line(f"{model:<32}  {'  '.join(columns)}")
