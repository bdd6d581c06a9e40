"""A format of another distribution: a line `toy 1`, then the names and the weights of a linear model, as text."""

from __future__ import annotations

from backends.core.format import Format

FORMATS = Format(
    name="toy",
    suffix=".toy",
    implementation="toy_format.model",
    title="a toy model",
    magic=(b"toy 1\n",),
)
