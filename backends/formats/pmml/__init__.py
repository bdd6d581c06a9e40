"""PMML: models as XML, of the Data Mining Group; inspected, not run."""

from __future__ import annotations

import re

from backends.core.format import Format

_STARTS = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]{0,200}>\s*)?(?:<!--.{0,2000}?-->\s*)*(?:<!DOCTYPE\s+(?:[\w.-]+:)?PMML[\s\[>].*|<(?:[\w.-]+:)?PMML[\s>/])",
    re.DOTALL,
)


def _starts(head: bytes) -> bool:
    """Whether the root of a document is that of PMML, or its document type says so."""
    return _STARTS.match(head) is not None


FORMATS = (
    Format(
        name="pmml",
        suffix=".pmml",
        implementation="backends.formats.pmml.document",
        title="a PMML document",
        suffixes=(".pmml", ".xml"),
        promises=(".pmml",),
        starts=_starts,
        order=40,
        not_loadable="PMML is not run here: run it with jpmml, or export the model to ONNX where it was trained",
        not_writable="PMML is written by sklearn2pmml and others, from the model in its own library",
    ),
)
