"""The response object of OpenAI's Responses, and the items of its output."""

from __future__ import annotations

from typing import Literal

from sluice.sim.answers import CREATED, Answer, Part, Text, Thought, ToolCall
from sluice.sim.ask import Ask

Object = dict[str, object]
Status = Literal["in_progress", "completed", "incomplete", "failed"]
_DEFAULTS: Object = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "service_tier": "default",
    "store": True,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}, "verbosity": "medium"},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}
_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}


def response(ask: Ask, said: Answer, status: Status, output: list[Object]) -> Object:
    """The response object in one of its states."""
    ended = status in ("completed", "incomplete")
    reason = _INCOMPLETE.get(said.finish) if status == "incomplete" else None
    return {
        "id": f"resp_sim{said.id}",
        "object": "response",
        "created_at": CREATED,
        "status": status,
        "completed_at": CREATED if status == "completed" else None,
        "error": FAILURE if status == "failed" else None,
        "incomplete_details": {"reason": reason} if reason else None,
        "model": ask.model,
        "output": output,
        **_DEFAULTS,
        **ask.told,
        "usage": _usage(said) if ended else None,
    }


FAILURE: Object = {
    "code": "server_error",
    "message": "The simulated provider was asked to fail.",
}


def ending(said: Answer) -> Literal["completed", "incomplete"]:
    return "incomplete" if said.finish in _INCOMPLETE else "completed"


def items(ask: Ask, said: Answer) -> list[Object]:
    """The whole output."""
    return [item(ask, said, number) for number in range(len(said.parts))]


def item_id(said: Answer, number: int) -> str:
    prefix = {Thought: "rs", Text: "msg", ToolCall: "fc"}[type(said.parts[number])]
    return f"{prefix}_sim{said.id}{number}"


def item(ask: Ask, said: Answer, number: int, empty: bool = False) -> Object:
    """An item of the output: as it ends, or empty as it begins."""
    part = said.parts[number]
    status = "in_progress" if empty else ending(said)
    head: Object = {"id": item_id(said, number)}
    match part:
        case Thought():
            summary = [] if empty or ask.silently else [summary_part(part.text)]
            head |= {"type": "reasoning", "summary": summary}
            return head | ({"encrypted_content": part.token} if ask.sealed else {})
        case Text():
            content = [] if empty else [content_part(part, part.text)]
            return head | {
                "type": "message",
                "role": "assistant",
                "status": status,
                "content": content,
            }
        case ToolCall():
            return head | _call(part, "" if empty else part.text) | {"status": status}


def content_part(part: Text, text: str) -> Object:
    if part.refusal:
        return {"type": "refusal", "refusal": text}
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": text}


def summary_part(text: str) -> Object:
    return {"type": "summary_text", "text": text}


def streams(part: Part) -> bool:
    """Whether a part is written in pieces; a shell's command is not."""
    return not (isinstance(part, ToolCall) and part.tool.kind == "shell")


def _call(call: ToolCall, given: str) -> Object:
    call_id = f"call_{call.id}"
    match call.tool.kind:
        case "function":
            told: Object = {"type": "function_call", "arguments": given}
        case "custom":
            told = {"type": "custom_tool_call", "input": given}
        case "shell":
            action = {"type": "exec", "command": ["echo", "simulated"], "env": {}}
            return {"type": "local_shell_call", "call_id": call_id, "action": action}
    return told | {"call_id": call_id, "name": call.tool.name}


def _usage(said: Answer) -> Object:
    return {
        "input_tokens": said.prompt_tokens,
        "input_tokens_details": {"cached_tokens": said.cached_tokens},
        "output_tokens": said.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": said.reasoning_tokens},
        "total_tokens": said.prompt_tokens + said.completion_tokens,
    }
