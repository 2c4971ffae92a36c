"""From a request to who may answer it."""

from collections.abc import Sequence

import msgspec
import pytest

from providers.base import Endpoint, Offer, Target
from schemas.bodies import envelope
from schemas.errors import ModelAccessDenied, ModelNotFound
from schemas.requests import Request
from streams.routing.config import BreakerConfig, Choice, RoutingConfig, Rule
from streams.routing.health import HealthBook
from streams.routing.router import Plan, Router
from streams.stages import Call
from tests.streams.fakes import Clock


def target(name: str) -> Target:
    instance, _, model = name.partition("/")
    return Target(Endpoint(instance, {}, "http://x", "", {}), model)


class Names:
    """Everything with a slash is a model, but for `gone/`; `pair` is an alias of two."""

    likes: tuple[str, ...] = ()

    def candidates(self, model: str, user_path: str) -> Sequence[Offer]:
        if model == "pair":
            return (Offer(target("a/m"), 1.0), Offer(target("b/m"), 0.0))
        if "/" not in model or model.startswith("gone/"):
            raise ModelNotFound
        if model.startswith("secret/") and user_path != "/in":
            raise ModelAccessDenied
        return (Offer(target(model)),)

    def alternatives(self, target: Target, user_path: str) -> Sequence[str]:
        return self.likes


def call(model: str, *, body: bytes = b"", user_path: str = "/", **given: object) -> Call:
    made = body or b'{"model":"%s","messages":[{"role":"user","content":"hi"}]}' % model.encode()
    request = Request(request_id="r", body=made, user_path=user_path, **given)  # type: ignore[arg-type]  # test's own
    return Call(request, envelope(request))


class Routed:
    def __init__(self, **config: object) -> None:
        self.names = Names()
        self.health = HealthBook(BreakerConfig(), {})
        self.router = Router(
            RoutingConfig(**config),  # type: ignore[arg-type]  # test's own
            self.names,
            lambda instance, model, given, taken: {"a": 3.0, "b": 1.0}.get(instance),
            self.health,
            Clock(),
        )

    def plan(self, model: str, **given: object) -> Plan:
        return self.router.plan(call(model, **given))  # type: ignore[arg-type]  # test's own

    def order(self, model: str, **given: object) -> list[str]:
        return [f"{one.instance}/{one.model}" for one in self.plan(model, **given).targets]


def rule(name: str, *use: str, **given: object) -> Rule:
    return Rule(name=name, use=tuple(map(Choice, use)), **given)  # type: ignore[arg-type]  # test's own


def test_without_rules_the_name_decides() -> None:
    """One target, or those of an alias by their weights; weight 0 comes last."""
    routed = Routed()

    assert routed.order("a/m") == ["a/m"]
    assert routed.order("pair") == ["a/m", "b/m"]
    with pytest.raises(ModelNotFound):
        routed.plan("unknown")


def test_the_first_rule_that_holds_decides() -> None:
    """Its candidates, its fallbacks behind them, its name in the plan."""
    routed = Routed(
        rules=(
            rule("long", "a/big", when="input_tokens > 100"),
            rule("any", "a/small", fallback=("b/small", "a/small", "gone/x")),
        )
    )

    assert routed.order("auto") == ["a/small", "b/small"]
    assert routed.plan("auto").rule == "any"
    body = msgspec.json.encode({"model": "auto", "messages": ["x" * 500]})
    assert routed.order("auto", body=body) == ["a/big"]


def test_rules_are_about_conversations() -> None:
    """Embeddings go where their name says: vectors of another model are worth nothing."""
    routed = Routed(rules=(rule("any", "a/m"),))
    body = b'{"model":"b/e","input":"x"}'

    assert routed.order("b/e", body=body, operation="embeddings") == ["b/e"]


def test_a_rule_without_anybody_is_an_error() -> None:
    """The error of the last name; candidates that are not there are left out before."""
    routed = Routed(rules=(rule("any", "gone/a", "secret/m"),))

    with pytest.raises(ModelAccessDenied):
        routed.plan("auto")
    assert routed.order("auto", user_path="/in") == ["secret/m"]


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("priority", ["a/m", "b/m", "c/m"]),
        ("least_cost", ["b/m", "a/m", "c/m"]),
        ("least_latency", ["c/m", "b/m", "a/m"]),
    ],
)
def test_strategies(strategy: str, expected: list[str]) -> None:
    """By the list, by price (unknown last), by time (unmeasured first)."""
    routed = Routed(rules=(rule("any", "a/m", "b/m", "c/m", strategy=strategy),))
    routed.health.of("a", "m").observe(2.0, streamed=False)
    routed.health.of("b", "m").observe(1.0, streamed=False)

    assert routed.order("auto") == expected


@pytest.mark.parametrize("affinity", ["user", "conversation", "user_path"])
def test_what_stays_with_one_candidate(affinity: str) -> None:
    """The same user, conversation or path meets the same model first, whatever else it asks."""
    use = [f"a/m{number}" for number in range(20)]
    routed = Routed(rules=(rule("any", *use, strategy="consistent", affinity=affinity),))

    def body(user: str, first: str, last: str) -> bytes:
        turns = [{"content": first}, {"content": "ok"}, {"content": last}]
        return msgspec.json.encode({"model": "auto", "user": user, "messages": turns})

    def first(number: int, last: str) -> str:
        made = body(f"u{number}", f"f{number}", last)
        return routed.order("auto", body=made, user_path=f"/p{number}")[0]

    assert all(first(number, "x") == first(number, "y") for number in range(20))
    assert len({first(number, "x") for number in range(20)}) > 5


def test_fallbacks_of_a_model() -> None:
    """By the name that was asked for, else by instance and model, else by the model alone."""
    routed = Routed(fallbacks={"pair": ("c/x",), "a/n": ("c/y",), "n": ("c/z",), "lost": ("c/w",)})

    assert routed.order("pair") == ["a/m", "b/m", "c/x"]
    assert routed.order("a/n") == ["a/n", "c/y"]
    assert routed.order("b/n") == ["b/n", "c/z"]
    assert routed.order("lost") == ["c/w"]


def test_modes_of_fallbacks() -> None:
    """Off asks nobody else, auto asks those that are like it behind those that are named; one model
    may have a mode of its own."""
    fallbacks = {"a/m": ("c/x",)}
    off = Routed(
        fallbacks=fallbacks,
        mode="off",
        rules=(rule("r", "a/r", fallback=("b/r",), when='model == "r"'),),
    )
    auto = Routed(fallbacks=fallbacks, mode="auto", modes={"a/n": "off"})
    off.names.likes = auto.names.likes = ("d/like",)

    assert off.order("a/m") == ["a/m"]
    assert off.order("r") == ["a/r"]
    assert auto.order("a/m") == ["a/m", "c/x", "d/like"]
    assert auto.order("a/n") == ["a/n"]


def test_what_a_rule_says_of_triggers_and_recovery() -> None:
    """Its own word counts more than the gateway's."""
    routed = Routed(
        rules=(
            rule("own", "a/m", when='model == "own"', fallback_on=("invalid",), recovery="error"),
            rule("any", "a/m"),
        ),
        recovery="continue",
    )

    assert routed.plan("own").triggers == {"invalid"}
    assert routed.plan("own").recovery == "error"
    assert routed.plan("auto").triggers == {"context_length", "model_not_found"}
    assert routed.plan("auto").recovery == "continue"
