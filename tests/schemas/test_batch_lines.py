"""Lines of batches in the headers of their records."""

import pytest

from schemas.batch_lines import BatchLine, from_headers, to_headers
from schemas.batches import batch_id

ID = batch_id("0198b2c4-8f1e-7000-9b5d-3c1f0e5a7d21")


def test_a_line_in_the_headers_of_its_record() -> None:
    """It is read as it was written, whatever its name; a record without them is no line."""
    for line in (BatchLine(ID, 7, "größe \n 1"), BatchLine(ID, 1_000_000, "a", again=True)):
        assert from_headers(dict(to_headers(line))) == line
    assert from_headers({}) is None


@pytest.mark.parametrize(
    "headers",
    [
        {"sluice-batch": b"../../etc", "sluice-batch-line": b"1"},
        {"sluice-batch": ID.encode(), "sluice-batch-line": b"-1"},
        {"sluice-batch": ID.encode()},
        {"sluice-batch": b"\xff"},
    ],
    ids=["a path", "a negative number", "no number", "no text"],
)
def test_headers_that_are_no_line(headers: dict[str, bytes]) -> None:
    """Whoever writes to the topic names no file by them."""
    with pytest.raises(ValueError, match=r"sluice-batch|codec"):
        from_headers(headers)
