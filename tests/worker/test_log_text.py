"""One line of output, as a terminal would be left with it."""

from __future__ import annotations

import pytest

from console.worker.log_text import LINE_CAP, last_state, line_text


@pytest.mark.parametrize(
    ("written", "left"),
    [
        (b"plain", "plain"),
        (b"with a carriage return\r", "with a carriage return"),
        (b" 10%\r 50%\r 90%", " 90%"),
        (b" 10%\r 50%\r", " 50%"),
        (b"50%|##  |\x1b[K\r60%|### |\x1b[K\r", "60%|### |"),
        (b"\x1b[1;31mred\x1b[0m and \x1b[38;5;7mgrey\x1b[m", "red and grey"),
        (b"\x1b]0;a title\x07after\x1b]8;;http://a\x1b\\link\x1b]8;;\x1b\\", "afterlink"),
        (b"\x1b[?25lhidden cursor\x1b[2K\x1b[1A", "hidden cursor"),
        (b"ab\x08\x08cd", "cd"),
        (b"\x08\x08x", "x"),
        ("größe 幅 👩".encode(), "größe 幅 👩"),
        (b"bad \xff\xfe bytes", "bad \\xff\\xfe bytes"),
        (b"\x1b[31", "\x1b[31"),
        (b"\x1b]no end", "\x1b]no end"),
        (b"", ""),
    ],
)
def test_what_is_left_of_a_line(written: bytes, left: str) -> None:
    assert line_text(last_state(written)) == left


def test_a_line_in_progress_waits_for_the_rest_of_a_character() -> None:
    half = "größe 幅".encode()[:-1]
    assert line_text(half, ended=False) == "größe "
    assert line_text(half) == "größe \\xe5\\xb9"


def test_what_is_left_out_of_a_long_line_is_counted() -> None:
    assert line_text(b"x" * LINE_CAP, 96_000) == "x" * LINE_CAP + "… 96,000 bytes more"
    assert line_text("ü".encode()[:1], 7) == "… 7 bytes more"
