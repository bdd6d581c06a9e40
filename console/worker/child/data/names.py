"""Names of columns that differ only in what one does not see."""

from __future__ import annotations

import unicodedata


def folded(name: str) -> str:
    """The name without case, blanks, signs of no width and differences of Unicode form."""
    seen = (sign for sign in unicodedata.normalize("NFKC", name) if not _is_unseen(sign))
    return unicodedata.normalize("NFC", "".join(seen).casefold())


def unlike(one: str, other: str) -> str:
    """In what two names of one folded form differ."""
    if unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", other):
        return "in their Unicode form"
    if _visible(one) == _visible(other):
        return "in blanks or signs that are not seen"
    return "in case" if one.casefold() == other.casefold() else "in case, blanks or Unicode form"


def _visible(name: str) -> str:
    return "".join(sign for sign in name if not _is_unseen(sign))


def _is_unseen(sign: str) -> bool:
    return sign.isspace() or unicodedata.category(sign) in ("Cf", "Cc")
