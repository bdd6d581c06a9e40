"""The looks of the console: its own, dark and light, and two that use the terminal's 16 colours."""

from __future__ import annotations

from dataclasses import replace

from textual.theme import BUILTIN_THEMES, Theme

DARK = Theme(
    name="console-dark",
    primary="#6cb6ff",
    secondary="#8fa3bf",
    accent="#6cb6ff",
    success="#7ec699",
    warning="#e3b873",
    error="#f2777a",
    foreground="#cdd6e0",
    background="#10151c",
    surface="#141b24",
    panel="#1c2530",
    dark=True,
    variables={
        "line": "#2b3847",
        "quiet": "#7d8ca0",
        "cursor-tint": "#1f3147",
        "flash-tint": "#1d3a31",
        "chart-faint": "#406992",
        "chart-fill": "#558ec6",
        "chart-requests": "#d7a6e0",
        "chart-requests-faint": "#7d6089",
        "block-cursor-background": "#1f3147",
        "block-cursor-foreground": "#e8eef5",
        "block-cursor-text-style": "bold",
        "block-cursor-blurred-background": "#1c2530",
        "input-cursor-text-style": "reverse",
        "input-selection-background": "#6cb6ff 30%",
        "scrollbar": "#2b3847",
        "scrollbar-background": "#10151c",
        "scrollbar-corner-color": "#10151c",
        "scrollbar-hover": "#3a4a5d",
        "scrollbar-active": "#6cb6ff",
        "scrollbar-background-hover": "#10151c",
        "scrollbar-background-active": "#10151c",
    },
)

LIGHT = Theme(
    name="console-light",
    primary="#1b64b0",
    secondary="#5b6b80",
    accent="#1b64b0",
    success="#2a7247",
    warning="#875a08",
    error="#b9333a",
    foreground="#25303c",
    background="#fbfbf9",
    surface="#f4f4f1",
    panel="#eaeae6",
    dark=False,
    variables={
        "line": "#cfd3d6",
        "quiet": "#5f6b78",
        "cursor-tint": "#dce9f7",
        "flash-tint": "#dcf0e2",
        "chart-faint": "#5e91c6",
        "chart-fill": "#3d7bbb",
        "chart-requests": "#7b3f8c",
        "chart-requests-faint": "#b58fc0",
        "block-cursor-background": "#dce9f7",
        "block-cursor-foreground": "#16202b",
        "block-cursor-text-style": "bold",
        "block-cursor-blurred-background": "#eaeae6",
        "input-cursor-text-style": "reverse",
        "input-selection-background": "#1b64b0 25%",
        "scrollbar": "#cfd3d6",
        "scrollbar-background": "#fbfbf9",
        "scrollbar-corner-color": "#fbfbf9",
        "scrollbar-hover": "#b5bcc2",
        "scrollbar-active": "#1b64b0",
        "scrollbar-background-hover": "#fbfbf9",
        "scrollbar-background-active": "#fbfbf9",
    },
)


def _of_the_terminal(name: str, accent: str, other: str, **colours: str) -> Theme:
    """One of textual's themes of 16 colours with our accent, which fills the charts too, and scrollbars as calm."""
    theme = BUILTIN_THEMES[name]
    bars = {f"scrollbar{part}": "ansi_bright_black" for part in ("", "-hover", "-active")}
    grounds = ("scrollbar-background", "scrollbar-background-hover", "scrollbar-background-active")
    bars |= dict.fromkeys((*grounds, "scrollbar-corner-color"), "ansi_default")
    variables = {**theme.variables, **bars, "chart-fill": accent, "chart-requests": other}
    return replace(theme, primary=accent, accent=accent, variables=variables, **colours)  # type: ignore[arg-type]


ANSI_DARK = _of_the_terminal("ansi-dark", "ansi_cyan", "ansi_magenta")
ANSI_LIGHT = _of_the_terminal("ansi-light", "ansi_blue", "ansi_cyan", warning="ansi_magenta")

THEMES: dict[str, Theme] = {theme.name: theme for theme in (DARK, LIGHT, ANSI_DARK, ANSI_LIGHT)}

DEFAULT_VARIABLES = {
    "line": "ansi_bright_black",
    "quiet": "ansi_bright_black",
    "cursor-tint": "ansi_bright_black",
    "flash-tint": "ansi_green",
    "chart-faint": "ansi_bright_black",
    "chart-fill": "ansi_bright_black",
    "chart-requests": "ansi_blue",
    "chart-requests-faint": "ansi_bright_black",
}
"""Our own variables for the themes that do not set them, the ones of 16 colours."""
