"""Attacks of a hostile model when it is asked to predict: each returns what it won, or raises what stopped it.

`model_pickle` makes a pickle whose model attacks; it brings this file's own source along, so it needs nothing but the
standard library where it is loaded. `given` holds what an attacker would know or guess: paths, ports, process ids.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os
import pickle
import resource
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Attack = Callable[[dict[str, Any]], object]
ATTACKS: dict[str, Attack] = {}
MEANT: dict[str, str] = {}
"""The layer that is meant to stop an attack in the first place; "" where none has to: the console's own line does."""
ALONE: set[str] = set()
"""Attacks that need a worker of their own: they end or change it, or take what others left in it for a prize."""

_libc = ctypes.CDLL(None, use_errno=True)
_X86 = os.uname().machine == "x86_64"


def attack(words: str, meant: str = "seccomp", *, alone: bool = False) -> Callable[[Attack], Attack]:
    """Register under these words."""

    def register(function: Attack) -> Attack:
        ATTACKS[words] = function
        MEANT[words] = meant
        if alone:
            ALONE.add(words)
        return function

    return register


def call(x86: int, arm: int, *arguments: Any) -> int:
    """A system call by number. Raises OSError."""
    result = int(_libc.syscall(ctypes.c_long(x86 if _X86 else arm), *arguments))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


@attack("read a file only its owner may read", "landlock")
def _read(given: dict[str, Any]) -> object:
    return Path(given["secret"]).read_text()


@attack("write to the home directory", "landlock")
def _write(given: dict[str, Any]) -> object:
    return Path(given["home"], "written").write_text("x")


@attack("change the mode of a file outside")
def _chmod(given: dict[str, Any]) -> object:
    os.chmod(given["secret"], 0o600)
    return "changed"


@attack("change the times of a file outside")
def _utime(given: dict[str, Any]) -> object:
    os.utime(given["secret"], (1, 1))
    return "changed"


@attack("set an extended attribute outside")
def _xattr(given: dict[str, Any]) -> object:
    os.setxattr(given["secret"], "user.model-console", b"x")
    return "set"


@attack("watch what happens in the home directory")
def _inotify(given: dict[str, Any]) -> object:
    fd = call(294, 26, 0)
    return call(254, 27, fd, os.fsencode(given["home"]), 0xFFF)


@attack("fork")
def _fork(given: dict[str, Any]) -> object:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    return os.waitpid(pid, 0)


@attack("run a program")
def _run(given: dict[str, Any]) -> object:
    return subprocess.run([sys.executable, "-c", ""], check=True).returncode


@attack("run a program from memory", alone=True)
def _fexecve(given: dict[str, Any]) -> object:
    fd = os.memfd_create("program", 0)
    os.write(fd, Path("/bin/true").read_bytes())
    arguments = (ctypes.c_char_p * 2)(b"true", None)
    return call(322, 281, fd, b"", arguments, None, 0x1000)


@attack("become root by a set-uid program", "no_new_privs")
def _setuid(given: dict[str, Any]) -> object:
    told = subprocess.run([given["setuid"]], capture_output=True, text=True, check=True).stdout
    if "euid=0" not in told:
        raise PermissionError(errno.EPERM, "it ran, and was nobody")
    return told


@attack("connect by TCP")
def _tcp(given: dict[str, Any]) -> object:
    with socket.create_connection(("127.0.0.1", given["port"]), timeout=5) as found:
        return found.getpeername()


@attack("send by UDP")
def _udp(given: dict[str, Any]) -> object:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as found:
        return found.sendto(b"x", ("127.0.0.1", given["port"]))


@attack("connect to a socket file")
def _unix(given: dict[str, Any]) -> object:
    with socket.socket(socket.AF_UNIX) as found:
        found.connect(given["socket"])
        return "connected"


@attack("connect to an abstract socket")
def _abstract(given: dict[str, Any]) -> object:
    with socket.socket(socket.AF_UNIX) as found:
        found.connect(given["abstract"])
        return "connected"


@attack("send to a socket file from a socket pair")
def _pair(given: dict[str, Any]) -> object:
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with one, other:
        return one.sendto(b"x", given["datagrams"])


@attack("open a netlink socket")
def _netlink(given: dict[str, Any]) -> object:
    socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0).close()
    return "opened"


@attack("open a vsock socket")
def _vsock(given: dict[str, Any]) -> object:
    socket.socket(40, socket.SOCK_STREAM).close()
    return "opened"


@attack("open a multipath TCP socket")
def _mptcp(given: dict[str, Any]) -> object:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262) as found:
        found.settimeout(5)
        found.connect(("127.0.0.1", given["port"]))
        return "connected"


@attack("open a raw socket")
def _raw(given: dict[str, Any]) -> object:
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()
    return "opened"


@attack("send the console a signal")
def _kill_console(given: dict[str, Any]) -> object:
    os.kill(given["console"], 0)
    return "could be killed"


@attack("kill another process")
def _kill(given: dict[str, Any]) -> object:
    os.kill(given["victim"], signal.SIGKILL)
    return "killed"


@attack("have the kernel kill another process")
def _own(given: dict[str, Any]) -> object:
    reader, writer = os.pipe()
    fcntl.fcntl(reader, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
    fcntl.fcntl(reader, 10, int(signal.SIGKILL))
    fcntl.fcntl(reader, fcntl.F_SETOWN, given["victim"])
    return os.write(writer, b"x")


@attack("trace another process")
def _ptrace(given: dict[str, Any]) -> object:
    return call(101, 117, 0x4206, given["victim"], None, None)


@attack("open the console's memory", "landlock")
def _memory(given: dict[str, Any]) -> object:
    os.close(os.open(f"/proc/{given['console']}/mem", os.O_RDWR))
    return "opened"


@attack("read the console's environment", "landlock")
def _environment(given: dict[str, Any]) -> object:
    return len(Path(f"/proc/{given['console']}/environ").read_bytes())


@attack("read another process's memory")
def _vm(given: dict[str, Any]) -> object:
    buffer = ctypes.create_string_buffer(8)
    local = struct.pack("@PN", ctypes.addressof(buffer), 8)
    remote = struct.pack("@PN", given["victim_address"], 8)
    one = ctypes.c_ulong(1)
    return call(310, 270, given["victim"], local, one, remote, one, ctypes.c_ulong(0))


@attack("set another process's limits")
def _prlimit(given: dict[str, Any]) -> object:
    return resource.prlimit(given["victim"], resource.RLIMIT_NOFILE, (64, 64))


@attack("slow another process down")
def _nice(given: dict[str, Any]) -> object:
    os.setpriority(os.PRIO_PROCESS, given["victim"], 19)
    return "slowed"


@attack("type into the terminal", "terminal")
def _tiocsti(given: dict[str, Any]) -> object:
    with open("/dev/tty", "rb+", buffering=0) as terminal:
        return fcntl.ioctl(terminal, 0x5412, b"x")


@attack("outlive the console", alone=True)
def _outlive(given: dict[str, Any]) -> object:
    if _libc.prctl(1, 0, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    return "no longer dies with its parent"


@attack("set up an io_uring")
def _uring(given: dict[str, Any]) -> object:
    return call(425, 425, 4, ctypes.create_string_buffer(120))


@attack("make a user namespace", alone=True)
def _userns(given: dict[str, Any]) -> object:
    if _libc.unshare(0x10000000) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    return "made"


@attack("use the kernel's keyrings")
def _keyctl(given: dict[str, Any]) -> object:
    return call(250, 219, 0, -4, 1)


@attack("mount a file system", alone=True)
def _mount(given: dict[str, Any]) -> object:
    os.mkdir("mounted")
    if _libc.mount(b"none", b"mounted", b"tmpfs", 0, None) != 0:
        raise OSError(ctypes.get_errno(), "mount")
    _libc.umount2(b"mounted", 2)
    return "mounted"


@attack("take more memory than it may", "limits", alone=True)
def _bytes(given: dict[str, Any]) -> object:
    return len(bytearray(given["much"]))


@attack("take memory that no limit of a process counts", "cgroup", alone=True)
def _shared(given: dict[str, Any]) -> object:
    with mmap.mmap(-1, given["much"]) as found:
        for start in range(0, given["much"], mmap.PAGESIZE):
            found[start] = 1
        time.sleep(given["seen"])
    return "taken"


@attack("start more threads than it may", "cgroup", alone=True)
def _threads(given: dict[str, Any]) -> object:
    held = threading.Event()
    threading.stack_size(1 << 16)
    started = []
    try:
        for _ in range(given["many"]):
            thread = threading.Thread(target=held.wait, daemon=True)
            thread.start()
            started.append(thread)
    except RuntimeError as error:
        raise OSError(errno.EAGAIN, str(error)) from None
    finally:
        held.set()
    return len(started)


@attack("fill the disk", "limits")
def _fill(given: dict[str, Any]) -> object:
    with open("big", "wb") as file:
        file.truncate(given["long"])
    os.unlink("big")
    return "filled"


def _library(given: dict[str, Any]) -> str:
    """A file that others open, which this user owns: a library where that is so."""
    return os.__file__ if os.stat(os.__file__).st_uid == os.geteuid() else str(given["library"])


@attack("stall all who open a library")
def _lease(given: dict[str, Any]) -> object:
    fd = os.open(_library(given), os.O_RDONLY)
    try:
        return fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
    finally:
        os.close(fd)


@attack("lock out all who lock a library")
def _lock(given: dict[str, Any]) -> object:
    with open(os.__file__, "rb") as library:
        fcntl.flock(library, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return "locked"


@attack("hold a lock of the other kind on a library")
def _posix_lock(given: dict[str, Any]) -> object:
    with open(os.__file__, "rb") as library:
        fcntl.lockf(library, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return "locked"


@attack("be told what happens to the libraries")
def _notify(given: dict[str, Any]) -> object:
    fd = os.open(os.path.dirname(os.__file__), os.O_RDONLY)
    try:
        return fcntl.fcntl(fd, fcntl.F_NOTIFY, fcntl.DN_CREATE)
    finally:
        os.close(fd)


def _filled(fds: list[int], given: dict[str, Any]) -> object:
    """Hold more memory than it may in these files, for long enough to be seen."""
    for _ in range(given["much"] >> 25):
        for fd in fds:
            if os.fstat(fd).st_size < given["long"] >> 3:
                os.write(fd, bytes(1 << 25))
                break
    held = sum(os.fstat(fd).st_size for fd in fds)
    time.sleep(given["seen"])
    if held < given["much"]:
        raise OSError(errno.EFBIG, "not much")
    return held


@attack("keep memory in files in memory", alone=True)
def _memfd(given: dict[str, Any]) -> object:
    return _filled([os.memfd_create(str(number), 0) for number in range(given["much"] >> 25)], given)


@attack("keep memory in the files in memory it is left with", "cgroup", alone=True)
def _left(given: dict[str, Any]) -> object:
    paths = {int(name): f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd")}
    fds = [fd for fd, path in paths.items() if os.path.lexists(path) and os.readlink(path).startswith("/memfd:memory")]
    return _filled(fds or [os.memfd_create("x", 0) for _ in range(given["much"] >> 25)], given)


@attack("take secret memory")
def _secret(given: dict[str, Any]) -> object:
    fd = call(447, 447, 0)
    try:
        os.ftruncate(fd, mmap.PAGESIZE)
        return len(mmap.mmap(fd, mmap.PAGESIZE))
    finally:
        os.close(fd)


@attack("take System V memory")
def _system_v(given: dict[str, Any]) -> object:
    found = call(29, 194, 0, ctypes.c_size_t(1 << 20), 0o1600)
    return call(31, 195, found, 0, None)


@attack("leave memory in a pipe")
def _vmsplice(given: dict[str, Any]) -> object:
    reader, writer = os.pipe()
    held = ctypes.create_string_buffer(4096)
    try:
        vector = struct.pack("@PN", ctypes.addressof(held), 4096)
        return call(278, 75, writer, vector, ctypes.c_ulong(1), 0)
    finally:
        os.close(reader)
        os.close(writer)


@attack("fill the scratch directory with bytes", "limits", alone=True)
def _bytes_in_scratch(given: dict[str, Any]) -> object:
    for number in range(given["much"] >> 25):
        Path(f"big{number}").write_bytes(bytes(1 << 25))
    time.sleep(given["seen"])
    return "filled"


@attack("fill the scratch directory with files", "limits", alone=True)
def _files_in_scratch(given: dict[str, Any]) -> object:
    for number in range(given["many"] * 10):
        os.close(os.open(f"small{number}", os.O_CREAT | os.O_WRONLY))
    time.sleep(given["seen"])
    return "filled"


@attack("fill the disk with files it has removed", "limits", alone=True)
def _removed(given: dict[str, Any]) -> object:
    for number in range(given["much"] >> 25):
        os.write(os.open("gone", os.O_CREAT | os.O_WRONLY), bytes(1 << 25))
        os.rename("gone", f"gone{number}")
        os.unlink(f"gone{number}")
    time.sleep(given["seen"])
    return "filled"


@attack("make code in memory")
def _code(given: dict[str, Any]) -> object:
    return len(mmap.mmap(-1, mmap.PAGESIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, 7))


@attack("make memory executable")
def _executable(given: dict[str, Any]) -> object:
    memory = mmap.mmap(-1, mmap.PAGESIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, 3)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    return call(10, 226, ctypes.c_void_p(address), ctypes.c_size_t(mmap.PAGESIZE), 5)


@attack("run code from a file of its own", "namespaces")
def _code_file(given: dict[str, Any]) -> object:
    fd = os.open("code", os.O_CREAT | os.O_RDWR)
    try:
        os.ftruncate(fd, mmap.PAGESIZE)
        return len(mmap.mmap(fd, mmap.PAGESIZE, mmap.MAP_PRIVATE, 5))
    finally:
        os.close(fd)
        os.unlink("code")


@attack("make a set-uid file")
def _set_uid_file(given: dict[str, Any]) -> object:
    os.umask(0)
    fd = os.open("lends", os.O_CREAT | os.O_WRONLY, 0o4755)
    try:
        if not os.fstat(fd).st_mode & 0o4000:
            raise PermissionError(errno.EPERM, "without the bit")
        return "made"
    finally:
        os.close(fd)
        os.unlink("lends")


def _sockets() -> list[int]:
    paths = {int(name): f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd")}
    return [fd for fd, path in paths.items() if os.path.lexists(path) and os.readlink(path).startswith("socket:")]


@attack("speak on somebody else's line", "descriptors", alone=True)
def _others_line(given: dict[str, Any]) -> object:
    if len(_sockets()) < 2:
        raise OSError(errno.EBADF, "only its own")
    return "has it"


def _line() -> socket.socket:
    return socket.socket(fileno=os.dup(min(_sockets())))


def _frame(head: bytes) -> bytes:
    return struct.pack("!II", len(head), 0) + head


@attack("claim a frame of 4 GiB", "", alone=True)
def _giant(given: dict[str, Any]) -> object:
    _line().sendall(struct.pack("!II", 0xFFFFFFFF, 0xFFFFFFFF) + b"{}")
    return threading.Event().wait(60)


@attack("answer a request that was not made", "", alone=True)
def _unasked(given: dict[str, Any]) -> object:
    _line().sendall(_frame(b'{"id": 999999, "outputs": {}}'))
    return threading.Event().wait(60)


@attack("flood the console with reports", "", alone=True)
def _flood(given: dict[str, Any]) -> object:
    line = _line()
    frames = b"".join(_frame(b'{"id": %d, "event": "phase"}' % number) for number in range(64)) * 64
    while True:
        line.sendall(frames)


class Model:
    """Attacks when it is asked to predict."""

    def __init__(self, words: str, given: dict[str, Any]) -> None:
        self._attack, self._given = words, given

    def predict(self, rows: Any) -> list[str]:
        """The prize of an attack, or the name of the error."""
        try:
            return [f"won: {ATTACKS[self._attack](self._given)!r}"[:200]] * len(rows)
        except OSError as error:
            return [errno.errorcode.get(error.errno or 0, type(error).__name__)] * len(rows)
        except MemoryError:
            return ["MemoryError"] * len(rows)

    def fit(self, rows: Any, targets: Any = None) -> None:
        """Attack, and tell in an exception: whatever training would make of this model is not the point."""
        raise ValueError(self.predict([0])[0])


class _Carried:
    def __init__(self, expression: str) -> None:
        self.expression = expression

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return eval, (self.expression,)


def model_pickle(words: str, given: dict[str, Any]) -> bytes:
    """A pickle of a Model that makes this attack."""
    source = Path(__file__).read_text("utf-8")
    made = f"(lambda names: (exec({source!r}, names), names)[1])({{'__name__': 'hostile', '__file__': ''}})"
    return pickle.dumps(_Carried(f"{made}['Model']({words!r}, {given!r})"))
