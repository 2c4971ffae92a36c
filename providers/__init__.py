"""Calling providers: pure wire dialects, vendors as rows, instances from settings, one transport."""

from providers.base import Upstream
from providers.dialects.openai_chat import OpenAIChat
from providers.vendors import VENDORS

DIALECTS: dict[str, Upstream] = {"openai_chat": OpenAIChat()}

__all__ = ["DIALECTS", "VENDORS"]
