"""Estimates of tokens where nobody says how many there were."""

import json

from schemas.usage import Usage
from streams.estimates import estimated_usage, tokens_in


def test_texts_count_and_media_do_not() -> None:
    """Four bytes a token over messages, tools and system prompts; images, ids and names of models are none."""
    body = {
        "model": "m" * 400,
        "messages": [
            {"role": "user", "content": "x" * 40},
            {"role": "user", "content": [{"type": "text", "text": "é" * 20}]},
            {"role": "user", "content": [{"image_url": {"url": "data:" + "x" * 4000}}]},
        ],
    }

    assert tokens_in(json.dumps(body).encode()) == 20
    assert tokens_in(b"not JSON") == tokens_in(b"\xff") == 0


def test_an_answer_that_was_cut_is_estimated_from_its_pieces() -> None:
    """Of a stream the pieces, not what its last events tell again; of a whole answer its texts."""
    request = json.dumps({"messages": [{"content": "x" * 8}]}).encode()
    chat = b"".join(
        b'data: {"id": "c", "choices": [{"delta": {"content": "%s"}}]}\n\n' % (b"y" * 20)
        for _ in range(3)
    )
    cut = chat + b'data: {"choices": [{"del'
    responses = (
        b'event: a\ndata: {"type": "response.output_text.delta", "delta": "yyyyyyyy"}\n\n'
        b'data: {"type": "response.output_text.done", "text": "yyyyyyyy"}\n\n'
    )
    whole = b'{"id": "x", "choices": [{"message": {"content": "yyyyyyyy"}}]}'

    assert estimated_usage(request, cut) == Usage(2, 15, estimated=True)
    assert estimated_usage(request, responses) == Usage(2, 2, estimated=True)
    assert estimated_usage(request, whole) == Usage(2, 2, estimated=True)
