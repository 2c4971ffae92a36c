"""Token counts as OpenAI writes them: https://platform.openai.com/docs/api-reference/chat/object."""

from __future__ import annotations

from schemas.usage import Usage

_INPUT = ("prompt_tokens_details.", "input_tokens_details.")
_OUTPUT = ("completion_tokens_details.", "output_tokens_details.")


def write_usage(usage: Usage) -> dict[str, object]:
    """The `usage` member. Counts of the provider's that have no name here keep their own."""
    inputs: dict[str, int] = {"cached_tokens": usage.cached_input_tokens}
    if usage.cache_creation_input_tokens:
        inputs["cache_write_tokens"] = usage.cache_creation_input_tokens
    outputs: dict[str, int] = {"reasoning_tokens": usage.reasoning_tokens}
    found: dict[str, object] = {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": inputs,
        "completion_tokens_details": outputs,
    }
    for name, count in usage.details.items():
        if name.startswith(_INPUT):
            inputs.setdefault(name.partition(".")[2], count)
        elif name.startswith(_OUTPUT):
            outputs.setdefault(name.partition(".")[2], count)
        elif name == "total_tokens":
            found[name] = count  # a provider whose total is not the sum
        else:
            found.setdefault(name, count)
    return found
