"""The recipes of the store's artifacts, read when they are asked for."""

from __future__ import annotations

from pathlib import Path

from console.errors import BadInput
from console.store.recipe import Recipe, load_recipe


class Recipes:
    """Recipes by artifact path beneath `root`; a recipe is small and may change, so none is kept."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def of(self, path: str) -> Recipe:
        """The recipe of one artifact, all defaults where it has none. Raises BadInput with file and line."""
        return load_recipe(self._root / path)

    def or_default(self, path: str) -> Recipe:
        """The same where nobody can be told of a broken one: defaults."""
        try:
            return self.of(path)
        except BadInput:
            return Recipe()
