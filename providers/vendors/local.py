"""Servers of one's own, which need no key; and the simulated provider."""

from __future__ import annotations

from providers.vendors.row import Vendor, bearer, kept_responses, usual

_OPENAI = ("openai_chat", "openai_responses", "openai_completions", "openai_embeddings")

OLLAMA = Vendor(
    name="ollama",
    title="Ollama",
    link="https://docs.ollama.com/api/openai-compatibility",
    base_url="http://localhost:11434/v1",
    authenticate=bearer,
    key_required=False,
    # https://docs.ollama.com/api/anthropic-compatibility
    routes=usual(*_OPENAI, "anthropic"),
    root_paths=frozenset({"api"}),
)
VLLM = Vendor(
    name="vllm",
    title="vLLM",
    link="https://docs.vllm.ai/en/latest/serving/online_serving/",
    base_url="http://localhost:8000/v1",
    authenticate=bearer,
    key_required=False,
    routes=usual(*_OPENAI, "anthropic", "anthropic_count"),
    request_id_header="X-Request-Id",
    # All that is not OpenAI's is there.
    root_paths=frozenset(
        {
            *("tokenize", "detokenize", "pooling", "classify", "score", "rerank", "v2"),
            *("health", "ping", "version", "metrics", "load", "invocations"),
        }
    ),
)
LMSTUDIO = Vendor(
    name="lmstudio",
    title="LM Studio",
    link="https://lmstudio.ai/docs/developer/openai-compat",
    base_url="http://localhost:1234/v1",
    authenticate=bearer,
    key_required=False,
    routes={
        **usual("openai_chat"),
        # https://lmstudio.ai/docs/developer/openai-compat/responses
        **kept_responses(),
        # https://lmstudio.ai/docs/developer/anthropic-compat
        **usual("openai_completions", "openai_embeddings", "anthropic"),
    },
    root_paths=frozenset({"api"}),
)
LLAMACPP = Vendor(
    name="llamacpp",
    title="llama.cpp's server",
    link="https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md",
    # Its usual port, 8080, is also this gateway's.
    base_url="http://localhost:8081/v1",
    authenticate=bearer,
    key_required=False,
    routes=usual(*_OPENAI, "anthropic", "anthropic_count"),
    root_paths=frozenset(
        {
            *("health", "props", "slots", "metrics", "tokenize", "detokenize", "apply-template"),
            *("completion", "infill", "embedding", "rerank", "reranking", "lora-adapters"),
        }
    ),
)
SIM = Vendor(
    name="sim",
    title="The simulated provider (`sluice sim`)",
    link="https://platform.openai.com/docs/api-reference/chat",
    base_url="http://127.0.0.1:8089/v1",
    authenticate=bearer,
    key_required=False,
    routes=usual("openai_chat", "openai_embeddings"),
    request_id_header="X-Client-Request-Id",
    model_prefix="sim-",
)
ROWS = (OLLAMA, VLLM, LMSTUDIO, LLAMACPP, SIM)
