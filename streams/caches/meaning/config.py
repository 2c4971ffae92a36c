"""What the semantic cache needs to know; `sluice/settings/` fills it in and documents each field."""

from __future__ import annotations

from msgspec import Struct


class SemanticConfig(Struct, frozen=True, kw_only=True):
    """Times are seconds."""

    threshold: float = 0.92  # cosine; GoModel's
    max_error_rate: float | None = None  # None: the threshold decides
    shadow: bool = False
    judge: str = "embedding"  # exact, embedding, or model:<name>
    ttl: float = 3600.0
    max_messages: int = 3  # GoModel's
    hottest: float = 1.0  # temperature
    timeout: float = 0.5  # of a look-up
    max_entries: int = 200_000  # of the embedded store
    max_answer_bytes: int = 256 << 20

    @property
    def judge_model(self) -> str | None:
        """The model that judges, if one does."""
        _, _, model = self.judge.partition("model:")
        return model or None
