"""/health, /health/ready and /metrics."""

from tests.ingress.conftest import Ingress, Start, until
from tests.ingress.worker import Worker

NO_KEY = {"authorization": ""}


async def test_health_is_public_and_looks_at_nothing(start: Start) -> None:
    """`{"status":"ok"}`, as GoModel says it."""
    ingress = await start()

    found = await ingress.client.get("/health", headers=NO_KEY)

    assert (found.status_code, found.json()) == (200, {"status": "ok"})


async def test_readiness_names_what_is_missing(start: Start, worker: Worker) -> None:
    """Without a worker 503; with one that beats and has partitions 200; with one that stops 503 again."""
    ingress = await start()

    alone = await ingress.client.get("/health/ready", headers=NO_KEY)
    await worker.beat()
    await until(ingress.gateway.workers.serving)
    served = await ingress.client.get("/health/ready", headers=NO_KEY)
    await worker.beat(stopping=True)
    await until(lambda: not ingress.gateway.workers.serving())
    stopping = await ingress.client.get("/health/ready", headers=NO_KEY)

    assert alone.status_code == stopping.status_code == 503
    assert alone.json()["checks"].pop("worker") != "ok"
    assert served.status_code == 200
    assert set(served.json()["checks"]) == {"accepting", "broker", "reply_slot", "worker"}
    assert set(served.json()["checks"].values()) == {"ok"}


async def test_no_worker_is_no_reason_to_refuse(start: Start, worker: Worker) -> None:
    """Requests wait in the log; readiness alone says that nobody beats."""
    ingress = await start()

    assert (await ingress.client.get("/health/ready")).status_code == 503
    assert (await ingress.chat()).status_code == 200


async def test_metrics_are_prometheus_text(start: Start, worker: Worker) -> None:
    """Counts by route and status, public as GoModel's."""
    ingress = await start()
    await ingress.chat()

    found = await ingress.client.get("/metrics", headers=NO_KEY)

    assert found.headers["content-type"].startswith("text/plain; version=")
    assert 'sluice_requests_total{route="chat",status="200"} 1.0' in found.text
    assert "sluice_in_flight_requests 0.0" in found.text
    assert "sluice_publish_duration_seconds_count 1.0" in found.text


async def test_options_say_what_a_path_takes(start: Start) -> None:
    """204 with Allow, no key needed, the connection kept."""
    ingress = await start()

    async def allowed(ingress: Ingress, path: str) -> str:
        found = await ingress.client.options(path, headers=NO_KEY)
        assert (found.status_code, found.content) == (204, b"")
        return found.headers["allow"]

    assert await allowed(ingress, "/v1/chat/completions") == "POST, OPTIONS"
    assert await allowed(ingress, "/v1/models") == "GET, HEAD, OPTIONS"
    assert await allowed(ingress, "/v1/models/a/b") == "POST, GET, HEAD, OPTIONS"
    assert await allowed(ingress, "/health") == "GET, HEAD, OPTIONS"


async def test_a_wrong_method_says_which_are_right(start: Start) -> None:
    """405 with Allow, in the envelope."""
    ingress = await start()

    found = await ingress.client.delete("/v1/chat/completions")

    assert found.status_code == 405
    assert found.headers["allow"] == "OPTIONS, POST"
    assert found.json()["error"]["code"] == "method_not_allowed"
