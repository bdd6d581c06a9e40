"""The README's key list, made from the action table: `python -m tests.readme_keys` writes it anew."""

from __future__ import annotations

import re
from pathlib import Path

from console.ui.keys import ACTIONS, GROUPS, shown_keys

README = Path(__file__).parents[1] / "README.md"


def keys_table() -> str:
    """The actions as a Markdown table, group by group, in the table's own words."""
    lines = ["| | key | name | what it does |", "|---|---|---|---|"]
    for group in GROUPS:
        title = group
        for action in ACTIONS:
            if action.group == group:
                keys = " ".join(f"`{key}`" for key in shown_keys(action).split())
                lines.append(f"| {title} | {keys} | `{action.id}` | {action.help} |")
                title = ""
    return "\n".join(lines)


if __name__ == "__main__":
    text = README.read_text("utf-8")
    marked = r"(?<=<!-- keys -->\n).*(?=\n<!-- end of keys -->)"
    README.write_text(re.sub(marked, lambda _: keys_table(), text, flags=re.DOTALL), "utf-8")
