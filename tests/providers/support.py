"""What the provider tests share."""

from collections.abc import Iterable

from msgspec.structs import replace

from providers.base import Decoder, Endpoint, Route, Target
from providers.dialects.openai_chat.native import PassThrough
from providers.dialects.openai_chat.stream import StreamDecoder
from schemas.replies import Chunk, Completed, Failed, Reply
from schemas.requests import Request

ENDPOINT = Endpoint(
    instance="east",
    routes={"openai_chat": Route("http://127.0.0.1:1/v1/chat/completions")},
    base_url="http://127.0.0.1:1/v1",
    models_url="http://127.0.0.1:1/v1/models",
    headers={"Authorization": "Bearer secret"},
)
TARGET = Target(ENDPOINT, "gpt-4o")


CHAT = b'{"model":"gpt-4o","messages":[{"role":"user","content":"hi"}]}'


def with_route(**changes: object) -> Target:
    """The target, its route for OpenAI chat changed."""
    route = replace(ENDPOINT.routes["openai_chat"], **changes)
    return Target(replace(ENDPOINT, routes={"openai_chat": route}), "gpt-4o")


def pass_through(
    body: bytes = CHAT, target: Target = TARGET, request_id: str = "r-1"
) -> PassThrough:
    """The dialogue of a chat request with a provider of the same dialect."""
    return PassThrough(Request(request_id=request_id, body=body), target)


def stream_decoder(choices: int = 1, *, hide_usage: bool = False) -> Decoder:
    return StreamDecoder(choices, hide_usage=hide_usage)


def plain_decoder() -> Decoder:
    return pass_through().decoder("application/json")


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
