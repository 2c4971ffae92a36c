"""What is counted of finished requests."""

from msgspec.structs import replace

from providers.base import Endpoint, Target
from schemas.costs import Cost
from schemas.errors import Interrupted
from schemas.exchange import Attempt, Exchange
from schemas.metrics import Metrics
from schemas.replies import Completed, Failed
from schemas.usage import Usage
from streams.delivery import parse
from streams.metering import MODELS, CallsInFlight, Metering, endpoint_of
from streams.settlement import Result, Times, settle
from streams.stages import Call
from tests.streams.fakes import Clock, record

EAST = Target(Endpoint("openai-east", {}, "", "", {}, vendor="openai"), "gpt-5")
USED = Usage(100, 20, cached_input_tokens=30, cache_creation_input_tokens=5, reasoning_tokens=7)
LABELS = 'endpoint="/chat/completions",model="gpt-5",provider="openai"'


def attempt(model: str = "gpt-5", status: int | None = 200) -> Attempt:
    return Attempt("openai-east", model, "2026-01-01T00:00:00Z", 0.1, status)


def finished(*attempts: Attempt, failed: bool = False) -> tuple[Exchange, Call]:
    """A request that took 0.3 s, and cost 1.5 dollars."""
    delivery = parse(record(1, "a"))
    call, clock = Call(delivery.request, delivery.envelope), Clock()
    call.target, call.upstream_started = EAST, clock.now
    call.attempts += attempts
    times, result = Times(clock), Result(call)
    clock.now += 0.3
    times.ended()
    result.completed(Completed(usage=USED))
    if failed:
        error = Interrupted()
        result.failed(Failed(error, error.status), "failed", begun=False)
    exchange = settle(delivery, call, result, times)
    return replace(exchange, cost=Cost(1_500_000_000)), call


def shown(metrics: Metrics, name: str) -> dict[str, float]:
    """The children of a metric by their labels, without those of 0."""
    found = {}
    for line in metrics.exposition().decode().splitlines():
        if line.startswith(name + "{"):
            labels, _, value = line.removeprefix(name + "{").partition("} ")
            if float(value):
                found[labels] = float(value)
    return found


def test_tokens_and_dollars_are_counted_by_provider_and_model() -> None:
    """Whole tokens and their parts by type; twice as many of two requests."""
    metrics = Metrics()
    metering = Metering(metrics)
    for _ in range(2):
        metering.finished(*finished(attempt(status=503), attempt()))
    of = 'model="gpt-5",provider="openai-east"'
    assert shown(metrics, "sluice_tokens_total") == {
        f'{of},type="input"': 200,
        f'{of},type="output"': 40,
        f'{of},type="cached_input"': 60,
        f'{of},type="cache_write"': 10,
        f'{of},type="reasoning"': 14,
    }
    assert shown(metrics, "sluice_cost_dollars_total") == {of: 3.0}
    assert shown(metrics, "sluice_outcomes_total") == {'outcome="completed"': 2}


def test_what_gomodel_counts_has_its_names_and_labels() -> None:
    """Each request once, by its vendor and by how the last call ended."""
    metrics = Metrics()
    metering = Metering(metrics)
    metering.finished(*finished(attempt(status=503), attempt()))
    metering.finished(*finished(attempt(status=None), failed=True))
    assert shown(metrics, "gomodel_requests_total") == {
        f'{LABELS},status_code="200",status_type="success",stream="false"': 1,
        f'{LABELS},status_code="network_error",status_type="error",stream="false"': 1,
    }
    assert shown(metrics, "gomodel_request_duration_seconds_count") == {
        f'{LABELS},stream="false"': 2
    }
    assert round(sum(shown(metrics, "gomodel_request_duration_seconds_sum").values()), 6) == 0.6


def test_an_answer_without_a_call_is_an_outcome_only() -> None:
    """As of a cache: nothing was used."""
    metrics = Metrics()
    Metering(metrics).finished(*finished())
    assert shown(metrics, "sluice_outcomes_total") == {'outcome="completed"': 1}
    for name in ("sluice_tokens_total", "sluice_cost_dollars_total", "gomodel_requests_total"):
        assert shown(metrics, name) == {}


def test_callers_cannot_make_metrics_without_end() -> None:
    """Names of models beyond the bound are counted together."""
    metrics = Metrics()
    metering = Metering(metrics)
    for number in range(MODELS + 3):
        metering.finished(*finished(attempt(f"m{number}")))
    found = shown(metrics, "sluice_cost_dollars_total")
    assert len(found) == MODELS + 1
    assert found['model="other",provider="openai-east"'] == 4.5
    assert endpoint_of("passthrough", "openai_chat") == "/passthrough"


def test_calls_in_flight() -> None:
    """Up with the call and down with its end."""
    metrics = Metrics()
    calls = CallsInFlight(metrics)
    _, call = finished()
    first, second = calls.begun(call, EAST), calls.begun(call, EAST)
    of = 'endpoint="/chat/completions",provider="openai",stream="false"'
    assert shown(metrics, "gomodel_requests_in_flight") == {of: 2}
    calls.ended(first)
    calls.ended(second)
    assert shown(metrics, "gomodel_requests_in_flight") == {}
