"""Why an answer ended: https://ai.google.dev/api/generate-content#FinishReason."""

from __future__ import annotations

from providers.canonical.answer import Finish

_FILTERED = frozenset(
    {
        *("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR"),
        *("IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "ESCALATION"),
    }
)
_OWN = frozenset(
    {
        *_FILTERED,
        *("STOP", "MAX_TOKENS", "LANGUAGE", "OTHER", "MALFORMED_FUNCTION_CALL", "IMAGE_OTHER"),
        *("NO_IMAGE", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MISSING_THOUGHT_SIGNATURE"),
        *("MALFORMED_RESPONSE", "PUP_LIMITED_DISABLED", "CONTINUATION"),
    }
)
_WORDS = {"stop": "STOP", "tool_calls": "STOP", "length": "MAX_TOKENS", "content_filter": "SAFETY"}
MALFORMED = "MALFORMED_FUNCTION_CALL"


def read_finish(native: str, *, called: bool) -> Finish:
    """`called`: the answer holds a call. Gemini has no reason of its own for that."""
    if native == "STOP":
        return Finish("tool_calls" if called else "stop", native)
    if native == "MAX_TOKENS":
        return Finish("length", native)
    if native in _FILTERED:
        return Finish("content_filter", native)
    return Finish(native.lower(), native)


def blocked(reason: str) -> Finish:
    """The prompt was refused: there are no candidates then, only `promptFeedback.blockReason`."""
    return Finish("content_filter", reason)


def write_finish(finish: Finish) -> str:
    """Google's word; OTHER for a reason that it does not have."""
    if finish.native in _OWN:
        return finish.native
    upper = finish.reason.upper()
    return _WORDS.get(finish.reason) or (upper if upper in _OWN else "OTHER")
