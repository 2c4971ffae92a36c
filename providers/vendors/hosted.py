"""Vendors that host models behind OpenAI's API, and some behind Anthropic's beside it."""

from __future__ import annotations

from providers.vendors.row import Vendor, bearer, usual

_CHAT = usual("openai_chat")

XAI = Vendor(
    name="xai",
    title="xAI",
    link="https://docs.x.ai/docs/api-reference",
    base_url="https://api.x.ai/v1",
    authenticate=bearer,
    routes=usual("openai_chat", "openai_responses"),
)
GROQ = Vendor(
    name="groq",
    title="Groq",
    link="https://console.groq.com/docs/api-reference",
    base_url="https://api.groq.com/openai/v1",
    authenticate=bearer,
    routes=_CHAT,
)
OPENROUTER = Vendor(
    name="openrouter",
    title="OpenRouter",
    link="https://openrouter.ai/docs/api-reference/overview",
    base_url="https://openrouter.ai/api/v1",
    authenticate=bearer,
    routes=usual("openai_chat", "openai_responses"),
    # https://openrouter.ai/docs/features/app-attribution
    header_variables=(("SITE_URL", "HTTP-Referer"), ("APP_NAME", "X-OpenRouter-Title")),
)
ZAI = Vendor(
    name="zai",
    title="Z.ai",
    link="https://docs.z.ai/api-reference",
    base_url="https://api.z.ai/api/paas/v4",
    authenticate=bearer,
    routes=_CHAT,
)
ORACLE = Vendor(
    name="oracle",
    title="Oracle Cloud",
    link="https://docs.oracle.com/iaas/Content/generative-ai/openai-compatible-api.htm",
    authenticate=bearer,
    routes=usual("openai_chat", "openai_responses"),
)
ROWS = (XAI, GROQ, OPENROUTER, ZAI, ORACLE)
