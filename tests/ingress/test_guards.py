"""Malformed requests: each is refused with its reason, and none disturbs a neighbour."""

import asyncio

import msgspec
import pytest

from tests.ingress.conftest import KEY, Ingress, Start, body
from tests.ingress.worker import ANSWER, Worker

LIMIT = 20_000
GOOD = msgspec.json.encode(body())
AUTH = b"Authorization: Bearer " + KEY.encode() + b"\r\n"
HOST = b"Host: gateway\r\n"
POST = b"POST /v1/chat/completions HTTP/1.1\r\n"


def chat(content: bytes = GOOD, *lines: bytes, length: bytes | None = None) -> bytes:
    """A chat request with `lines` among its headers and the right length, unless told otherwise."""
    size = b"%d" % len(content) if length is None else length
    extra = b"".join(line + b"\r\n" for line in lines)
    return (
        POST
        + HOST
        + AUTH
        + extra
        + b"Connection: close\r\nContent-Length: "
        + size
        + b"\r\n\r\n"
        + content
    )


def headed(*lines: bytes, content: bytes = b"", first: bytes = POST) -> bytes:
    """A request of exactly these header lines."""
    return first + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + content


def chunked(*chunks: bytes) -> bytes:
    return headed(
        b"Host: gateway",
        AUTH.strip(),
        b"Transfer-Encoding: chunked",
        b"Connection: close",
        content=b"".join(chunks),
    )


def with_model(value: bytes) -> bytes:
    return b'{"model":' + value + b',"messages":[{"role":"user","content":"hi"}]}'


def with_messages(value: bytes) -> bytes:
    return b'{"model":"sim/sim-1","messages":' + value + b"}"


SMUGGLED = b"GET /health HTTP/1.1\r\nHost: gateway\r\n\r\n"
A = AUTH.strip()
L = b"Content-Length: %d" % len(GOOD)

CASES: dict[str, tuple[bytes, int, str]] = {
    # The request line
    "two spaces": (b"GET  /health HTTP/1.1\r\nHost: a\r\n\r\n", 400, "request line"),
    "no version": (b"GET /health\r\nHost: a\r\n\r\n", 400, "request line"),
    "HTTP/0.9": (b"GET /health HTTP/0.9\r\nHost: a\r\n\r\n", 400, "request line"),
    "HTTP/2.0": (b"GET /health HTTP/2.0\r\nHost: a\r\n\r\n", 400, "request line"),
    "lower-case protocol": (b"GET /health http/1.1\r\nHost: a\r\n\r\n", 400, "request line"),
    "tab for space": (b"GET\t/health HTTP/1.1\r\nHost: a\r\n\r\n", 400, "request line"),
    "non-ASCII path": (b"GET /h\xc3\xa4lth HTTP/1.1\r\nHost: a\r\n\r\n", 400, "request line"),
    "space in path": (b"GET /he alth HTTP/1.1\r\nHost: a\r\n\r\n", 400, "request line"),
    "method with a colon": (b"GE:T /health HTTP/1.1\r\nHost: a\r\n\r\n", 400, "request line"),
    "not a path": (b"GET health HTTP/1.1\r\nHost: a\r\n\r\n", 400, "valid URL"),
    "TLS hello": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, "NUL"),
    "empty head": (b"\r\n\r\n\r\n", 400, "request line"),
    "unknown method": (b"BREW /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 405, "method"),
    # Hosts
    "no Host": (headed(A, L, content=GOOD), 400, "Host"),
    "two Hosts": (headed(b"Host: a", b"Host: b", A, L, content=GOOD), 400, "Host"),
    "two Hosts, HTTP/1.0": (b"GET /health HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400, "Host"),
    # Header fields
    "space before colon": (headed(b"Host: a", A, b"Content-Length : 30", content=SMUGGLED), 400, "colon"),
    "tab before colon": (headed(b"Host: a", A, b"Content-Length\t: 30", content=SMUGGLED), 400, "colon"),
    "folded header": (headed(b"Host: a", A, L, b"X-A: b", b" c", content=GOOD), 400, "folded"),
    "folded first header": (headed(b" Host: a", A, L, content=GOOD), 400, "folded"),
    "no colon": (headed(b"Host: a", A, b"Nonsense", L, content=GOOD), 400, "no colon"),
    "empty name": (headed(b"Host: a", A, b": value", L, content=GOOD), 400, "name"),
    "name in brackets": (headed(b"Host: a", A, b"[X]: value", L, content=GOOD), 400, "name"),
    "non-ASCII name": (headed(b"Host: a", A, b"X-\xc3\xa4: b", L, content=GOOD), 400, "name"),
    "NUL in value": (headed(b"Host: a", A, b"X-A: b\x00c", L, content=GOOD), 400, "NUL"),
    "bare LF in value": (headed(b"Host: a", A, b"X-A: b\nX-B: c", L, content=GOOD), 400, "bare"),
    "bare CR in value": (headed(b"Host: a", A, b"X-A: b\rX-B: c", L, content=GOOD), 400, "bare"),
    "bell in value": (headed(b"Host: a", A, b"X-A: \x07", L, content=GOOD), 400, "control"),
    "DEL in value": (headed(b"Host: a", A, b"X-A: \x7f", L, content=GOOD), 400, "control"),
    "header of 9 kB": (headed(b"Host: a", A, b"X-A: " + b"a" * 9000, L, content=GOOD), 431, "8 KiB"),
    "path of 9 kB": (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 431, "8 KiB"),
    "head without end": (b"GET /health HTTP/1.1\r\n" + b"X-A: b\r\n" * 2000, 431, "8 KiB"),
    # Length and coding
    "two lengths": (headed(b"Host: a", A, L, L, content=GOOD), 400, "only once"),
    "two lengths that differ": (headed(b"Host: a", A, L, b"Content-Length: 0", content=GOOD), 400, "only once"),
    "length and chunked": (
        headed(b"Host: a", A, L, b"Transfer-Encoding: chunked", content=b"0\r\n\r\n" + SMUGGLED),
        400,
        "only once",
    ),
    "negative length": (chat(length=b"-1"), 400, "Content-Length"),
    "signed length": (chat(length=b"+4"), 400, "Content-Length"),
    "length with underscore": (chat(length=b"1_0"), 400, "Content-Length"),
    "hexadecimal length": (chat(length=b"0x10"), 400, "Content-Length"),
    "length of Arabic digits": (chat(length="٣٠".encode()), 400, "Content-Length"),
    "empty length": (chat(length=b""), 400, "Content-Length"),
    "length list": (chat(length=b"5, 5"), 400, "Content-Length"),
    "huge length": (chat(length=b"99999999999999999999"), 413, "BODY_SIZE_LIMIT"),
    "gzip, chunked": (headed(b"Host: a", A, b"Transfer-Encoding: gzip, chunked"), 400, "Transfer-Encoding"),
    "Chunked in capitals": (headed(b"Host: a", A, b"Transfer-Encoding: Chunked"), 400, "Transfer-Encoding"),
    "identity coding": (headed(b"Host: a", A, b"Transfer-Encoding: identity"), 400, "Transfer-Encoding"),
    "chunked with vertical tab": (headed(b"Host: a", A, b"Transfer-Encoding: \x0bchunked"), 400, "control"),
    "chunked in HTTP/1.0": (
        headed(A, b"Transfer-Encoding: chunked", first=b"POST /v1/chat/completions HTTP/1.0\r\n"),
        400,
        "Transfer-Encoding",
    ),
    "bad chunk size": (chunked(b"zz\r\nabc\r\n0\r\n\r\n"), 400, "chunked"),
    "negative chunk size": (chunked(b"-5\r\nabc\r\n0\r\n\r\n"), 400, "chunked"),
    "chunk size without end": (chunked(b"1" * 100), 400, "chunked"),
    "trailer": (chunked(b"0\r\nX-Smuggled: 1\r\n\r\n"), 400, "chunked"),
    "unknown expectation": (chat(GOOD, b"Expect: 200-maybe"), 417, "100-continue"),
    "gzip body": (chat(GOOD, b"Content-Encoding: gzip"), 415, "Content-Encoding"),
    "zstd body": (chat(GOOD, b"Content-Encoding: zstd"), 415, "Content-Encoding"),
    # Sizes
    "length over the limit": (chat(b"x" * (LIMIT + 1)), 413, "BODY_SIZE_LIMIT"),
    "chunks over the limit": (
        chunked(*[b"1000\r\n" + b"x" * 4096 + b"\r\n"] * 6, b"0\r\n\r\n"), 413, "BODY_SIZE_LIMIT",
    ),
    "refused before it is sent": (
        headed(b"Host: a", A, b"Content-Length: 50000", b"Expect: 100-continue"), 413, "BODY_SIZE_LIMIT",
    ),
    # Our headers
    "empty request id": (chat(GOOD, b"X-Request-ID: "), 400, "X-Request-ID"),
    "request id with a space": (chat(GOOD, b"X-Request-ID: a b"), 400, "X-Request-ID"),
    "request id of 257": (chat(GOOD, b"X-Request-ID: " + b"a" * 257), 400, "X-Request-ID"),
    "request id not ASCII": (chat(GOOD, "X-Request-ID: ä".encode()), 400, "X-Request-ID"),
    "request id on models": (
        b"GET /v1/models HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Request-ID: a b\r\n\r\n", 400, "X-Request-ID",
    ),
    "user path upwards": (chat(GOOD, b"X-GoModel-User-Path: /a/../b"), 400, "X-GoModel-User-Path"),
    "user path with a dot": (chat(GOOD, b"X-Sluice-User-Path: /./b"), 400, "X-Sluice-User-Path"),
    "user path with a colon": (chat(GOOD, b"X-Sluice-User-Path: /a:b"), 400, "X-Sluice-User-Path"),
    "user path not ASCII": (chat(GOOD, "X-Sluice-User-Path: /ä".encode()), 400, "X-Sluice-User-Path"),
    # Keys
    "no key": (headed(b"Host: a", b"Connection: close", L, content=GOOD), 401, "Authorization"),
    "wrong key": (headed(b"Host: a", b"x-api-key: no", b"Connection: close", L, content=GOOD), 401, "not valid"),
    "Basic": (headed(b"Host: a", b"Authorization: Basic eA==", L, content=GOOD), 401, "Bearer"),
    "key not UTF-8": (headed(b"Host: a", b"Authorization: Bearer \xff\xfe", L, content=GOOD), 401, "not valid"),
    # Paths and methods
    "unknown path": (b"GET /nowhere HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 404, "/v1/models"),
    "chat by GET": (b"GET /v1/chat/completions HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 405, "method"),
    "unknown model": (
        b"GET /v1/models/x/y HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + AUTH + b"\r\n", 404, "x/y",
    ),
    # JSON and UTF-8
    "no body": (chat(b""), 400, "JSON"),
    "no length": (headed(b"Host: a", A, b"Connection: close"), 400, "JSON"),
    "cut off": (chat(GOOD[:-5]), 400, "JSON"),
    "not JSON": (chat(b"model=sim"), 400, "JSON"),
    "trailing bytes": (chat(GOOD + b"{}"), 400, "JSON"),
    "single quotes": (chat(b"{'model':'a'}"), 400, "JSON"),
    "an array": (chat(b"[]"), 400, "object"),
    "null": (chat(b"null"), 400, "object"),
    "a number": (chat(b"12"), 400, "object"),
    "empty object": (chat(b"{}"), 400, "`model` is required"),
    "no messages": (chat(b'{"model":"sim/sim-1"}'), 400, "`messages` is required"),
    "model a number": (chat(with_model(b"3")), 400, "`model`"),
    "model null": (chat(with_model(b"null")), 400, "`model`"),
    "model blank": (chat(with_model(b'"  "')), 400, "`model` must not be empty"),
    "messages empty": (chat(with_messages(b"[]")), 400, "at least one"),
    "messages an object": (chat(with_messages(b"{}")), 400, "`messages`"),
    "stream a string": (
        chat(b'{"model":"a","messages":[1],"stream":"yes"}'), 400, "`stream`",
    ),
    "Latin-1": (chat(with_model(b'"\xe4"')), 400, "UTF-8"),
    "half a character": (chat(with_model(b'"\xc3"')), 400, "UTF-8"),
    "surrogate": (chat(with_model(b'"\xed\xa0\x80"')), 400, "UTF-8"),
    "UTF-16": (chat(GOOD.decode().encode("utf-16")), 400, "UTF-8"),
    "nested too deeply": (chat(with_messages(b"[" * 9000 + b"]" * 9000)), 400, "nested"),
    "bare control character": (chat(with_model(b'"a\x01"')), 400, "JSON"),
}  # fmt: skip


def parse(answer: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the first answer among the bytes."""
    if answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\n"):
        answer = answer.partition(b"\r\n\r\n")[2]
    head, _, rest = answer.partition(b"\r\n\r\n")
    line, *fields = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (f.partition(":") for f in fields)}
    return int(line.split(" ")[1]), headers, rest[: int(headers.get("content-length", "0"))]


async def send(ingress: Ingress, data: bytes) -> tuple[int, dict[str, str], bytes]:
    return parse(await ingress.raw(data))


@pytest.mark.parametrize(("data", "status", "fragment"), CASES.values(), ids=CASES.keys())
async def test_a_malformed_request_is_refused_and_its_neighbour_answered(
    start: Start, worker: Worker, data: bytes, status: int, fragment: str
) -> None:
    """Status, reason and request id stand in the envelope, the connection ends, the log got nothing."""
    ingress = await start(body_limit=LIMIT)

    (found, headers, content), neighbour = await asyncio.gather(send(ingress, data), ingress.chat())

    error = msgspec.json.decode(content)["error"]
    assert (found, headers["content-type"]) == (status, "application/json")
    assert fragment in error["message"]
    assert set(error) == {"message", "type", "param", "code"}
    assert headers["x-request-id"]
    assert headers["connection"] == "close"
    assert (neighbour.status_code, neighbour.content) == (200, ANSWER)
    assert len(worker.requests) == 1


async def test_nothing_is_smuggled_behind_a_refused_head(start: Start) -> None:
    """Bytes after a head that was refused are not answered as a request."""
    ingress = await start()

    answer = await ingress.raw(
        headed(b"Host: a", A, b"Content-Length : %d" % len(SMUGGLED), content=SMUGGLED)
    )

    assert answer.count(b"HTTP/1.1 ") == 1


async def test_good_heads_pass(start: Start, worker: Worker) -> None:
    """White space around a value, Latin-1 in a value and HTTP/1.0 without Host are allowed."""
    ingress = await start()
    length = b"Content-Length: %d" % len(GOOD)
    old = b"POST /v1/chat/completions HTTP/1.0\r\n"

    padded = await send(
        ingress,
        headed(b"Host:a", A, b"X-A:\t b\xe4 ", b"Connection: close", length + b" ", content=GOOD),
    )
    without_host = await send(ingress, headed(A, length, content=GOOD, first=old))

    assert padded[0] == without_host[0] == 200
    assert len(worker.requests) == 2
