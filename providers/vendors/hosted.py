"""Vendors that host models behind OpenAI's API, and some behind Anthropic's beside it."""

from __future__ import annotations

from providers.quirks.headers import conversation_id, own_title
from providers.quirks.hosted import (
    developer_as_system,
    effort_high_or_max,
    max_tokens_by_its_old_name,
    seed_by_its_own_name,
    short_tool_ids,
    temperature_above_zero,
    without_labels,
    without_names,
    without_others_in_messages,
    without_stream_options,
)
from providers.quirks.openai import effort_of_reasoning
from providers.vendors.row import Vendor, bearer, beside, kept_responses, usual

XAI = Vendor(
    name="xai",
    title="xAI",
    link="https://docs.x.ai/docs/api-reference",
    base_url="https://api.x.ai/v1",
    authenticate=bearer,
    routes={
        **usual("openai_chat"),
        # https://docs.x.ai/docs/guides/responses-api
        **kept_responses(),
        **usual("openai_embeddings", "openai_files"),
    },
    header_quirks=(conversation_id,),
    prices="x-ai",
)
GROQ = Vendor(
    name="groq",
    title="Groq",
    link="https://console.groq.com/docs/openai",
    base_url="https://api.groq.com/openai/v1",
    authenticate=bearer,
    routes={
        **usual("openai_chat", quirks=(without_names,)),
        **usual("openai_responses", "openai_embeddings", "openai_files", "openai_batches"),
    },
    prices="groq",
)
OPENROUTER = Vendor(
    name="openrouter",
    title="OpenRouter",
    link="https://openrouter.ai/docs/api-reference/overview",
    base_url="https://openrouter.ai/api/v1",
    authenticate=bearer,
    routes=usual(
        *("openai_chat", "openai_responses", "anthropic"),
        *("openai_completions", "openai_embeddings"),
    ),
    header_variables=(("SITE_URL", "HTTP-Referer"), ("APP_NAME", "X-OpenRouter-Title")),
    header_quirks=(own_title,),
    prices="openrouter",
)
ZAI = Vendor(
    name="zai",
    title="Z.ai",
    link="https://docs.z.ai/guides/develop/openai/python",
    base_url="https://api.z.ai/api/paas/v4",
    authenticate=bearer,
    routes={
        **usual("openai_chat", quirks=(developer_as_system,)),
        **usual("openai_embeddings"),
        # https://docs.z.ai/scenario-example/develop-tools/claude
        **beside("anthropic", "https://api.z.ai/api/anthropic/v1/messages"),
    },
    prices="zai",
)
ORACLE = Vendor(
    name="oracle",
    title="Oracle Cloud",
    link="https://docs.oracle.com/iaas/Content/generative-ai/openai-compatible-api.htm",
    authenticate=bearer,
    routes=usual("openai_chat", "openai_responses"),
)
DEEPSEEK = Vendor(
    name="deepseek",
    title="DeepSeek",
    link="https://api-docs.deepseek.com",
    base_url="https://api.deepseek.com",
    authenticate=bearer,
    routes={
        **usual(
            "openai_chat", quirks=(effort_of_reasoning, effort_high_or_max, developer_as_system)
        ),
        **usual("openai_responses", quirks=(developer_as_system,)),
        # https://api-docs.deepseek.com/guides/anthropic_api
        **beside("anthropic", "https://api.deepseek.com/anthropic/v1/messages"),
    },
    prices="deepseek",
)
MINIMAX = Vendor(
    name="minimax",
    title="MiniMax",
    link="https://platform.minimax.io/docs/api-reference/text-openai-api",
    base_url="https://api.minimax.io/v1",
    authenticate=bearer,
    routes={
        **usual("openai_chat", quirks=(temperature_above_zero, developer_as_system)),
        # https://platform.minimax.io/docs/api-reference/text-anthropic-api
        **beside("anthropic", "https://api.minimax.io/anthropic/v1/messages"),
    },
    prices="minimax",
)
MISTRAL = Vendor(
    name="mistral",
    title="Mistral",
    link="https://docs.mistral.ai/api",
    base_url="https://api.mistral.ai/v1",
    authenticate=bearer,
    routes={
        **usual(
            "openai_chat",
            quirks=(
                developer_as_system,
                max_tokens_by_its_old_name,
                seed_by_its_own_name,
                short_tool_ids,
                without_labels,
                without_others_in_messages,
                without_stream_options,
            ),
            stream_usage=False,
        ),
        **usual("openai_embeddings"),
    },
    prices="mistral",
)
COHERE = Vendor(
    name="cohere",
    title="Cohere",
    link="https://docs.cohere.com/docs/compatibility-api",
    base_url="https://api.cohere.ai/compatibility/v1",
    authenticate=bearer,
    routes={
        **usual("openai_chat", stream_usage=False),  # not among the fields that it says it takes
        **usual("openai_embeddings"),
    },
    # Only its own API has a list: https://docs.cohere.com/reference/list-models
    models_path="https://api.cohere.ai/v1/models?page_size=1000",
    prices="cohere",
)
PERPLEXITY = Vendor(
    name="perplexity",
    title="Perplexity",
    link="https://docs.perplexity.ai/docs/grounded-llm/openai-compatibility",
    base_url="https://api.perplexity.ai",
    authenticate=bearer,
    routes={
        # Every chunk has the usage, asked for or not.
        **usual("openai_chat", quirks=(developer_as_system,), stream_usage=False),
        **beside("openai_responses", "https://api.perplexity.ai/v1/responses"),
    },
    models_path=None,
    prices="perplexity",
)
TOGETHER = Vendor(
    name="together",
    title="Together AI",
    link="https://docs.together.ai/docs/inference/openai-compatibility",
    base_url="https://api.together.ai/v1",
    authenticate=bearer,
    routes=usual("openai_chat", "openai_completions", "openai_embeddings"),
    prices="together",
)
FIREWORKS = Vendor(
    name="fireworks",
    title="Fireworks AI",
    link="https://docs.fireworks.ai/tools-sdks/openai-compatibility",
    base_url="https://api.fireworks.ai/inference/v1",
    authenticate=bearer,
    routes={
        **usual("openai_chat"),
        # https://docs.fireworks.ai/guides/response-api
        **kept_responses(),
        # https://docs.fireworks.ai/tools-sdks/anthropic-compatibility
        **usual("anthropic", "openai_completions", "openai_embeddings"),
    },
    prices="fireworks",
)
CEREBRAS = Vendor(
    name="cerebras",
    title="Cerebras",
    link="https://inference-docs.cerebras.ai/resources/openai",
    base_url="https://api.cerebras.ai/v1",
    authenticate=bearer,
    routes=usual("openai_chat", "openai_completions"),
    prices="cerebras",
)
MOONSHOT = Vendor(
    name="moonshot",
    title="Moonshot AI (Kimi)",
    link="https://platform.kimi.ai/docs/api/overview",
    base_url="https://api.moonshot.ai/v1",
    authenticate=bearer,
    routes={
        **usual("openai_chat", "openai_responses", quirks=(developer_as_system,)),
        **beside("anthropic", "https://api.moonshot.ai/anthropic/v1/messages"),
    },
    prices="moonshotai",
)
HUGGINGFACE = Vendor(
    name="huggingface",
    title="Hugging Face Inference Providers",
    link="https://huggingface.co/docs/inference-providers/index",
    base_url="https://router.huggingface.co/v1",
    authenticate=bearer,
    # https://huggingface.co/docs/inference-providers/guides/responses-api
    routes=usual("openai_chat", "openai_responses"),
)
ROWS = (
    *(XAI, GROQ, OPENROUTER, ZAI, ORACLE),
    *(DEEPSEEK, MINIMAX, MISTRAL, COHERE, PERPLEXITY, TOGETHER, FIREWORKS, CEREBRAS, MOONSHOT),
    HUGGINGFACE,
)
