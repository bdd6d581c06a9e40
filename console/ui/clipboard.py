"""Copying where it works: a desktop's own tool, tmux, the terminal (OSC 52), else a file; always said in words."""

from __future__ import annotations

import asyncio
import base64
import os
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from console.safe_text import in_utf8
from console.ui.saving import write_new

OSC52_LIMIT = 74_000
"""Bytes of base64 that terminals take at least (xterm's limit); more is cut off or ignored without a word."""
_SCREEN_CHUNK = 700
_TOOL_SECONDS = 2.0


async def copy(text: str, write: Callable[[str], object], folder: Path, environ: Mapping[str, str] = os.environ) -> str:
    """Copy `text` and return the sentence about it. `write` sends to the terminal, `folder` takes what is too long."""
    for tool in _tools(environ):
        if shutil.which(tool[0]) and await _feed(tool, text):
            return f"copied with {tool[0]}"
    payload = base64.b64encode(in_utf8(text)).decode()
    if len(payload) <= OSC52_LIMIT:
        write(osc52(payload, environ))
        return "copied through the terminal"
    stem = f"copied-{time.strftime('%Y%m%d-%H%M%S')}"
    (path,) = await asyncio.to_thread(write_new, folder, stem, {".txt": text})
    return f"too long for the terminal's clipboard: written to {path}"


def osc52(payload: str, environ: Mapping[str, str]) -> str:
    """The sequence that fills a terminal's clipboard, wrapped so that tmux and screen hand it on."""
    bare = f"\x1b]52;c;{payload}\x07"
    if environ.get("TMUX"):
        wrapped = bare.replace("\x1b", "\x1b\x1b")
        return f"{bare}\x1bPtmux;{wrapped}\x1b\\"
    if environ.get("STY"):
        pieces = [bare[start : start + _SCREEN_CHUNK] for start in range(0, len(bare), _SCREEN_CHUNK)]
        return "".join(f"\x1bP{piece}\x1b\\" for piece in pieces)
    return bare


def _tools(environ: Mapping[str, str]) -> list[tuple[str, ...]]:
    tools: list[tuple[str, ...]] = []
    if environ.get("WAYLAND_DISPLAY"):
        tools.append(("wl-copy",))
    if environ.get("DISPLAY"):
        tools += [("xclip", "-selection", "clipboard"), ("xsel", "--clipboard", "--input")]
    if environ.get("TMUX"):
        tools.append(("tmux", "load-buffer", "-w", "-"))
    return tools


async def _feed(command: tuple[str, ...], text: str) -> bool:
    """Give `text` to a tool on its standard input; whether it took it."""
    nowhere = asyncio.subprocess.DEVNULL
    try:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.PIPE, stdout=nowhere, stderr=nowhere, start_new_session=True
        )
    except OSError:
        return False
    try:
        async with asyncio.timeout(_TOOL_SECONDS):
            await process.communicate(in_utf8(text))
    except (TimeoutError, BrokenPipeError, ConnectionResetError):
        if process.returncode is None:
            process.kill()
            await process.wait()
        return False
    return process.returncode == 0
