"""Rows of requests held against the model: what cannot be its inputs is refused by name before it is asked."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Optional

from backends.core.errors import Refusal
from backends.core.inputs import NUMBER, TEXT, Inputs, Kind
from backends.core.inspection import Json
from console.worker.child.calls import typed_rows
from console.worker.child.data.cells import is_number
from console.worker.child.readers import frame_of

_ONE_TEXT = "the model takes one text for each row"
_DIFFERENCES_CAP = 200


class AskedRows:
    """Makes the rows of requests to one model into what it takes."""

    def __init__(self, inputs: Inputs) -> None:
        self._inputs = inputs

    def array(self, rows: Any) -> Any:
        """Rows of numbers; a data frame for a model that picks its columns by name. Raises Refusal."""
        if self._takes_texts:
            raise Refusal("bad-input", f"{_ONE_TEXT}, found numbers")
        names = self._picked
        if names is None or rows.ndim != 2 or rows.shape[1] != len(names):
            return rows
        return self._checked(frame_of(rows, names))

    def typed(self, rows: list[Any], columns: Optional[list[str]]) -> Any:
        """Rows of JSON values, as `typed_rows` has them. Raises Refusal."""
        if self._takes_texts:
            rows, columns = [_text(row) for row in rows], None
        return self._checked(self._as_wide(typed_rows(rows, columns, self._inputs)))

    @cached_property
    def _takes_texts(self) -> bool:
        return self._inputs.takes_texts

    @cached_property
    def _picked(self) -> Optional[list[str]]:
        return self._inputs.names if self._inputs.by_name else None

    @cached_property
    def _kinds(self) -> dict[str, Kind]:
        return self._inputs.kinds(self._inputs.names or [])

    def _as_wide(self, rows: Any) -> Any:
        """The same rows. Raises Refusal where they are not as wide as the model's."""
        wanted, constant = self._inputs.count, self._inputs.constant
        if wanted is None or self._inputs.picks or len(rows.shape) != 2:
            return rows
        width = rows.shape[1]
        if width not in (wanted, wanted - 1 if constant is not None else wanted):
            raise Refusal("bad-input", f"a row has {width} values, the model takes {wanted}")
        return rows

    def _checked(self, rows: Any) -> Any:
        """The same rows. Raises Refusal with every column that holds texts for numbers, or numbers for texts."""
        if not hasattr(rows, "iloc") or not self._kinds:
            return rows
        differences = [one for name in rows if (one := _difference(name, rows[name], self._kinds.get(name)))]
        if differences:
            told = "; ".join(
                f"'{one['column']}': {one['expected']} expected, found {one['found']}" for one in differences[:3]
            )
            details = {"differences": differences[:_DIFFERENCES_CAP], "count": len(differences)}
            raise Refusal("columns", f"the row does not fit the model: {told}", details)
        return rows


def _text(row: Any) -> str:
    """The one text of a row: alone, in a list, or in an object. Raises Refusal."""
    values = list(row.values()) if isinstance(row, dict) else row if isinstance(row, list) else [row]
    if len(values) == 1 and isinstance(values[0], str):
        return values[0]
    found = f"{len(values)} values" if len(values) != 1 else "no text"
    raise Refusal("bad-input", f"{_ONE_TEXT}, found {found}")


def _difference(name: str, values: Any, kind: Optional[Kind]) -> Optional[dict[str, Json]]:
    """One column of another kind than the model's; None where it fits, or that cannot be told."""
    if kind is None or kind.loose or kind.kind not in (NUMBER, TEXT):
        return None
    numeric = values.dtype.kind in "biuf"
    if kind.kind == TEXT:
        wrong = numeric and bool(values.notna().any())
    else:
        wrong = not numeric and any(isinstance(value, str) and not is_number(value) for value in values)
    found = TEXT if kind.kind == NUMBER else NUMBER
    return {"column": name, "problem": "type", "expected": kind.kind, "found": found} if wrong else None
