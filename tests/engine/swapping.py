"""Swaps a good file with its evil twin as fast as it can, until its stdin closes: `swapping.py HOW PATH GOOD EVIL`.

HOW is `link` (a symbolic link to the evil file takes the name, and a copy of the good one takes it back), `rename`
(each takes the name in turn) or `write` (the bytes are written over one another in place).
"""

from __future__ import annotations

import os
import select
import sys
from pathlib import Path


def main() -> None:
    """Swap until nobody listens."""
    how, path, good, evil = sys.argv[1:]
    contents = [Path(name).read_bytes() for name in (good, evil)]
    fresh = f"{os.path.dirname(evil)}/fresh"
    turn = 0
    print("ready", flush=True)
    while not select.select([sys.stdin], [], [], 0)[0]:
        turn += 1
        if how == "write":
            with open(path, "r+b", buffering=0) as file:
                file.write(contents[turn % 2])
            continue
        if how == "link" and turn % 2:
            os.symlink(evil, fresh)
        else:
            with open(fresh, "wb") as file:
                file.write(contents[turn % 2])
        os.rename(fresh, path)


if __name__ == "__main__":
    main()
