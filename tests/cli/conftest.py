"""Commands run in this process, with their streams."""

from __future__ import annotations

import pytest

from console.__main__ import main
from tests.cli.running import Done, Run


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs one command line; `--help` and the like count as done."""

    def command(*argv: str) -> Done:
        capfd.readouterr()
        code = main(argv)
        streams = capfd.readouterr()
        return Done(code, streams.out, streams.err)

    return command
