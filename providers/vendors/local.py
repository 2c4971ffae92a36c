"""Servers of one's own, which need no key; and the simulated provider."""

from __future__ import annotations

from providers.vendors.row import Vendor, bearer, usual

OLLAMA = Vendor(
    name="ollama",
    title="Ollama",
    link="https://docs.ollama.com/api/openai-compatibility",
    base_url="http://localhost:11434/v1",
    authenticate=bearer,
    key_required=False,
    routes=usual("openai_chat", "openai_completions", "openai_embeddings"),
)
VLLM = Vendor(
    name="vllm",
    title="vLLM",
    link="https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html",
    base_url="http://localhost:8000/v1",
    authenticate=bearer,
    key_required=False,
    routes=usual("openai_chat", "openai_responses", "openai_completions", "openai_embeddings"),
    request_id_header="X-Request-Id",
)
SIM = Vendor(
    name="sim",
    title="The simulated provider (`sluice sim`)",
    link="https://platform.openai.com/docs/api-reference",
    base_url="http://127.0.0.1:8089/v1",
    authenticate=bearer,
    key_required=False,
    routes=usual("openai_chat"),
    request_id_header="X-Client-Request-Id",
    model_prefix="sim-",
)
ROWS = (OLLAMA, VLLM, SIM)
