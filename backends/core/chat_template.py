"""Chat templates: text in the template language Jinja that a program around a language model runs.

Grammar: jinja2/lexer.py. A tag is read token by token, so that no text in quotes ends it and no escape hides a name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple, Optional

_OPENING = re.compile(r"\{[{%#]")
_TOKEN = re.compile(
    r"(?P<space>\s+)|(?P<text>'(?:[^'\\]|\\.)*(?:'|\\?\Z)|\"(?:[^\"\\]|\\.)*(?:\"|\\?\Z))|(?P<name>[^\W\d]\w*)|(?P<number>\d[\w.]*)"
    r"|(?P<end>[-+]?[%}]\})|(?P<sign>.)",
    re.DOTALL,
)
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{1,3}|N\{[^}]*\}|.)", re.DOTALL)
_OPENERS = frozenset(
    ("lipsum", "cycler", "joiner", "self", "config", "request", "url_for", "get_flashed_messages", "environ", "app")
)
"""Objects of Jinja and of what embeds it from which a template can walk to Python's modules (CVE-2024-34359)."""
_MODULES = frozenset(("os", "sys", "subprocess", "builtins", "importlib"))
_METHODS = frozenset(("mro", "subclasses", "globals", "builtins", "popen", "system", "eval", "exec", "getattr"))
_STATEMENTS = frozenset(("import", "include", "extends", "from"))
_BUILDERS = frozenset(("format", "join", "replace", "reverse"))
"""Filters and methods that put a name together out of parts."""
_MOST_SHOWN = 120


class _Token(NamedTuple):
    kind: str
    text: str


def reaches_out(template: str) -> Optional[str]:
    """The first tag of a template that does more than put messages together; None where there is none."""
    for shown, tokens in _tags(template):
        if _reaches(tokens):
            return shown[:_MOST_SHOWN]
    return None


def _tags(template: str) -> Iterator[tuple[str, list[_Token]]]:
    """Each tag as it stands and its tokens; one that does not end goes on to the end of the text."""
    at = 0
    while (opening := _OPENING.search(template, at)) is not None:
        if opening[0] == "{#":
            at = template.find("#}", opening.end()) + 2
            if at < 2:
                return
            continue
        tokens, at = _tokens(template, opening.end(), "%}" if opening[0] == "{%" else "}}")
        yield template[opening.start() : at], tokens


def _tokens(template: str, at: int, closing: str) -> tuple[list[_Token], int]:
    """The tokens up to what closes the tag, and where the next text begins."""
    found: list[_Token] = []
    depth = 0
    while (match := _TOKEN.match(template, at)) is not None:
        kind, text = str(match.lastgroup), match[0]
        if kind == "end" and text.endswith(closing) and not (depth and closing == "}}"):
            return found, match.end()
        if kind == "end":
            kind, text = "sign", text[0]
        at += len(text)
        depth = max(depth + {"{": 1, "}": -1}.get(text, 0), 0)
        if kind == "text":
            text = _ESCAPE.sub(_unescaped, text[1:-1])
        if kind != "space":
            found.append(_Token(kind, text))
    return found, len(template)


def _unescaped(match: re.Match[str]) -> str:
    code = match[1]
    if code[0] in "xuU" and len(code) > 1:
        number = int(code[1:], 16)
        return chr(number) if number < 0x110000 else "\ufffd"
    if code[0].isdigit() and code[0] < "8":
        return chr(int(code, 8))
    return "_" if code.startswith("N{") else code


def _reaches(tokens: list[_Token]) -> bool:
    if tokens and tokens[0].kind == "sign" and tokens[0].text in "-+":
        tokens = tokens[1:]
    if tokens and tokens[0].kind == "name" and tokens[0].text in _STATEMENTS:
        return True
    indexed: list[bool] = []
    inside = 0
    none = _Token("", "")
    for number, token in enumerate(tokens):
        before = tokens[number - 1] if number else none
        after = tokens[number + 1] if number + 1 < len(tokens) else none
        if token.kind == "sign" and token.text in "[({":
            indexed.append(token.text == "[" and (before.kind in ("name", "text") or before.text in ("]", ")")))
            inside += indexed[-1]
        elif token.kind == "sign" and token.text in "])}" and indexed:
            inside -= indexed.pop()
        if token.kind == "name" and _named_so(token.text, before.text, after.text):
            return True
        if token.kind == "text" and _hides(token.text, before, after):
            return True
        if inside and _builds(token, before, after):
            return True
    return False


def _named_so(name: str, before: str, after: str) -> bool:
    """Whether a name leads to Python's objects: by what it is an attribute of, or by what is asked of it."""
    if name.startswith("_") and (before == "." or name.endswith("__")):
        return True
    if before == "|":
        return name == "attr"
    if before == ".":
        return name in _METHODS
    if name in _OPENERS or name in _MODULES:
        return after in (".", "[", "(", "|")
    return name in _METHODS and after == "("


def _hides(text: str, before: _Token, after: _Token) -> bool:
    """Whether a text in quotes is, or is a part of, a name with underscores about it."""
    if "__" in text or (len(text) > 1 and (text[0] == "_" or text[-1] == "_")):
        return True
    if text == "attr" and before.text in ("(", ","):
        return True
    return text == "_" and bool({before.text, after.text} & {"~", "+", "*"})


def _builds(token: _Token, before: _Token, after: _Token) -> bool:
    """Whether what stands in an index is a name put together out of parts."""
    if token.kind == "sign" and token.text == "~":
        return True
    if token.kind == "sign" and token.text in "+%*":
        return "text" in (before.kind, after.kind)
    return token.kind == "name" and token.text in _BUILDERS and before.text in ("|", ".")
