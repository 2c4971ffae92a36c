"""The simulated provider: a real HTTP server that speaks OpenAI chat, for demos, benchmarks and tests.

`POST /v1/chat/completions` (plain and streamed) and `GET /v1/models` are the provider. `GET /calls`
tells what was asked of it, `DELETE /calls` forgets that. What it answers, and how it fails, is in the
model's name: see `script.py`.
"""

from sluice.sim.server import SimConfig, run

__all__ = ["SimConfig", "run"]
