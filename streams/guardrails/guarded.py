"""What guardrails note on a call for its exchange."""

from __future__ import annotations

from schemas.errors import GatewayError
from schemas.guardrails import Verdict
from schemas.replies import Chunk, Completed, Reply
from schemas.workflows import Workflow


class Guarded:
    """Of one call."""

    __slots__ = ("body", "epoch", "keeps", "pieces", "verdicts", "workflow")

    def __init__(self, workflow: Workflow, epoch: str = "") -> None:
        self.workflow = workflow
        self.epoch = epoch  # of the guardrails in force: answers are shared within one
        self.verdicts: list[Verdict] = []
        self.body: bytes | None = None  # the question as it may be stored; None: as it came
        self.keeps = (
            False  # the answer is stored as the provider gave it, not as the caller gets it
        )
        self.pieces: list[bytes] = []  # of that answer

    def heard(self, reply: Reply) -> None:
        """One reply, before personal data stands in it again."""
        if self.keeps and isinstance(reply, Chunk | Completed) and reply.data:
            self.pieces.append(reply.data)

    def answer(self, told: list[bytes], final: bytes, error: GatewayError | None) -> bytes:
        """The answer as it is stored, of what the caller was told."""
        if not self.keeps or not told:
            if self.keeps and error is None:
                return b"".join(self.pieces)
            return b"".join([*told, final])
        return b"".join([*self.pieces, *([final] if error is not None else [])])
