"""Input items to turns."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec import Raw, Struct

from providers.canonical.request import (
    Media,
    Members,
    Native,
    Part,
    Reasoning,
    Refusal,
    Role,
    Text,
    ToolCall,
    ToolResult,
    Turn,
)
from providers.dialects.openai_responses.carrier import DIALECT, Carried, carried
from providers.dialects.openai_responses.decode import decoded, given, invalid
from providers.dialects.openai_responses.parts import parse_parts


class _Kind(Struct):
    type: str | None = None
    role: str | None = None
    id: str | None = None
    call_id: str | None = None


class _Message(Struct):
    role: str
    content: str | list[Raw]
    id: str | None = None
    phase: Raw = Raw()


class _Call(Struct):
    call_id: str
    name: str
    arguments: str = ""
    input: str = ""
    id: str | None = None
    namespace: Raw = Raw()


class _Output(Struct):
    call_id: str
    output: Raw
    name: str | None = None


class _Text(Struct):
    text: str = ""


class _Reasoning(Struct):
    id: str | None = None
    summary: list[_Text] | None = None
    content: list[_Text] | None = None
    encrypted_content: str | None = None


class _Image(Struct):
    result: str | None = None
    output_format: str | None = None


_kind = msgspec.json.Decoder(_Kind)
_message = msgspec.json.Decoder(_Message)
_call = msgspec.json.Decoder(_Call)
_output = msgspec.json.Decoder(_Output)
_content = msgspec.json.Decoder(str | list[Raw])
_reasoning = msgspec.json.Decoder(_Reasoning)
_image = msgspec.json.Decoder(_Image)
_ROLES: dict[str, Role] = {"user": "user", "system": "system", "developer": "developer"}
# Items that the caller makes, beside those whose type ends in `_output`.
_CALLERS = frozenset({"mcp_approval_response"})


class History:
    """Collects turns. The items between two of the caller's are one turn of the assistant's, but for
    messages one after the other."""

    def __init__(self, extra: Members) -> None:
        self.turns: list[Turn] = []
        self._extra = extra  # what items say that has no place
        self._parts: list[Part] = []  # of the assistant's turn that is open
        self._id: str | None = None
        self._phase: Members = {}
        self._spoken = False  # a message is in it
        self._called = False  # a call is in it
        self._signed: dict[str, Carried] = {}  # tokens by the call that they belong to
        self._natives: set[str] = set()  # calls of tools that only this dialect knows

    def add(self, raw: Raw, place: str) -> None:
        """One item; InvalidRequest if it cannot be understood."""
        found = decoded(_kind, raw, place)
        kind = found.type
        if kind is None:
            kind = "message" if found.role is not None else "item_reference"
        handle = _HANDLERS.get(kind)
        if handle is not None:
            handle(self, raw, place)
        elif kind.endswith("_output") or kind in _CALLERS:
            self.close()
            self.turns.append(Turn("tool", (Native(DIALECT, kind, raw),)))
        elif found.role is not None and found.role in _ROLES:
            self.close()
            self.turns.append(Turn(_ROLES[found.role], (Native(DIALECT, kind, raw),)))
        else:
            self._parts.append(Native(DIALECT, kind, raw))
            if found.call_id is not None:
                self._natives.add(found.call_id)

    def close(self) -> None:
        """The assistant's turn is over."""
        # A token whose call the caller has left out still belongs to the conversation.
        for found in self._signed.values():
            self._parts.append(Reasoning("", False, found.token, found.origin, redacted=True))
        if self._parts:
            self.turns.append(Turn("assistant", tuple(self._parts), id=self._id, extra=self._phase))
        self._parts, self._id, self._phase, self._signed = [], None, {}, {}
        self._spoken = self._called = False

    def message(self, raw: Raw, place: str) -> None:
        found = decoded(_message, raw, place)
        parts = tuple(parse_parts(found.content, f"{place}.content"))
        phase: Members = {"phase": found.phase} if given(found.phase) else {}
        if found.role == "assistant":
            self._follow()
            self._parts.extend(parts)
            self._spoken = True
            self._id, self._phase = self._id or found.id, {**phase, **self._phase}
            return
        if found.role not in _ROLES:
            raise invalid(f"{place}.role", f"there is no role `{found.role}`")
        self.close()
        self.turns.append(Turn(_ROLES[found.role], parts, id=found.id, extra=phase))

    def _follow(self) -> None:
        """A message, or the thoughts in front of one, after another message: a turn of its own. After
        a call it is not: results must follow the turn that has their call."""
        if self._spoken and not self._called:
            self.close()

    def function_call(self, raw: Raw, place: str) -> None:
        self._call(decoded(_call, raw, place), custom=False)

    def custom_tool_call(self, raw: Raw, place: str) -> None:
        self._call(decoded(_call, raw, place), custom=True)

    def _call(self, found: _Call, *, custom: bool) -> None:
        if given(found.namespace):
            self._extra["input.namespace"] = found.namespace
        signed = self._signed.pop(found.call_id, None)
        self._parts.append(
            ToolCall(
                found.call_id,
                found.name,
                found.input if custom else found.arguments,
                custom,
                signed.token if signed else None,
                item_id=found.id,
            )
        )
        self._called = True

    def function_call_output(self, raw: Raw, place: str) -> None:
        self._result(raw, place, custom=False)

    def custom_tool_call_output(self, raw: Raw, place: str) -> None:
        self._result(raw, place, custom=True)

    def _result(self, raw: Raw, place: str, *, custom: bool) -> None:
        self.close()
        found = decoded(_output, raw, place)
        if found.call_id in self._natives:  # where its call is left out it would answer nothing
            self.turns.append(Turn("tool", (Native(DIALECT, "function_call_output", raw),)))
            return
        where = f"{place}.output"
        parts: list[Text | Media] = []
        for part in parse_parts(decoded(_content, found.output, where), where):
            if isinstance(part, Refusal):
                raise invalid(where, "a tool's output holds no refusal")
            parts.append(part)
        result = ToolResult(found.call_id, tuple(parts), found.name, custom=custom)
        self.turns.append(Turn("tool", (result,)))

    def reasoning(self, raw: Raw, place: str) -> None:
        found = decoded(_reasoning, raw, place)
        token = carried(found.encrypted_content) if found.encrypted_content else None
        if token is not None and token.call_id is not None:
            self._signed[token.call_id] = token
            return
        self._follow()
        self._parts.extend(_thoughts(found, token))

    def image(self, raw: Raw, place: str) -> None:
        found = decoded(_image, raw, place)
        if found.result:
            kind = f"image/{found.output_format or 'png'}"
            self._parts.append(Media("image", found.result, media_type=kind))
        else:
            self._parts.append(Native(DIALECT, "image_generation_call", raw))

    def reference(self, raw: Raw, place: str) -> None:
        name = decoded(_kind, raw, place).id
        raise invalid(place, f"there is no stored item `{name}`; send the item itself")


def _thoughts(found: _Reasoning, token: Carried | None) -> list[Reasoning]:
    """A summary, the thoughts themselves or both; the token stands at the last of them."""
    summary = "\n\n".join(part.text for part in found.summary or ())
    text = "\n\n".join(part.text for part in found.content or ())
    own = token is None or token.origin == DIALECT
    name = found.id if own or token is None else token.id
    if token is not None and not (summary or text):
        text = token.text
    parts = [Reasoning(summary, True)] if summary else []
    if text or not summary:
        parts.append(Reasoning(text))
    last = msgspec.structs.replace(parts[-1], id=name)
    if token is not None:
        redacted = token.redacted or (own and not last.text)
        last = msgspec.structs.replace(
            last, token=token.token, origin=token.origin, redacted=redacted
        )
    return [*parts[:-1], last]


_HANDLERS: dict[str, Callable[[History, Raw, str], None]] = {
    "message": History.message,
    "function_call": History.function_call,
    "custom_tool_call": History.custom_tool_call,
    "function_call_output": History.function_call_output,
    "custom_tool_call_output": History.custom_tool_call_output,
    "reasoning": History.reasoning,
    "image_generation_call": History.image,
    "item_reference": History.reference,
}
