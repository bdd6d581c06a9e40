"""`python -m tests`: every check and every test, in one command; ends on pytest's closing line.

The quick checks run beside each other first. What follows on the command line goes to pytest.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
PYTHON = sys.executable
CHECKS = {
    "lint": [PYTHON, "-m", "ruff", "check", "--no-cache"],
    "format": [PYTHON, "-m", "ruff", "format", "--check", "--no-cache"],
    "types": [PYTHON, "-m", "mypy"],
    "import contracts": [str(Path(PYTHON).with_name("lint-imports")), "--no-cache"],
}


def main() -> int:
    """Run all; 0 when all passed."""
    started = time.monotonic()
    running = {
        name: subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for name, command in CHECKS.items()
    }
    failed = []
    for name, check in running.items():
        said, _ = check.communicate()
        print(f"{name}: {'FAILED' if check.returncode else 'passed'} ({time.monotonic() - started:.0f} s)", flush=True)
        if check.returncode:
            failed.append(name)
            print(said, flush=True)
    pytest = [PYTHON, "-m", "pytest", "-q", "-n", "2", "--dist", "worksteal", *sys.argv[1:]]
    if failed:
        print(f"the tests run all the same; failed before them: {', '.join(failed)}", flush=True)
    code = subprocess.run(pytest, cwd=ROOT, check=False).returncode
    return code or bool(failed)


if __name__ == "__main__":
    sys.exit(main())
