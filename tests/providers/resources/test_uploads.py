"""Uploads of files, whether their body is in memory or in a file."""

import mmap
from pathlib import Path

import pytest
from msgspec.structs import replace

from providers.resources import multipart, uploads
from schemas.claims import Stored
from schemas.requests import Relay, Request

TYPE = 'multipart/form-data; boundary="a b"'
CONTENT = bytes(range(256)) * 3 + b"\r\n--a c\r\n--a\r\n"
BODY = (
    b"preamble\r\n--a b\r\n"
    b'Content-Disposition: form-data; name="expires_after[anchor]"\r\n\r\ncreated_at\r\n--a b\r\n'
    b'Content-Disposition: form-data; name="expires_after[seconds]"\r\n\r\n3600\r\n--a b\r\n'
    b"Content-Type: application/jsonl\r\n"
    b'content-disposition: form-data; name="file"; filename="gr\xc3\xb6\xc3\x9fe \\"1\\".jsonl"\r\n'
    b"\r\n" + CONTENT + b"\r\n--a b\r\n"
    b'Content-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n--a b--\r\n'
)


@pytest.fixture(params=["memory", "file"])
def request_(request: pytest.FixtureRequest, tmp_path: Path) -> Request:
    """The same upload in both places."""
    found = Request(
        request_id="r",
        body=BODY,
        operation="files",
        content_type=TYPE,
        relay=Relay("", "POST", "/files"),
    )
    if request.param == "memory":
        return found
    path = tmp_path / "body"
    path.write_bytes(BODY)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        parts = multipart.index(content, TYPE)
    return replace(found, body=b"", file=Stored(path, len(BODY), parts))


def test_what_an_upload_holds(request_: Request) -> None:
    """The file's name and fields, and its bytes whatever they are."""
    found = uploads.read(request_)

    assert found.filename == 'größe "1".jsonl'
    assert (found.purpose, found.expires_after) == ("batch", 3600)
    assert b"".join(found.pieces) == CONTENT
