"""What the provider tests share."""

from collections.abc import Iterable

from providers import DIALECTS
from providers.base import Decoder, Endpoint, Target, UpstreamRequest
from schemas.replies import Chunk, Completed, Failed, Reply

ENDPOINT = Endpoint(
    instance="east",
    dialect="openai_chat",
    chat_url="http://127.0.0.1:1/v1/chat/completions",
    models_url="http://127.0.0.1:1/v1/models",
    headers={"Authorization": "Bearer secret"},
)
TARGET = Target(ENDPOINT, "gpt-4o")


def stream_decoder(choices: int = 1, *, hide_usage: bool = False) -> Decoder:
    sent = UpstreamRequest("POST", "", {}, b"", True, choices, hide_usage)
    return DIALECTS["openai_chat"].decoder(sent, "text/event-stream; charset=utf-8")


def plain_decoder() -> Decoder:
    return DIALECTS["openai_chat"].decoder(UpstreamRequest("POST", "", {}), "application/json")


def fold(decoder: Decoder, pieces: Iterable[bytes]) -> tuple[list[Chunk], Completed | Failed]:
    """Feed all pieces; the chunks, and the end."""
    chunks: list[Chunk] = []
    for piece in pieces:
        for reply in decoder.feed(piece):
            if not isinstance(reply, Chunk):
                assert isinstance(reply, Failed)
                return chunks, reply
            chunks.append(reply)
    return chunks, decoder.finish()


def whole(chunks: Iterable[Chunk], end: Reply) -> bytes:
    """What a caller gets."""
    assert isinstance(end, Completed), end
    return b"".join(chunk.data for chunk in chunks) + end.data


def event(data: str) -> bytes:
    return f"data: {data}\n\n".encode()


def delta(content: str, finish: str | None = None, index: int = 0) -> bytes:
    reason = "null" if finish is None else f'"{finish}"'
    return event(
        f'{{"model":"m","choices":[{{"index":{index},"delta":{{"content":"{content}"}},'
        f'"finish_reason":{reason}}}]}}'
    )
