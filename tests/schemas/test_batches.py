"""Batches as they stand in records and are told."""

import pytest

from schemas.batch_lines import is_batch_id
from schemas.batches import Batch, LineError, Tokens, batch_id, window_of

ID = batch_id("0198b2c4-8f1e-7000-9b5d-3c1f0e5a7d21")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("24h", 86_400), ("90m", 5400), ("30s", 30), ("25h", None), ("0h", None), ("1d", None)],
)
def test_windows(text: str, seconds: int | None) -> None:
    """OpenAI's 24 hours, and what is shorter; the log keeps no request for longer."""
    assert window_of(text) == seconds


def test_a_batch_is_told_in_the_form_of_openai() -> None:
    """With its errors, its counts, and what it has used."""
    batch = Batch(
        id=ID,
        endpoint="/v1/chat/completions",
        input_file_id="file-1",
        completion_window="24h",
        created_at=1,
        expires_at=86_401,
        status="failed",
        errors=(LineError("url_mismatch", "no", 3, "url"),),
        tokens=Tokens(5, 2, 7, 1),
    )
    shown = batch.shown()

    assert (shown["object"], shown["status"], shown["id"]) == ("batch", "failed", ID)
    assert shown["errors"] == {
        "object": "list",
        "data": [{"code": "url_mismatch", "message": "no", "line": 3, "param": "url"}],
    }
    assert shown["request_counts"] == {"total": 0, "completed": 0, "failed": 0}
    assert shown["usage"] == {
        "input_tokens": 5,
        "input_tokens_details": {"cached_tokens": 2},
        "output_tokens": 7,
        "output_tokens_details": {"reasoning_tokens": 1},
        "total_tokens": 12,
    }


def test_ids_of_batches() -> None:
    """A request that is handled twice makes the same batch."""
    assert ID == "batch_sluice_0198b2c48f1e70009b5d3c1f0e5a7d21"
    assert is_batch_id(ID)
    assert not is_batch_id("batch_abc")
