"""Modules of sentence-transformers around a model: how tokens become one embedding of a text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Optional

from backends.core.errors import Damaged
from backends.core.findings import finding
from backends.core.inspection import Finding
from backends.core.source import Source
from backends.core.strict_json import parse_settings
from backends.formats.transformers import MODULES
from backends.formats.transformers.settings import settings_in, whole, word

POOLINGS = ("cls", "max", "mean", "mean_sqrt_len_tokens")
"""Ways from tokens to a text that run here, in the order in which several stand in one embedding."""
_OWN = "sentence_transformers."
_FLAGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
_MOST_MODULES = 50


@dataclass(frozen=True)
class Sentence:
    """`modules` by their class names, `others` those that are classes of no known library; `pooling` is empty where
    nothing says it. `longest` is the number of tokens of a text."""

    there: bool = False
    modules: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    pooling: tuple[str, ...] = ()
    normalised: bool = False
    lower: bool = False
    longest: Optional[int] = None

    @property
    def why_not(self) -> str:
        """Why these modules do not run here; empty where they do."""
        odd = [one for one in self.modules if one not in ("Transformer", "Pooling", "Normalize")]
        odd += [one for one in self.pooling if one not in POOLINGS]
        order = self.modules in ((), ("Transformer", "Pooling"), ("Transformer", "Pooling", "Normalize"))
        if odd:
            return f"{odd[0]} of sentence-transformers is not built here"
        return "" if order else "its modules stand in an order that is not built here"

    def findings(self) -> Iterator[Finding]:
        """Classes that sentence-transformers would import from elsewhere."""
        for one in self.others[:5]:
            yield finding("transformers-code", f"{MODULES} names the class {one}, which is imported from elsewhere", 0)


def sentence_of(members: Mapping[str, Source]) -> Sentence:
    """The modules of a directory. Raises Damaged, OverBudgetError, OSError."""
    source = members.get(MODULES)
    if source is None:
        return Sentence()
    listed = parse_settings(source.read(0, source.size), MODULES)
    if type(listed) is not list or len(listed) > _MOST_MODULES or not all(type(one) is dict for one in listed):
        raise Damaged(f"{MODULES} is no list of modules")
    types = [word(one, "type") for one in listed]
    at = next((word(one, "path") for one in listed if word(one, "type").endswith(".Pooling")), "")
    limits = settings_in(members, "sentence_bert_config.json")
    return Sentence(
        there=True,
        modules=tuple(one.rpartition(".")[2] for one in types),
        others=tuple(one for one in types if not one.startswith(_OWN)),
        pooling=_pooling(settings_in(members, f"{at}/config.json")),
        normalised=any(one.endswith(".Normalize") for one in types),
        lower=limits.get("do_lower_case") is True,
        longest=whole(limits, "max_seq_length"),
    )


def _pooling(settings: Mapping[str, Any]) -> tuple[str, ...]:
    mode = settings.get("pooling_mode")
    if mode is None:
        return tuple(name for flag, name in _FLAGS.items() if settings.get(flag) is True)
    modes = mode if type(mode) is list else [mode]
    return tuple(one[:40] if type(one) is str else "a pooling without a name" for one in modes[:10])
