"""A small reader of Prometheus' text format and of OpenMetrics, by their specifications and not by our writer."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_VALUE = r"(?:[+-]?(?:Inf|[0-9.]+(?:e[+-]?[0-9]+)?)|NaN)"
_LABEL = re.compile(rf'({_NAME})="((?:[^"\\\n]|\\["\\n])*)"(,|$)')
_SAMPLE = re.compile(
    rf"({_NAME})(?:\{{(.*)\}})? ({_VALUE})(?: # \{{trace_id=\"([0-9a-f]{{32}})\"\}} ({_VALUE}) ({_VALUE}))?"
)
_PLAIN = {r"\\": "\\", r"\"": '"', r"\n": "\n"}


@dataclass
class Page:
    """All samples by name and labels, the types of their families, and the traces of those that have one."""

    samples: dict[tuple[str, frozenset[tuple[str, str]]], float] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    traces: dict[tuple[str, frozenset[tuple[str, str]]], str] = field(default_factory=dict)

    def value(self, name: str, **labels: str) -> float | None:
        """One sample by all its labels."""
        return self.samples.get((name, frozenset(labels.items())))

    def labels(self, name: str) -> list[dict[str, str]]:
        """The labels of all samples of one name."""
        return [dict(labels) for one, labels in self.samples if one == name]


def read(text: str) -> Page:
    """The samples of a page; an AssertionError where it is malformed."""
    page, ended = Page(), set()
    family = ""
    for line in text.split("\n")[:-1]:
        if line.startswith("# HELP "):
            family = line.split(" ")[2]
            assert family not in ended, f"{family} comes twice"
            ended.add(family)
        elif line.startswith("# TYPE "):
            _type, name, kind = line[2:].split(" ")
            assert name == family
            page.kinds[name] = kind
        elif line != "# EOF":
            _take(page, family, line)
    assert text.endswith("\n")
    return page


def _take(page: Page, family: str, line: str) -> None:
    found = _SAMPLE.fullmatch(line)
    assert found is not None, line
    name, told, value, trace = found[1], found[2] or "", found[3], found[4]
    assert name.startswith(family)
    labels: dict[str, str] = {}
    while told:
        label = _LABEL.match(told)
        assert label is not None, line
        assert label[1] not in labels
        labels[label[1]] = re.sub(r"\\.", lambda one: _PLAIN[one[0]], label[2])
        told = told[label.end() :]
    key = (name, frozenset(labels.items()))
    assert key not in page.samples, f"{line} comes twice"
    page.samples[key] = float(value)
    if trace:
        page.traces[key] = trace
