"""Bodies that are sent from a file."""

from pathlib import Path

import pytest

from providers.file_body import FileBody, Span, whole
from schemas.claims import Stored


async def sent(body: FileBody) -> bytes:
    return b"".join([data async for data in body.read()])


async def test_the_spans_follow_each_other(tmp_path: Path) -> None:
    """As many bytes as its length says, also across pieces."""
    content = bytes(range(256)) * 10_000
    path = tmp_path / "body"
    path.write_bytes(content)
    body = FileBody(path, (Span(3, 7), Span(100, 2_000_000), Span(7, 8)))

    assert await sent(body) == content[3:7] + content[100:2_000_000] + content[7:8]
    assert len(body) == 4 + 1_999_900 + 1
    assert await sent(whole(Stored(path, len(content)))) == content


async def test_a_file_that_shrinks_ends_in_an_error(tmp_path: Path) -> None:
    """What is missing is not left out."""
    path = tmp_path / "body"
    path.write_bytes(b"abc")

    with pytest.raises(OSError, match="shorter"):
        await sent(FileBody(path, (Span(0, 4),)))
