"""The results of lines, as the workers write them down and as the coordinator reads them.

Each worker appends to a file of its own in the batch's folder, after the outcome is in the log and
before the record's offset is finished. So a result may stand there twice, after a crash, and is never
missing. The first one counts.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
from msgspec import Raw, Struct

from schemas.batch_lines import BatchLine
from schemas.batches import Tokens
from schemas.errors import Expired
from schemas.exchange import Exchange

_READ = 1 << 20  # bytes
_encode = msgspec.json.Encoder().encode
# What OpenAI says of a line that was not answered.
_CANCELLED = ("batch_cancelled", "This request was not executed: the batch was cancelled.")
_EXPIRED = (
    "batch_expired",
    "This request could not be executed before the completion window expired.",
)
_TIMED_OUT = ("request_timeout", Expired().message)


class Result(Struct, frozen=True):
    """How one line ended."""

    number: int
    succeeded: bool
    tokens: Tokens
    line: bytes  # of the output or the error file, without its end
    expired: bool = False  # its batch's window closed before it was answered


def result_of(line: BatchLine, exchange: Exchange, *, in_time: bool) -> Result:
    """The result of a recorded outcome. `in_time`: the batch's window was open."""
    if exchange.outcome == "cancelled":
        return unanswered(line.number, line.custom_id, exchange.request_id, *_CANCELLED)
    if exchange.outcome == "expired":
        code, message = _TIMED_OUT if in_time else _EXPIRED
        return unanswered(line.number, line.custom_id, exchange.request_id, code, message)
    body, found = exchange.response, Raw(b"null")
    if body is not None:
        text = bytes(body.body)
        found = Raw(msgspec.json.format(text, indent=-1) if b"\n" in text else text)
    said = {
        "status_code": exchange.status,
        "request_id": exchange.request_id,
        "body": found,
    }
    made = _line(exchange.request_id, line.custom_id, said, None)
    usage, tokens = exchange.usage, Tokens()
    if usage is not None:
        tokens = Tokens(
            usage.input_tokens,
            usage.cached_input_tokens,
            usage.output_tokens,
            usage.reasoning_tokens,
        )
    succeeded = exchange.outcome == "completed" and exchange.status < 400
    return Result(line.number, succeeded, tokens, made)


def cancelled(number: int, custom_id: str, request_id: str) -> Result:
    """A line that was not called, because its batch was cancelled."""
    return unanswered(number, custom_id, request_id, *_CANCELLED)


def expired(number: int, custom_id: str, request_id: str) -> Result:
    """The same, because its batch's time was over."""
    return unanswered(number, custom_id, request_id, *_EXPIRED)


def unanswered(number: int, custom_id: str, request_id: str, code: str, message: str) -> Result:
    error = {"code": code, "message": message}
    line = _line(request_id, custom_id, None, error)
    return Result(number, False, Tokens(), line, expired=code == _EXPIRED[0])


def _line(request_id: str, custom_id: str, response: object, error: object) -> bytes:
    return _encode(
        {
            "id": f"batch_req_{request_id}",
            "custom_id": custom_id,
            "response": response,
            "error": error,
        }
    )


# -- on the disk: numbers that say what follows, and how long it is, so that a torn line is none


def encoded(result: Result) -> bytes:
    """As it stands in a worker's file."""
    tokens = result.tokens
    return b"%d %d %d %d %d %d %d\t%b\n" % (
        result.number,
        2 if result.expired else result.succeeded,
        tokens.input_tokens,
        tokens.cached_input_tokens,
        tokens.output_tokens,
        tokens.reasoning_tokens,
        len(result.line),
        result.line,
    )


def _decoded(line: bytes) -> Result | None:
    """None if it is torn."""
    head, _, text = line.partition(b"\t")
    numbers = head.split(b" ")
    if len(numbers) != 7 or not all(map(bytes.isdigit, numbers)):
        return None
    number, end, *tokens, size = map(int, numbers)
    if size != len(text):
        return None
    return Result(number, end == 1, Tokens(*tokens), text, expired=end == 2)


def append(path: Path, results: Iterable[bytes]) -> None:
    """Returns when they are on the disk; may block. OSError: some of them may be."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        data = memoryview(b"".join((_mended(path), *results)))
        while data:
            data = data[os.write(descriptor, data) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _mended(path: Path) -> bytes:
    """The end of a line that was torn, if the last one was."""
    with path.open("rb") as file:
        if not file.seek(0, os.SEEK_END):
            return b""
        file.seek(-1, os.SEEK_END)
        return b"" if file.read(1) == b"\n" else b"\n"


class Marks:
    """Which lines have a result: a bit each."""

    def __init__(self) -> None:
        self._bits = bytearray()
        self.count = 0

    def __contains__(self, number: int) -> bool:
        place = number >> 3
        return place < len(self._bits) and bool(self._bits[place] >> (number & 7) & 1)

    def add(self, number: int) -> bool:
        """False if it was there."""
        if number in self:
            return False
        place = number >> 3
        if place >= len(self._bits):
            self._bits.extend(bytes(place + 4096 - len(self._bits)))
        self._bits[place] |= 1 << (number & 7)
        self.count += 1
        return True


class Reading:
    """All results of a batch, each once, as they come in."""

    def __init__(self, parts: Path) -> None:
        self._parts = parts
        self._read: dict[str, int] = {}  # bytes of each file
        self.marks = Marks()
        self.moved = False  # whether the last look found anything, new or not

    def all(self) -> Iterator[Result]:
        """All that are there; may block. OSError."""
        self.moved = True
        while self.moved:
            yield from self.more()

    def more(self) -> Iterator[Result]:
        """Those that came since the last time, or some of them; may block. OSError."""
        self.moved = False
        try:
            names = sorted(os.listdir(self._parts))
        except FileNotFoundError:
            return
        for name in names:
            yield from self._of(name)

    def _of(self, name: str) -> Iterator[Result]:
        begin = self._read.get(name, 0)
        with (self._parts / name).open("rb") as file:
            file.seek(begin)
            data = file.read(_READ)
            while b"\n" not in data and (further := file.read(_READ)):
                data += further
        whole = data.rfind(b"\n") + 1
        self._read[name] = begin + whole
        self.moved = self.moved or whole > 0
        for line in data[:whole].split(b"\n"):
            result = _decoded(line)
            if result is not None and self.marks.add(result.number):
                yield result
