"""The unsealer on real sealed files: whole ones, cut ones, changed ones, and ones sealed for somebody else."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyrage import encrypt, passphrase, x25519

from console.worker import unsealer
from console.worker.failures import ChildRefused
from console.worker.launcher import Launcher
from console.worker.process import ChildProcess

CHUNK = 64 << 10
TAG = 16
CAP = 1 << 30
IDENTITY = x25519.Identity.generate()
SIZES = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK]


def plain_bytes(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def sealed_bytes(size: int) -> bytes:
    return bytes(encrypt(plain_bytes(size), [IDENTITY.to_public()]))


class Memory:
    """Files in memory for one test."""

    def __init__(self) -> None:
        self.fds: list[int] = []

    def __call__(self, data: bytes = b"") -> int:
        fd = os.memfd_create("test")
        self.fds.append(fd)
        with os.fdopen(os.dup(fd), "wb") as file:
            file.write(data)
        return fd


@pytest.fixture
def memory() -> Iterator[Memory]:
    made = Memory()
    yield made
    for fd in made.fds:
        os.close(fd)


@pytest.fixture
def key(memory: Memory) -> int:
    return memory(f"# created: today\n\n{IDENTITY}\n".encode())


async def test_what_was_sealed_comes_back_and_the_child_is_gone(launcher: Launcher, memory: Memory, key: int) -> None:
    size = CHUNK + 1
    source, ciphertext, target = memory(plain_bytes(size)), memory(), memory()
    recipients = [str(IDENTITY.to_public())]
    written = await unsealer.seal(launcher, "model", source, ciphertext, recipients, size=size)
    assert written == os.fstat(ciphertext).st_size
    assert os.pread(ciphertext, 22, 0) == b"age-encryption.org/v1\n"
    assert await unsealer.unseal(launcher, "model", ciphertext, key, target, cap=CAP) == size
    assert os.pread(target, size + 1, 0) == plain_bytes(size)
    assert not launcher.children


async def test_an_ssh_key_opens_what_was_sealed_for_it(launcher: Launcher, memory: Memory) -> None:
    from cryptography.hazmat.primitives import serialization as forms
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    private = Ed25519PrivateKey.generate()
    line = private.public_key().public_bytes(forms.Encoding.OpenSSH, forms.PublicFormat.OpenSSH).decode()
    text = private.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.OpenSSH, forms.NoEncryption())
    ciphertext = memory()
    await unsealer.seal(launcher, "model", memory(b"plain"), ciphertext, [line], size=5)
    assert await unsealer.unseal(launcher, "model", ciphertext, memory(text), memory(), cap=CAP) == 5


# one child answers for many files, so that there can be many


@pytest.fixture
async def child(launcher: Launcher) -> ChildProcess:
    return await launcher.spawn("unsealer", label="model")


async def code_of(child: ChildProcess, fds: tuple[int, int, int], cap: int = CAP) -> str:
    try:
        await child.request("unseal", {"cap": cap}, fds=fds)
    except ChildRefused as error:
        return error.code
    return "opened"


async def test_every_size_comes_back(child: ChildProcess, memory: Memory, key: int) -> None:
    for size in SIZES:
        target = memory()
        assert await code_of(child, (memory(sealed_bytes(size)), key, target)) == "opened"
        assert os.pread(target, size + 1, 0) == plain_bytes(size)


@pytest.mark.slow
async def test_somebody_elses_file_and_what_is_no_identity_are_told_apart(
    child: ChildProcess, memory: Memory, key: int
) -> None:
    ciphertext = memory(sealed_bytes(9))
    stranger = x25519.Identity.generate()
    assert await code_of(child, (ciphertext, memory(str(stranger).encode()), memory())) == "wrong-identity"
    assert await code_of(child, (ciphertext, memory(f"{stranger}\n{IDENTITY}\n".encode()), memory())) == "opened"
    for text in (b"", b"# nothing\n", b"AGE-SECRET-KEY-1QQQ", b"\xff\xfe"):
        with pytest.raises(ChildRefused, match="holds no identity") as told:
            await child.request("unseal", {"cap": CAP}, fds=(ciphertext, memory(text), memory()))
        assert told.value.code == "identity"
        assert "QQQ" not in told.value.message
    locked = memory(bytes(passphrase.encrypt(b"plain", "secret")))
    assert await code_of(child, (locked, key, memory())) == "wrong-identity"


async def test_more_than_the_cap_is_refused(child: ChildProcess, memory: Memory, key: int) -> None:
    assert await code_of(child, (memory(sealed_bytes(CHUNK)), key, memory()), cap=CHUNK - 1) == "over-cap"
    assert await code_of(child, (memory(sealed_bytes(CHUNK)), key, memory()), cap=CHUNK) == "opened"


async def test_what_is_no_recipient_is_named(child: ChildProcess, memory: Memory) -> None:
    for line in ("", "age1", "age1qqqq", "ssh-ed25519 AAAA", "ssh-rsa x", "a\x1b]52;c;x\x07"):
        with pytest.raises(ChildRefused) as told:
            await child.request("seal", {"recipients": [line]}, fds=(memory(b"plain"), memory()))
        assert told.value.code == "recipient"


async def test_no_cut_file_opens(child: ChildProcess, memory: Memory, key: int) -> None:
    """Cut at each edge of a chunk, and a byte to either side; the chunks before it are authentic, and it counts for
    nothing."""
    whole = sealed_bytes(3 * CHUNK + 100)
    body = len(whole) - (3 * CHUNK + 100) - 4 * TAG
    edges = [body + number * (CHUNK + TAG) + near for number in range(4) for near in (-1, 0, 1)]
    released = 0
    for length in sorted({*edges, *range(0, body, 7), len(whole) - 1}):
        target = memory()
        assert await code_of(child, (memory(whole[:length]), key, target)) in ("damaged", "wrong-identity"), length
        released = max(released, os.fstat(target).st_size)
    assert released >= CHUNK, "no cut was late enough for the trap this is about: plain bytes before the verdict"
    assert await code_of(child, (memory(whole + b"x"), key, memory())) == "damaged"
    assert await code_of(child, (memory(whole), key, memory())) == "opened"


async def test_no_changed_bit_goes_unnoticed(child: ChildProcess, memory: Memory, key: int) -> None:
    """Every byte of the head, every byte around the edges of chunks, and some in between."""
    whole = sealed_bytes(2 * CHUNK + 50)
    body = len(whole) - (2 * CHUNK + 50) - 3 * TAG
    near_edges = [body + number * (CHUNK + TAG) + near for number in range(3) for near in range(-TAG - 2, 4)]
    some = random.Random(7).sample(range(body, len(whole)), 60)
    for at in sorted({*range(body), *near_edges, *some, len(whole) - 1}):
        changed = bytearray(whole)
        changed[at] ^= 1 << (at % 8)
        code = await code_of(child, (memory(bytes(changed)), key, memory()))
        assert code in ("damaged", "wrong-identity"), at
    assert await code_of(child, (memory(whole), key, memory())) == "opened"


async def test_chunks_in_another_order_do_not_open(child: ChildProcess, memory: Memory, key: int) -> None:
    whole = sealed_bytes(3 * CHUNK)
    body, step = len(whole) - 3 * (CHUNK + TAG), CHUNK + TAG
    head, chunks = whole[:body], [whole[body + n * step : body + (n + 1) * step] for n in range(3)]
    for order in ((1, 0, 2), (0, 2), (0, 1, 1, 2), (2,)):
        text = head + b"".join(chunks[number] for number in order)
        assert await code_of(child, (memory(text), key, memory())) == "damaged"


# the child itself


async def test_nobody_can_look_into_the_child_and_nothing_tells_the_identity(
    child: ChildProcess, memory: Memory, key: int
) -> None:
    head, _ = await child.request("unseal", {"cap": CAP}, fds=(memory(sealed_bytes(9)), key, memory()))
    assert head["dumpable"] == 0
    for name in ("landlock", "seccomp", "no_new_privs", "limits"):
        assert child.layers[name].active, name
    limits = Path(f"/proc/{child.pid}/limits").read_text()  # noqa: ASYNC240
    core = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
    assert core.split()[4:6] == ["0", "0"]
    if os.geteuid() == 0:
        for name in ("cmdline", "environ"):
            assert str(IDENTITY).encode() not in Path(f"/proc/{child.pid}/{name}").read_bytes()  # noqa: ASYNC240
    written: list[bytes] = []
    child.tell_output(lambda _stream, part: written.append(part))
    assert str(IDENTITY).encode() not in b"".join(written)


async def test_without_the_library_one_sentence_says_so(launcher: Launcher, memory: Memory, key: int) -> None:
    """The interpreter that the tests' environment was made from has no packages of its own."""
    base = os.path.realpath(sys.executable)  # noqa: ASYNC240
    child = await launcher.spawn("unsealer", label="model", python=base)
    with pytest.raises(ChildRefused, match=r"need the Python package pyrage: .* -m pip install") as told:
        await child.request("unseal", {"cap": CAP}, fds=(memory(sealed_bytes(9)), key, memory()))
    assert told.value.code == "no-package"
