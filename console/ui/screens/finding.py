"""The meanings of a line typed after `:`: a command with its argument, or whatever has that name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice

from textual.content import Content

from console.errors import UsageError
from console.nearest import NearestName
from console.records import Artifact
from console.safe_text import safe
from console.ui import states, text
from console.ui.commands import SETTINGS, Setting
from console.ui.cooperative import cooperative
from console.ui.keys import ACTIONS, EVERYWHERE, Action, actions_at, shown_keys
from console.ui.screens.base import ConsoleScreen
from console.ui.themes import THEMES
from console.ui.widgets.line_list import Item

Key = tuple[str, ...]
"""The meaning of a line of the list: ("action", id), ("of", id, path), ("model", path), ("theme", name),
("filter", pattern), ("setting", word, what follows), or ("word", word), which waits for what follows."""

_MOST = 200
"""Lines the list takes; who looks for more types more."""
_MOST_NAMES = 100_000
"""Names that a mistyped word is compared with, in about half a second."""
_NO_COMMANDS = ("command", "back")
_SPECIAL = frozenset("\\^$*+?{}[]|()!")


@dataclass(frozen=True, slots=True)
class Found:
    """The lines of the list. With a `problem` none is taken by itself, since what was typed is not or not yet any."""

    items: tuple[Item, ...] = ()
    problem: str = ""


class Finder:
    """Finds on behalf of one screen; what is allowed there now stands at the beginning."""

    def __init__(self, below: ConsoleScreen) -> None:
        self._below = below
        here = [action for place in (below.PLACE, EVERYWHERE) for action in actions_at(place)]
        self._here = {action.id: action for action in here if action.id not in _NO_COMMANDS}
        self._allowed = {name: action for name, action in self._here.items() if below.allowed(name)}
        self._words: dict[str, Action] = {}
        named = [action for action in ACTIONS if action.takes_model and action.id not in self._here]
        for action in sorted((*self._here.values(), *named), key=lambda action: action.group == "Tabs"):
            for word in action.words:
                self._words.setdefault(word, action)
        self._settings = {word: one for one in SETTINGS for word in (one.word, *one.also)}

    def usage(self, line: str) -> str:
        """The arguments of the command in the line, "" where there is none."""
        head, blank, _rest = _parts(line)
        setting, action = self._settings.get(head), self._words.get(head)
        if setting is not None and (blank or head not in self._allowed):
            return f"{setting.usage}: {setting.help}" if setting.takes else setting.help
        if action is not None and action.takes_model:
            return f"{head} MODEL: {action.help}"
        return ""

    async def find(self, line: str) -> Found:
        """All that the line may mean, the likeliest first; over a large store it takes a while."""
        head, blank, rest = _parts(line)
        setting, action = self._settings.get(head), self._words.get(head)
        if setting is not None and blank:
            return self._of_setting(setting, rest)
        if setting is not None and setting.word not in self._allowed:
            return _with(self._of_setting(setting, ""), await self._by_name(line, None))
        if action is not None and rest:
            return await self._of_action(head, action, rest, line)
        if action is not None and action.id not in self._allowed and not self._below.allowed(action.id):
            return await self._not_here(head, action)
        return await self._by_name(line, action)

    def _of_setting(self, setting: Setting, rest: str) -> Found:
        *before, last = rest.casefold().split(" ")
        before = [word for word in before if word]
        choices = setting.choices(before)
        fitting = [one for one in choices if one.startswith(last)] or [one for one in choices if last in one]
        problem = ""
        items: list[Item] = []
        for said in dict.fromkeys((rest.strip(), *(" ".join((*before, one)) for one in fitting))):
            try:
                setting.prepare(self._below.app, self._below.subject, said)
            except UsageError as error:
                problem = problem or wrong(error, setting.word)
            else:
                items.append((("setting", setting.word, said), _line(setting.word, said)))
        return Found(tuple(items), "" if items and rest else problem)

    async def _of_action(self, head: str, action: Action, rest: str, line: str) -> Found:
        """The models that an action may be about; what acts on a model takes none but one that was named or chosen."""
        if not action.takes_model:
            by_name = await self._by_name(line, None)
            return by_name if by_name.items else Found((), f"{head} takes nothing")
        sure, others, count = await self.models(rest)
        if sure is None and not count:
            by_name = Found() if action.acts else await self._by_name(line, None)
            if by_name.items:
                return by_name
            return Found((), f"no model is called {safe(rest, 60)}{await self.meant(rest)}")
        possible = self._below.app.operations.possible
        others.sort(key=lambda one: one is not sure and not possible(action.id, one.path))
        shown = [*([sure] if sure else ()), *(one for one in others if one is not sure)]
        items = tuple((("of", action.id, one.path), _model_line(head, one)) for one in shown)
        several = action.acts and sure is None
        return Found(items, f"{safe(rest, 40)} is in {text.count(count, 'model')}: down chooses one" if several else "")

    async def _not_here(self, head: str, action: Action) -> Found:
        """An action that is not possible on the screen below without more words."""
        objection = self._below.objection(action.id) if action.id in self._here else None
        by_name = await self._by_name(head, None)
        if objection is not None:
            return Found(by_name.items, objection)
        return Found(by_name.items, f"{head} takes the name of a model here")

    def action(self, word: str) -> Action | None:
        """The action that a word stands for."""
        return self._words.get(word)

    async def models(self, rest: str) -> tuple[Artifact | None, list[Artifact], int]:
        """The model that is called just so, with or without its suffix, or the only one with these words in it; the
        first of all that have them, and how many have."""
        words, name = rest.casefold().split(), rest.strip()
        exact = self._below.mirror.rows.get(rest) or self._below.mirror.rows.get(name)
        same: list[Artifact] = []
        first: list[Artifact] = []
        count = 0
        async for artifact in cooperative(self._below.mirror.in_order()):
            known = f"{artifact.path} {states.kind_words(artifact)}".casefold()
            if all(word in known for word in words):
                count += 1
                if stem(artifact.path) == name:
                    same.append(artifact)
                if len(first) < _MOST:
                    first.append(artifact)
        only = same if len(same) == 1 else first if count == 1 else [None]
        return exact or only[0], first, count

    async def _by_name(self, line: str, exact: Action | None) -> Found:
        """Whatever has all the words in it; an action that is called just so comes first, then what begins so."""
        words = line.casefold().split()
        items: list[Item] = []
        models_at, in_path = -1, 0
        if exact is not None:
            items.append((("action", exact.id), _action_line(exact)))
        called = len(items)
        async for known, key, shown in cooperative(self._all()):
            if key[0] == "model" and models_at < 0:
                models_at = len(items)
            known = known.casefold()
            if all(word in known for word in words) and (exact is None or key != ("action", exact.id)):
                if len(words) == 1 and key[0] in ("action", "word") and key[1].startswith(words[0]):
                    items.insert(called, (key, shown()))
                    called += 1
                else:
                    items.append((key, shown()))
                in_path += key[0] == "model" and len(words) == 1 and words[0] in key[1].casefold()
                if len(items) >= _MOST:
                    break
        if in_path > 1:
            items.insert(models_at, _filter_item(line.strip()))
        if items or not words:
            return Found(tuple(items))
        return Found((), f"nothing has that name{await self._meant_by(line)}")

    async def meant(self, typed: str, *, words: bool = False) -> str:
        """A question for what was perhaps meant, to stand behind what is wrong; "" where nothing is like it."""
        found = await _nearest(typed.strip(), self._names(words=words))
        return f": did you mean {safe(found)}?" if found else ""

    async def _meant_by(self, line: str) -> str:
        """The same for a whole line: what its first word was perhaps meant to be, with what follows it."""
        head, _blank, rest = _parts(line)
        words = ((word, word) for word in (*self._settings, *self._words))
        found = await _nearest(head, words) if rest else None
        return f": did you mean {safe(f'{found} {rest}', 80)}?" if found else await self.meant(line, words=True)

    def _all(self) -> Iterator[tuple[str, Key, Callable[[], Content]]]:
        """All that can be found: the text to find it by, its key, and how its line is drawn."""
        for action in self._allowed.values():
            known = f"{shown_keys(action, first=True)} {action.label} {action.help}"
            yield known, ("action", action.id), partial(_action_line, action)
        for one in SETTINGS:
            known = f"{one.word} {one.help}"
            key = ("word", one.word) if one.takes else ("setting", one.word, "")
            yield known, key, partial(_line, ":", f"{one.word:<16}", one.help)
        for name in THEMES:
            yield f"theme {name}", ("theme", name), partial(_line, "theme", name)
        for artifact in self._below.mirror.in_order():
            known = f"model {artifact.path} {states.kind_words(artifact)}"
            yield known, ("model", artifact.path), partial(_model_line, "model", artifact)

    def _names(self, *, words: bool = False) -> Iterator[tuple[str, str]]:
        """Names by which a model, or a word of ours, may have been meant, each with what is then to be typed."""
        if words:
            yield from ((word, word) for word in (*self._settings, *self._words))
        for artifact in self._below.mirror.in_order():
            name = stem(artifact.path)
            for part in {artifact.path, name, *name.split("/")}:
                yield part, artifact.path


async def _nearest(word: str, names: Iterable[tuple[str, str]]) -> str | None:
    """The meaning of the name that is most like a word, of pairs of both; while keys have their turn. Of more names
    than can be compared while one waits, the first ones count."""
    search = NearestName(word)
    async for name, meaning in cooperative(islice(names, _MOST_NAMES)):
        search.compare(name, meaning)
    return search.found


def _with(found: Found, others: Found) -> Found:
    """The meaning of a word, and all else that has it in its name."""
    known = {completed(key).strip() for key, _ in found.items if isinstance(key, tuple)}
    more = (one for one in others.items if isinstance(one[0], tuple) and completed(one[0]).strip() not in known)
    return Found((*found.items, *more), found.problem)


def completed(key: Key) -> str:
    """The line that stands for a line of the list, as tab writes it."""
    match key:
        case ("action", action):
            return action
        case ("of", action, path):
            return f"{action} {path}"
        case ("setting", word, rest):
            return f"{word} {rest}".rstrip()
        case ("word", word):
            return f"{word} "
        case ("theme" | "filter" as kind, what):
            return f"{kind} {what}"
    return key[-1]


def wrong(error: UsageError, word: str) -> str:
    """The fault in the arguments of a word, in one line."""
    return f"{word}: {error.message}" + (f" ({error.hint})" if error.hint else "")


def stem(path: str) -> str:
    """A path without its suffix."""
    folder, slash, name = path.rpartition("/")
    return folder + slash + (name.rpartition(".")[0] or name)


def _parts(line: str) -> tuple[str, bool, str]:
    """The first word, whether it is finished, and what follows it."""
    head, blank, rest = line.lstrip().lstrip(":").lstrip().partition(" ")
    return head.casefold(), bool(blank), rest.lstrip() if rest.strip() else ""


def _filter_item(word: str) -> Item:
    pattern = "".join(f"\\{char}" if char in _SPECIAL else char for char in word)
    return ("filter", pattern), _line("filter", safe(word, 50), "  keep the models that have it in their name")


def _action_line(action: Action) -> Content:
    keys = shown_keys(action, first=True)
    return Content.assemble((f"{keys:<8}", "bold $accent"), (f"{action.label:<16}", "bold"), (action.help, "$quiet"))


def _model_line(kind: str, artifact: Artifact) -> Content:
    return _line(kind, text.cut_middle(safe(artifact.path), 50), f"  {states.class_words(artifact)}")


def _line(kind: str, name: str, more: str = "") -> Content:
    return Content.assemble((f"{kind:<7} ", "$quiet"), (name, "bold"), (more, "$quiet"))
