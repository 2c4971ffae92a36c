"""Why an answer ended, in OpenAI's words and in those of its imitators."""

from __future__ import annotations

from providers.canonical.answer import Finish

# What others say -> OpenAI's word.
_SAME = {
    "function_call": "tool_calls",  # the form before tools
    "model_length": "length",  # https://docs.mistral.ai/api/#tag/chat
    "max_tokens": "length",
    "end_turn": "stop",
    "eos": "stop",  # https://docs.together.ai/reference/chat-completions
    "sensitive": "content_filter",  # https://docs.z.ai/api-reference/llm/chat-completion
}
WORDS = frozenset({"stop", "length", "tool_calls", "content_filter"})


def parse_finish(reason: str, native: str | None, *, calls: bool) -> Finish:
    """`calls`: the answer holds some. Then `stop` means them, too: OpenAI says it of a forced call.

    https://platform.openai.com/docs/guides/function-calling
    """
    word = reason.lower()
    word = _SAME.get(word, word)
    if calls and word == "stop":
        word = "tool_calls"
    if native is None and word != reason:
        native = reason
    return Finish(word, native)


def finish_word(finish: Finish, *, legacy: bool) -> str:
    """The word for a caller, whose SDK may know no others."""
    word = finish.reason if finish.reason in WORDS else "stop"
    return "function_call" if legacy and word == "tool_calls" else word
