"""Bodies that no record can carry, from the wire into a file."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ingress import spooling
from schemas.claims import Claim
from schemas.envelopes import JSON
from schemas.replies import Head
from schemas.spool import Spool
from tests.ingress.conftest import KEY, Start, until
from tests.ingress.worker import Answering, Worker

LIMIT = 64 << 10  # stands for what a record can carry
LARGE = os.urandom(5 * LIMIT)


@pytest.fixture(autouse=True)
def small_records(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spooling, "RECORD_BYTES", LIMIT)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "spool"


def bodies(folder: Path) -> list[str]:
    return os.listdir(folder)


async def pieces(*given: bytes) -> AsyncIterator[bytes]:
    for piece in given:
        yield piece


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
async def test_a_large_body_is_claimed(
    start: Start, worker: Worker, folder: Path, chunked: bool
) -> None:
    """The record says where it is; the file has each byte of it, whether its length was told or not."""
    ingress = await start(spool_dir=folder, body_limit=len(LARGE), passthrough_enabled=True)
    content: Any = pieces(LARGE[:LIMIT], LARGE[LIMIT:-1], LARGE[-1:]) if chunked else LARGE

    found = await ingress.client.post(
        "/p/sim/audio", content=content, headers={"content-type": "audio/wav"}
    )

    assert found.status_code == 200
    (request,) = worker.requests
    assert (request.body, request.content_type) == (b"", "audio/wav")
    assert request.claim is not None
    stored = await Spool(folder).verified(request.claim)
    assert stored.path.read_bytes() == LARGE
    assert bodies(folder) == [request.claim.dataref]  # the worker removes it, not the ingress
    assert ingress.gateway.admission.bytes == 0


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
async def test_a_body_that_fits_is_not(
    start: Start, worker: Worker, folder: Path, chunked: bool
) -> None:
    """What a record can carry travels in it."""
    ingress = await start(spool_dir=folder, body_limit=len(LARGE))
    content: Any = pieces(LARGE[: LIMIT // 2], LARGE[LIMIT // 2 : LIMIT])

    await ingress.client.post("/p/sim/audio", content=content if chunked else LARGE[:LIMIT])

    assert worker.requests[0].body == LARGE[:LIMIT]
    assert worker.requests[0].claim is None
    assert bodies(folder) == []


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
async def test_the_limit_holds(start: Start, worker: Worker, folder: Path, chunked: bool) -> None:
    """One byte more than BODY_SIZE_LIMIT is refused, and what came of it is gone."""
    ingress = await start(spool_dir=folder, body_limit=len(LARGE) - 1)

    found = await ingress.client.post("/p/sim/audio", content=pieces(LARGE) if chunked else LARGE)

    assert found.status_code == 413
    assert worker.requests == []
    assert bodies(folder) == []


async def test_without_a_folder_it_is_refused(start: Start, worker: Worker) -> None:
    """As it was: a body must fit into a record."""
    ingress = await start(body_limit=len(LARGE))

    found = await ingress.client.post("/p/sim/audio", content=LARGE)

    assert found.status_code == 413
    assert worker.requests == []


async def test_an_upload_that_breaks_off_leaves_nothing(
    start: Start, worker: Worker, folder: Path
) -> None:
    """The client goes in the middle of its body: neither a file nor a place among those in flight."""
    ingress = await start(spool_dir=folder, body_limit=len(LARGE))
    head = b"POST /p/sim/audio HTTP/1.1\r\nHost: a\r\nX-Api-Key: %s\r\n" % KEY.encode()
    _, writer = await asyncio.open_connection(ingress.host, ingress.port)
    writer.write(head + b"Content-Length: %d\r\n\r\n" % len(LARGE) + LARGE[: LIMIT + 1])
    await until(lambda: bodies(folder))

    writer.transport.abort()

    await until(lambda: not bodies(folder) and not ingress.gateway.admission.count)
    assert worker.requests == []


async def test_who_trickles_is_not_waited_for(start: Start, folder: Path) -> None:
    """The time for a body grows with what came of it, not with time."""
    ingress = await start(spool_dir=folder, body_limit=len(LARGE), body_timeout=0.2)
    head = b"POST /p/sim/audio HTTP/1.1\r\nHost: a\r\nX-Api-Key: %s\r\n" % KEY.encode()

    found = await ingress.raw(head + b"Content-Length: %d\r\n\r\n" % len(LARGE) + LARGE[:LIMIT])

    assert found.startswith(b"HTTP/1.1 408 ")
    assert bodies(folder) == []


async def test_a_file_that_no_record_names_is_removed(
    start: Start, worker: Worker, folder: Path
) -> None:
    """What is refused after its body has come leaves nothing: nobody would ever ask for it."""
    ingress = await start(spool_dir=folder, body_limit=len(LARGE))
    body = {"model": "sim/sim-1", "input": "x" * LIMIT, "background": True}

    refused = await ingress.client.post("/v1/responses", json=body)
    assert (refused.status_code, refused.json()["error"]["code"]) == (413, "body_too_large")
    assert worker.requests == []
    assert bodies(folder) == []

    taken = await ingress.client.post("/v1/responses", json=body | {"background": False})
    assert taken.status_code == 200
    assert bodies(folder) == [worker.requests[0].request_id]


async def test_what_is_wrong_with_it_is_told_at_once(
    start: Start, worker: Worker, folder: Path
) -> None:
    """Its envelope is looked at as that of any other: nothing of it gets into the log."""
    ingress = await start(spool_dir=folder, body_limit=len(LARGE))
    text = "x" * LIMIT
    message = {"role": "user", "content": text}
    wrong: list[tuple[str, Any]] = [
        ("/v1/chat/completions", json.dumps({"messages": [message]})),
        ("/v1/chat/completions", json.dumps({"model": "sim/sim-1", "messages": [message]})[:-1]),
        ("/v1/messages", json.dumps({"model": "sim/sim-1", "messages": [message]})),
    ]

    for path, body in wrong:
        found = await ingress.client.post(path, content=body)
        assert (found.status_code, found.json()["error"]["type"]) == (400, "invalid_request_error")

    assert worker.requests == []
    assert bodies(folder) == []


@pytest.fixture
def answered(folder: Path, worker: Worker) -> list[Claim]:
    """The worker answers by a file."""
    claims: list[Claim] = []

    async def script(answering: Answering) -> None:
        file = await Spool(folder).create(f"{len(claims)}.answer")
        await file.write(LARGE)
        claims.append(await file.commit())
        if len(claims) > 1:
            (folder / claims[-1].dataref).unlink()
        head = Head(200, "audio/wav", "sim", "", claim=claims[-1])
        await answering.put("completed", head=head, count=1)

    worker.script = script
    return claims


async def test_an_answer_comes_from_its_file(
    start: Start, folder: Path, answered: list[Claim]
) -> None:
    """With its length, byte by byte; then the file is gone. Where it is gone before, that is told."""
    ingress = await start(spool_dir=folder)

    found = await ingress.client.get("/p/sim/audio")
    lost = await ingress.client.get("/p/sim/audio")

    assert (found.status_code, found.content) == (200, LARGE)
    assert found.headers["content-length"] == str(len(LARGE))
    assert found.headers["content-type"] == "audio/wav"
    assert bodies(folder) == []
    assert len(answered) == 2
    assert (lost.status_code, lost.json()["error"]["code"]) == (500, "body_lost")
    assert lost.headers["content-type"] == JSON
    assert json.loads(lost.content)["error"]["message"].startswith("The body of this request")
