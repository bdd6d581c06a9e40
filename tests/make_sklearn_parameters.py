"""Regenerate backends/formats/pickle/sklearn_parameters.json: the constructor parameters of scikit-learn's classes.

They are read from the sources in its wheels, which are not run:

    pip download --no-deps --only-binary :all: scikit-learn==1.9.1 -d wheels      (and the other releases)
    python tests/make_sklearn_parameters.py wheels/*.whl

A class that several releases know has the union of their parameters. The releases used are kept in the file.
"""

from __future__ import annotations

import ast
import json
import sys
import zipfile
from pathlib import Path

_SKIPPED = ("/tests/", "/externals/", "/datasets/", "/_build_utils/")


class _Release:
    """The classes of one release: their bases and the parameters of their own constructor."""

    def __init__(self, wheel: Path) -> None:
        self.bases: dict[str, list[str]] = {}
        self.parameters: dict[str, list[str] | None] = {}
        with zipfile.ZipFile(wheel) as archive:
            for member in archive.namelist():
                if member.startswith("sklearn/") and member.endswith(".py") and not any(s in member for s in _SKIPPED):
                    self._module(member[:-3].replace("/", ".").replace(".__init__", ""), archive.read(member))

    def _module(self, module: str, text: bytes) -> None:
        for node in ast.parse(text).body:
            if isinstance(node, ast.ClassDef):
                dotted = f"{module}.{node.name}"
                self.bases[dotted] = [name for name in map(_last_name, node.bases) if name]
                self.parameters[dotted] = _constructor(node)

    def resolved(self) -> dict[str, list[str]]:
        """Parameters of every estimator class, inherited constructors included."""
        by_name: dict[str, list[str]] = {}
        for dotted in self.bases:
            by_name.setdefault(dotted.rsplit(".", 1)[1], []).append(dotted)
        found = {}
        for dotted in self.bases:
            lineage = self._lineage(dotted, by_name)
            if any(each.endswith(".BaseEstimator") for each in lineage):
                own = next((self.parameters[each] for each in lineage if self.parameters[each] is not None), [])
                found[dotted] = own or []
        return found

    def _lineage(self, dotted: str, by_name: dict[str, list[str]]) -> list[str]:
        lineage, queue = [], [dotted]
        while queue:
            here = queue.pop(0)
            if here in lineage:
                continue
            lineage.append(here)
            for base in self.bases[here]:
                candidates = by_name.get(base, [])
                near = [each for each in candidates if each.rsplit(".", 1)[0] == here.rsplit(".", 1)[0]]
                queue.extend((near or candidates)[:1])
        return lineage


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _constructor(node: ast.ClassDef) -> list[str] | None:
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and item.name == "__init__":
            arguments = item.args.posonlyargs + item.args.args + item.args.kwonlyargs
            return [argument.arg for argument in arguments if argument.arg != "self"]
    return None


def main(wheels: list[str]) -> None:
    """Write the table of the pickle format."""
    union: dict[str, dict[str, None]] = {}
    releases = []
    for wheel in map(Path, wheels):
        releases.append(wheel.name.split("-")[1])
        for dotted, names in _Release(wheel).resolved().items():
            union.setdefault(dotted, {}).update(dict.fromkeys(names))
    table = {dotted: sorted(names) for dotted, names in sorted(union.items())}
    target = Path(__file__).parents[1] / "backends" / "formats" / "pickle" / "sklearn_parameters.json"
    lines = ",\n".join(f"  {json.dumps(dotted)}: {json.dumps(names)}" for dotted, names in table.items())
    target.write_text(
        f'{{"releases": {json.dumps(sorted(releases))},\n"classes": {{\n{lines}\n}}}}\n', encoding="ascii"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
