"""What is asked of a conversation but an answer: how many tokens it has, and a shorter form of it."""

from __future__ import annotations

from typing_extensions import override

from sluice.sim import tokens
from sluice.sim.answers import CREATED, Answer
from sluice.sim.ask import Ask, Call
from sluice.sim.base import encode
from sluice.sim.dialects import gemini_request, messages_request, responses_request
from sluice.sim.dialects.gemini import Gemini
from sluice.sim.dialects.messages import Messages
from sluice.sim.dialects.responses import Responses


class InputTokens(Responses):
    """https://platform.openai.com/docs/api-reference/responses/input-tokens"""

    @override
    def plain(self, ask: Ask, said: Answer) -> bytes:
        return encode({"object": "response.input_tokens", "input_tokens": said.prompt_tokens})


class CountTokens(Messages):
    """https://docs.anthropic.com/en/api/messages-count-tokens"""

    @override
    def read(self, call: Call) -> Ask:
        return messages_request.read_for_count(call)

    @override
    def plain(self, ask: Ask, said: Answer) -> bytes:
        return encode({"input_tokens": said.prompt_tokens})


class GeminiCount(Gemini):
    """https://ai.google.dev/api/tokens"""

    @override
    def read(self, call: Call) -> Ask:
        return gemini_request.read_for_count(call)

    @override
    def plain(self, ask: Ask, said: Answer) -> bytes:
        details = [{"modality": "TEXT", "tokenCount": said.prompt_tokens}]
        return encode({"totalTokens": said.prompt_tokens, "promptTokensDetails": details})


class Compact(Responses):
    """https://platform.openai.com/docs/api-reference/responses/compact: what the user said stays, the
    rest becomes an item that only the provider can read."""

    @override
    def plain(self, ask: Ask, said: Answer) -> bytes:
        texts = responses_request.user_texts(ask.body)
        output: list[object] = [
            {
                "id": f"msg_sim{said.id}{number}",
                "type": "message",
                "role": "user",
                "status": "completed",
                "content": [{"type": "input_text", "text": text}],
            }
            for number, text in enumerate(texts)
        ]
        token = tokens.sign(said.id)
        output.append({"id": f"cmp_sim{said.id}", "type": "compaction", "encrypted_content": token})
        usage = {
            "input_tokens": said.prompt_tokens,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 1,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": said.prompt_tokens + 1,
        }
        return encode(
            {
                "id": f"resp_sim{said.id}",
                "object": "response.compaction",
                "created_at": CREATED,
                "output": output,
                "usage": usage,
            }
        )
