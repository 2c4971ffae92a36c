"""Why an answer ended: https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons."""

from __future__ import annotations

from providers.canonical.answer import Finish

_FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
_STOP = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
    "pause_turn": "pause_turn",
}


def to_finish(stop_reason: str, stop_sequence: str | None = None) -> Finish:
    """`pause_turn` and what we do not know stay as they are."""
    reason = _FINISH.get(stop_reason, stop_reason.lower())
    return Finish(reason, stop_reason, stop_sequence)


def to_stop_reason(finish: Finish | None, *, called: bool, refused: bool) -> str:
    """`called`: a tool is called in the answer, so its caller must act; `refused`: the model said no."""
    if finish is None:
        return "end_turn"
    if finish.native in _FINISH and _FINISH[finish.native] == finish.reason:
        return finish.native
    if finish.reason == "stop":
        if called:
            return "tool_use"
        if refused:
            return "refusal"
        if finish.stop_sequence is not None:
            return "stop_sequence"
    return _STOP.get(finish.reason, "end_turn")
