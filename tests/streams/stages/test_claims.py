"""Large bodies before and behind the other stages."""

import json
import os
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import pytest

from providers.resources import multipart
from schemas.bodies import envelope
from schemas.claims import Claim
from schemas.errors import UpstreamError
from schemas.replies import Chunk, Completed, Failed, Reply, Started
from schemas.requests import Operation, Relay, Request
from schemas.spool import Spool
from streams.stages import Call
from streams.stages.claims import MAX_INLINE, Claims

MIB = 1 << 20
BODY = json.dumps({"model": "m", "stream": True, "messages": [{"role": "user"}]}).encode()
UPLOAD = (
    b"before\r\n--b1\r\nContent-Disposition: form-data; name=\"provider\"\r\n\r\nsim\r\n"
    b"--b1\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n"
    b"\x00--b1\r\n--b2\xff\r\n--b1\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch"
    b"\r\n--b1--\r\nbehind"
)  # fmt: skip


class Provider:
    """A handler that keeps what it was asked, and answers with these replies."""

    def __init__(self, *replies: Reply) -> None:
        self.replies: Sequence[Reply] = replies or (Started(200, "x", "", ""), Completed(b"{}"))
        self.calls: list[Call] = []

    async def __call__(self, call: Call) -> AsyncGenerator[Reply, None]:
        self.calls.append(call)
        for reply in self.replies:
            yield reply


def asking(operation: Operation, content_type: str = "application/json", **more: object) -> Call:
    relay = Relay("sim", "POST", "/files") if operation in ("relay", "files") else None
    request = Request(
        request_id="r", body=b"", operation=operation, relay=relay, content_type=content_type,
        **more,  # type: ignore[arg-type]  # test's own
    )  # fmt: skip
    return Call(request, envelope(request))


async def replies(stage: Claims, call: Call) -> list[Reply]:
    return [reply async for reply in stage(call)]


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path)


async def test_json_is_read_and_understood(spool: Spool) -> None:
    """The stages behind get the request as if it had come in its record."""
    provider = Provider()
    (spool.folder / "body").write_bytes(BODY)

    found = await replies(Claims(provider, spool, 10), asking("chat", claim=Claim("body")))

    (call,) = provider.calls
    assert isinstance(found[-1], Completed)
    assert (call.request.body, call.envelope.model, call.streamed) == (BODY, "m", True)


async def test_what_is_wrong_with_it_is_told_as_ever(spool: Spool) -> None:
    """A body that is no request is the caller's mistake, and no provider is asked."""
    provider = Provider()
    (spool.folder / "body").write_bytes(b'{"model": "m"')

    (failed,) = await replies(Claims(provider, spool, 10), asking("chat", claim=Claim("body")))

    assert isinstance(failed, Failed)
    assert failed.status == 400
    assert provider.calls == []


@pytest.mark.parametrize("known", [True, False])
async def test_a_missing_body_is_told(spool: Spool, known: bool) -> None:
    """So is a worker without the folder."""
    provider = Provider()
    stage = Claims(provider, spool if known else None, 10)

    (failed,) = await replies(stage, asking("chat", claim=Claim("body")))

    assert isinstance(failed, Failed)
    assert (failed.status, failed.error.code) == (500, "body_lost")
    assert "SPOOL_DIR" in failed.error.message
    assert provider.calls == []


async def test_an_upload_stays_in_its_file(spool: Spool) -> None:
    """Its fields are found there, and what is not the provider's is left out of what is sent."""
    provider = Provider()
    (spool.folder / "body").write_bytes(UPLOAD)
    kind = "multipart/form-data; boundary=b1"

    await replies(Claims(provider, spool, 10), asking("files", kind, claim=Claim("body")))

    stored = provider.calls[0].request.file
    assert provider.calls[0].request.body == b""
    assert stored is not None
    assert multipart.field_in(stored, "provider") == "sim"
    assert multipart.field_in(stored, "purpose") == "batch"
    assert multipart.field_in(stored, "model") is None
    sent = multipart.file_without(stored, ("provider", "model"))
    data = b"".join([piece async for piece in sent.read()])
    assert data == UPLOAD.replace(UPLOAD[8 : UPLOAD.index(b"--b1", 12)], b"")
    assert multipart.field(data, kind, "provider") is None
    assert multipart.field(data, kind, "purpose") == "batch"


@pytest.mark.parametrize("size", [1, 2, 5, 30])
async def test_a_border_is_found_wherever_it_is_cut(
    spool: Spool, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """The parts are the same whatever piece of the file is read at once."""
    path = spool.folder / "body"
    path.write_bytes(UPLOAD)
    kind = "multipart/form-data; boundary=b1"
    with path.open("rb") as file:
        whole = multipart.index(file, kind)
    monkeypatch.setattr(multipart, "_PIECE", size)

    with path.open("rb") as file:
        assert multipart.index(file, kind) == whole

    assert [part.name for part in whole] == ["provider", "file", "purpose"]


async def test_an_upload_that_is_cut_off_is_sent_as_it_is(spool: Spool) -> None:
    """Nobody knows its fields: the provider says what is wrong with it."""
    provider = Provider()
    cut = UPLOAD[:-20]
    (spool.folder / "body").write_bytes(cut)
    kind = "multipart/form-data; boundary=b1"

    await replies(Claims(provider, spool, 10), asking("files", kind, claim=Claim("body")))

    stored = provider.calls[0].request.file
    assert stored is not None
    assert stored.parts == ()
    assert len(multipart.file_without(stored, ("provider",))) == len(cut)


async def test_a_large_answer_goes_into_a_file(spool: Spool) -> None:
    """One that is handed on as it is: its replies say where it is, when it is whole."""
    start = Started(200, "audio/wav", "sim", "m", {"a": "b"}, size=16 * MIB)
    pieces = [Chunk(bytes([number]) * MIB) for number in range(15)]
    stage = Claims(Provider(start, *pieces, Completed(b"\xff" * MIB, "stop")), spool, 10)

    started, end = await replies(stage, asking("relay"))

    assert isinstance(started, Started)
    assert started.claim is not None
    assert (started.status, started.http_headers) == (200, {"a": "b"})
    assert end == Completed(b"", "stop")
    stored = await spool.verified(started.claim)
    assert stored.path.read_bytes() == b"".join(each.data for each in pieces) + b"\xff" * MIB


async def test_half_a_large_answer_is_an_error(spool: Spool) -> None:
    """It leaves no file, and nothing of it has gone out."""
    start = Started(200, "audio/wav", "sim", "m", size=16 * MIB)
    failed = Failed(UpstreamError(), 502)
    stage = Claims(Provider(start, Chunk(b"x" * MIB), failed), spool, 10)

    assert await replies(stage, asking("relay")) == [failed]
    assert os.listdir(spool.folder) == []


@pytest.mark.parametrize("kind", ["text/event-stream", "audio/wav"])
async def test_what_is_told_as_it_comes_stays_so(spool: Spool, kind: str) -> None:
    """A stream, and an answer whose length nobody knows: until it is more than the log carries."""
    size = 16 * MIB if kind == "text/event-stream" else None
    pieces = [Chunk(b"x" * (MAX_INLINE // 2))] * 3
    stage = Claims(Provider(Started(200, kind, "sim", "m", size=size), *pieces), spool, 10)

    found = await replies(stage, asking("relay"))

    assert found[1:3] == pieces[:2]
    assert isinstance(found[-1], Failed)
    assert found[-1].event is not None
    assert len(found) == 4
