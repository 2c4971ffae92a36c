"""What a provider received, read by each dialect's own documentation and not by the gateway's code."""

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

from msgspec import Struct

Json = dict[str, Any]


class Seen(Struct):
    """One request."""

    path: str
    headers: dict[str, str]
    body: Json

    @property
    def dialect(self) -> str:
        for end, dialect in _ENDS.items():
            if self.path.endswith(end):
                return dialect
        raise AssertionError(self.path)

    @property
    def tools(self) -> dict[str, Json]:
        """Schemas of the functions, by name."""
        return _TOOLS[self.dialect](self.body)

    @property
    def schema(self) -> Json:
        """Of the answer."""
        found: Json = _SCHEMA[self.dialect](self.body)
        return found

    @property
    def images(self) -> list[bytes]:
        """The bytes of pictures that the last message holds."""
        return [base64.b64decode(one) for one in _IMAGE[self.dialect](self.body)]

    @property
    def results(self) -> list[tuple[str, str]]:
        """What tools gave: the id of the call, or in Gemini the function's name, and the text."""
        return _RESULTS[self.dialect](self.body)

    @property
    def calls(self) -> list[tuple[str, str, Any]]:
        """Earlier calls: id (Gemini's: name), name and arguments."""
        return _CALLS[self.dialect](self.body)

    @property
    def system(self) -> str:
        return _SYSTEM[self.dialect](self.body)


_ENDS = {
    "/chat/completions": "chat",
    "/responses": "responses",
    "/messages": "messages",
    ":generateContent": "gemini",
    ":streamGenerateContent": "gemini",
}


def _parts(body: Json) -> Iterator[Json]:
    """All parts of all messages."""
    for message in body.get("messages") or body.get("contents") or _items(body):
        content = message.get("content") or message.get("parts") or ()
        if isinstance(content, list):
            yield from content


def _items(body: Json) -> list[Json]:
    """Of Responses, whose input may be a text."""
    found = body.get("input") or []
    return [] if isinstance(found, str) else found


def _data(url: str) -> str:
    head, _, data = url.partition(",")
    assert head == "data:image/png;base64", url[:60]
    return data


def _text(content: Any) -> str:
    """Of a string or of parts."""
    if isinstance(content, str):
        return content
    return "".join(part["text"] for part in content or ())


# -- OpenAI chat: https://platform.openai.com/docs/api-reference/chat/create


def _chat_tools(body: Json) -> dict[str, Json]:
    functions = [tool["function"] for tool in body.get("tools", ())]
    return {one["name"]: one["parameters"] for one in functions}


def _chat_images(body: Json) -> Iterator[str]:
    for part in _parts(body):
        if part["type"] == "image_url":
            yield _data(part["image_url"]["url"])


def _chat_results(body: Json) -> list[tuple[str, str]]:
    tools = [one for one in body["messages"] if one["role"] == "tool"]
    return [(one["tool_call_id"], _text(one["content"])) for one in tools]


def _chat_calls(body: Json) -> list[tuple[str, str, Any]]:
    calls = [call for one in body["messages"] for call in one.get("tool_calls") or ()]
    return [
        (one["id"], one["function"]["name"], json.loads(one["function"]["arguments"]))
        for one in calls
    ]


def _chat_system(body: Json) -> str:
    turns = [one for one in body["messages"] if one["role"] in ("system", "developer")]
    return "\n".join(_text(one["content"]) for one in turns)


# -- OpenAI Responses: https://platform.openai.com/docs/api-reference/responses/create


def _responses_tools(body: Json) -> dict[str, Json]:
    functions = [tool for tool in body.get("tools", ()) if tool["type"] == "function"]
    return {tool["name"]: tool["parameters"] for tool in functions}


def _responses_images(body: Json) -> Iterator[str]:
    for part in _parts(body):
        if part["type"] == "input_image":
            yield _data(part["image_url"])


def _responses_results(body: Json) -> list[tuple[str, str]]:
    outputs = [one for one in _items(body) if one.get("type", "").endswith("_output")]
    return [(one["call_id"], _text(one["output"])) for one in outputs]


def _responses_calls(body: Json) -> list[tuple[str, str, Any]]:
    calls = [one for one in _items(body) if one.get("type") == "function_call"]
    return [(one["call_id"], one["name"], json.loads(one["arguments"])) for one in calls]


def _responses_system(body: Json) -> str:
    turns = [one for one in _items(body) if one.get("role") in ("system", "developer")]
    return "\n".join(
        [body.get("instructions") or "", *(_text(one["content"]) for one in turns)]
    ).strip()


# -- Anthropic Messages: https://docs.anthropic.com/en/api/messages


def _messages_tools(body: Json) -> dict[str, Json]:
    return {tool["name"]: tool["input_schema"] for tool in body.get("tools", ())}


def _messages_images(body: Json) -> Iterator[str]:
    for part in _parts(body):
        if part["type"] == "image":
            assert part["source"]["media_type"] == "image/png"
            yield part["source"]["data"]


def _messages_results(body: Json) -> list[tuple[str, str]]:
    results = [part for part in _parts(body) if part["type"] == "tool_result"]
    return [(one["tool_use_id"], _text(one["content"])) for one in results]


def _messages_calls(body: Json) -> list[tuple[str, str, Any]]:
    calls = [part for part in _parts(body) if part["type"] == "tool_use"]
    return [(one["id"], one["name"], one["input"]) for one in calls]


# -- Gemini generateContent: https://ai.google.dev/api/generate-content


def _gemini_tools(body: Json) -> dict[str, Json]:
    declared = [one for tool in body.get("tools", ()) for one in tool["functionDeclarations"]]
    return {
        one["name"]: one.get("parametersJsonSchema")
        # As Google's own SDK writes it.
        or one.get("parameters_json_schema")
        or one["parameters"]
        for one in declared
    }


def _gemini_images(body: Json) -> Iterator[str]:
    for part in _parts(body):
        if "inlineData" in part:
            blob = part["inlineData"]
            # Google's own SDK writes names in snake case and base64 for URLs.
            assert (blob.get("mimeType") or blob["mime_type"]) == "image/png"
            yield blob["data"].replace("-", "+").replace("_", "/")


def _gemini_results(body: Json) -> list[tuple[str, str]]:
    results = [part["functionResponse"] for part in _parts(body) if "functionResponse" in part]
    return [(one["name"], next(iter(one["response"].values()))) for one in results]


def _gemini_calls(body: Json) -> list[tuple[str, str, Any]]:
    calls = [part["functionCall"] for part in _parts(body) if "functionCall" in part]
    return [(one["name"], one["name"], one["args"]) for one in calls]


def _gemini_schema(body: Json) -> Any:
    config = body["generationConfig"]
    assert config["responseMimeType"] == "application/json"
    return config.get("responseJsonSchema") or config["responseSchema"]


def _gemini_system(body: Json) -> str:
    return _text((body.get("systemInstruction") or {}).get("parts"))


_TOOLS: dict[str, Callable[[Json], dict[str, Json]]] = {
    "chat": _chat_tools,
    "responses": _responses_tools,
    "messages": _messages_tools,
    "gemini": _gemini_tools,
}
_SCHEMA: dict[str, Callable[[Json], Any]] = {
    "chat": lambda body: body["response_format"]["json_schema"]["schema"],
    "responses": lambda body: body["text"]["format"]["schema"],
    "messages": lambda body: body["output_config"]["format"]["schema"],
    "gemini": _gemini_schema,
}
_IMAGE: dict[str, Callable[[Json], Iterator[str]]] = {
    "chat": _chat_images,
    "responses": _responses_images,
    "messages": _messages_images,
    "gemini": _gemini_images,
}
_RESULTS: dict[str, Callable[[Json], list[tuple[str, str]]]] = {
    "chat": _chat_results,
    "responses": _responses_results,
    "messages": _messages_results,
    "gemini": _gemini_results,
}
_CALLS: dict[str, Callable[[Json], list[tuple[str, str, Any]]]] = {
    "chat": _chat_calls,
    "responses": _responses_calls,
    "messages": _messages_calls,
    "gemini": _gemini_calls,
}
_SYSTEM: dict[str, Callable[[Json], str]] = {
    "chat": _chat_system,
    "responses": _responses_system,
    "messages": lambda body: _text(body.get("system")),
    "gemini": _gemini_system,
}
