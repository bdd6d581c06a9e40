"""The end of a process is over in time, whatever its main thread does, and the log tells what held it up."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from console import ending
from console.config import state_dir

ROOT = Path(__file__).parents[1]
PROGRAM = """
import queue, re, signal, sys, threading, time
from console import ending
ending.DEADLINE_S, ending._ACCOUNT_S = 0.6, 0.2
def locked(): threading.Lock().acquire() or lock.acquire()
lock = threading.Lock(); lock.acquire()
full = queue.Queue(1); full.put(1)
never = threading.Thread(target=time.sleep, args=(600,))
with ending.heard("program", lambda number: print("heard", number, flush=True), terminal=0 if {terminal} else None):
    print("ready", flush=True)
    {act}
"""
ACTS = {
    "a queue that nobody empties": "full.put(2)",
    "a lock": "lock.acquire()",
    "a thread": "never.start(); never.join()",
    "a thread that is left": "never.start(); time.sleep(1e-3) if {wait} else None",
    "a loop": "\n    while True: pass",
    "a pattern that keeps the interpreter": "re.match('(a|a)*$', 'a' * 40 + 'b')",
    "a child": "__import__('subprocess').run(['sleep', '600'])",
}


def started(act: str, *, terminal: int | None = None, ignored: bool = False) -> subprocess.Popen[str]:
    """A program that is held up for ever."""
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(act=act, terminal=terminal is not None)],
        stdin=subprocess.DEVNULL if terminal is None else terminal,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        preexec_fn=(lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN) and None) if ignored else None,
    )
