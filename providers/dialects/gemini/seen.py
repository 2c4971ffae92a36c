"""The few things of interest in an answer that passes through."""

from __future__ import annotations

from msgspec import Raw, Struct
from msgspec.structs import replace

from providers.dialects.gemini.finish import read_finish
from providers.dialects.gemini.usage import parse_usage
from schemas.replies import Completed, Failed
from schemas.usage import Usage

_NULL = Raw(b"null")
_EMPTY = Raw(b'""')


class Part(Struct, rename="camel", gc=False):
    text: Raw = Raw()
    function_call: Raw = Raw()
    thought_signature: Raw = Raw()
    thought: Raw = Raw()


class Content(Struct, gc=False):
    parts: list[Part] | None = None


class Candidate(Struct, rename="camel", gc=False):
    content: Content | None = None
    finish_reason: str | None = None
    index: int = 0


class Feedback(Struct, rename="camel", gc=False):
    block_reason: str | None = None


class Response(Struct, rename="camel", gc=False):
    candidates: list[Candidate] | None = None
    prompt_feedback: Feedback | None = None
    usage_metadata: Raw = Raw()
    model_version: str | None = None
    error: Raw = Raw()

    @property
    def failed(self) -> bool:
        return bool(self.error) and self.error != _NULL


class Seen:
    """What was seen of one answer. Whole means: every candidate asked for has its finish reason, or
    the prompt was refused."""

    __slots__ = ("_asked", "_called", "_finish", "_model", "_open", "_seen", "_usage", "blocked")

    def __init__(self, asked: int = 1) -> None:
        self._asked = asked
        self._seen: set[int] = set()
        self._open: set[int] = set()
        self._called: set[int] = set()
        self._finish: dict[int, str] = {}
        self._model: str | None = None
        self._usage = Raw()
        self.blocked = False

    @property
    def whole(self) -> bool:
        return self.blocked or (not self._open and len(self._seen) >= self._asked)

    def note(self, response: Response) -> bool:
        """Whether there is anything that a reader of the stream would see."""
        if self._model is None and response.model_version:
            self._model = response.model_version
        if response.usage_metadata:
            self._usage = response.usage_metadata  # in every chunk; the last ones count
        feedback = response.prompt_feedback
        if feedback is not None and feedback.block_reason:
            self.blocked = True
            self._finish.setdefault(0, feedback.block_reason)
        content = False
        for candidate in response.candidates or ():
            content = self._candidate(candidate) or content
        return content

    def _candidate(self, candidate: Candidate) -> bool:
        index, content = candidate.index, False
        if index not in self._seen:
            self._seen.add(index)
            self._open.add(index)
        parts = candidate.content.parts if candidate.content is not None else None
        for part in parts or ():
            if part.function_call:
                self._called.add(index)
            # A part without a text is of another kind: a call, a picture, code.
            content = content or part.text != _EMPTY
        if candidate.finish_reason:
            self._open.discard(index)
            self._finish.setdefault(index, candidate.finish_reason)
        return content

    @property
    def finish_reason(self) -> str | None:
        """In OpenAI's words, as other answers are recorded; of the first candidate."""
        if not self._finish:
            return None
        first = min(self._finish)
        if self.blocked:
            return "content_filter"
        return read_finish(self._finish[first], called=first in self._called).reason

    def completed(self, data: bytes) -> Completed:
        return Completed(data, self.finish_reason, self._counts(), self._model)

    def with_counts(self, failed: Failed) -> Failed:
        return replace(failed, usage=self._counts(), response_model=self._model)

    def _counts(self) -> Usage | None:
        return parse_usage(self._usage) if self._usage else None
