"""The recipes of the store's artifacts, read when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

from msgspec.structs import replace

from console.errors import InputError
from console.files.opening import identity_at
from console.recipes.chosen import Chosen
from console.recipes.recipe import Recipe, read_recipe, recipe_path
from console.records import FileIdentity, ReadOptions
from console.trust.interpreters import admitted

_MOST = 256


class Recipes:
    """Recipes by artifact path beneath `root`. One that was read is kept for as long as its file stays untouched:
    a probe asks for it with every request."""

    def __init__(
        self, root: Path, interpreters: Callable[[], Collection[str]] = tuple, chosen: Chosen | None = None
    ) -> None:
        """`interpreters` are those in the store that the user's policy lets a recipe name; what was `chosen` is the
        data of a model whose recipe names none."""
        self.root = root
        self._interpreters = interpreters
        self._chosen = chosen
        self._read: dict[Path, tuple[FileIdentity, Recipe]] = {}
        self._said: dict[str, ReadOptions] = {}

    def read_as(self, path: str, options: ReadOptions) -> None:
        """From here on the data files of this artifact are read so, whatever its recipe says of it."""
        self._said[path] = options

    def of(self, path: str) -> Recipe:
        """The recipe of one artifact, all defaults where it has none. Raises InputError with file and line."""
        recipe, said = self.written(path), self._said.get(path)
        choice = self._chosen.of(path) if self._chosen is not None and not recipe.data.is_named else None
        if choice is not None:
            target = choice.target or recipe.data.target
            recipe = replace(recipe, data=replace(recipe.data, train=choice.data, target=target))
        return recipe if said is None else replace(recipe, data=recipe.data.read_as(said))

    def written(self, path: str) -> Recipe:
        """The recipe as it stands in its file. Raises InputError."""
        file = recipe_path(self.root / path)
        if file is None:
            return Recipe()
        now = identity_at(file)
        kept = self._read.get(file)
        if kept is not None and now is not None and kept[0] == now:
            return kept[1]
        recipe = read_recipe(file)
        if now is not None and now == identity_at(file):
            if len(self._read) >= _MOST:
                self._read.clear()
            self._read[file] = (now, recipe)
        return recipe

    def or_default(self, path: str) -> Recipe:
        """The same where nobody can be told of a broken one: defaults."""
        try:
            return self.of(path)
        except InputError:
            return Recipe()

    def python(self, path: str) -> str | None:
        """The interpreter that the model at `path` asks for, None for the console's own. Raises AccessDeniedError."""
        python = self.or_default(path).environment.python
        return None if python is None else admitted(python, self.root, self._interpreters())
