"""What is read of a GenerateContentResponse.

https://ai.google.dev/api/generate-content#v1beta.GenerateContentResponse
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from providers.dialects.gemini.grounding import CitedSources, Grounding
from providers.dialects.gemini.logprobs import Result


class Call(Struct):
    name: str
    id: str | None = None
    args: Raw = Raw(b"{}")


class Blob(Struct, rename="camel"):
    data: str | None = None
    file_uri: str | None = None
    mime_type: str | None = None


class Part(Struct, rename="camel"):
    text: str | None = None
    thought: bool = False
    thought_signature: str | None = None
    function_call: Call | None = None
    inline_data: Blob | None = None
    file_data: Blob | None = None


class Content(Struct):
    parts: list[Part] | None = None


class Candidate(Struct, rename="camel"):
    content: Content | None = None
    finish_reason: str | None = None
    index: int = 0
    grounding_metadata: Grounding | None = None
    citation_metadata: CitedSources | None = None
    logprobs_result: Result | None = None


class Feedback(Struct, rename="camel"):
    block_reason: str | None = None


class Response(Struct, rename="camel"):
    candidates: list[Candidate] | None = None
    prompt_feedback: Feedback | None = None
    usage_metadata: Raw = Raw()
    model_version: str | None = None
    response_id: str | None = None
    create_time: str | None = None
    error: Raw = Raw()


class RawContent(Struct):
    parts: list[Raw] | None = None


class RawCandidate(Struct):
    content: RawContent | None = None


class RawResponse(Struct):
    """The same with its parts as they came, for those that only Gemini knows."""

    candidates: list[RawCandidate] = []


decode = msgspec.json.Decoder(Response).decode
decode_raw = msgspec.json.Decoder(RawResponse).decode
