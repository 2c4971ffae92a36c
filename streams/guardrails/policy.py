"""Which workflow and which guardrails are in force for a request."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import structlog
from msgspec import Struct

from providers.base import Target
from schemas.bodies import Envelope
from schemas.envelopes import EVENT_STREAM
from schemas.errors import GatewayError, InvalidRequest
from schemas.exchange import Exchange
from schemas.guardrails import GUARDRAILS, Guardrail, Pii
from schemas.objects import Objects
from schemas.requests import Request
from schemas.workflows import WORKFLOWS, Chosen, Features, Step, Workflow, default
from streams.guardrails.guarded import Guarded
from streams.guardrails.masking import Mask
from streams.guardrails.masks import NoMasks
from streams.guardrails.places import spots
from streams.guardrails.rails import Rail, Steps, epoch, in_steps, rail
from streams.guardrails.restoring import Restoring
from streams.stages import Call

log = structlog.get_logger()
GUARDED = frozenset({"chat", "embeddings", "count_tokens", "compact"})


class Plan(Struct, frozen=True):
    """What is done for a request."""

    workflow: Workflow
    features: Features
    steps: Steps = ()
    epoch: str = ""  # of the steps: see `rails.epoch`


class Policy:
    """Follows `llm.config`; what `config.yaml` says is there where nothing else of that name is."""

    def __init__(
        self,
        features: Features,
        given: Mapping[str, tuple[int, Guardrail]],
        targets: Callable[[Call], Sequence[Target]],
    ) -> None:
        """`features`: of the process; `given`: step and guardrail of `config.yaml` by name, checked;
        `targets`: who may answer a call, the first in front."""
        self._features = features
        self._given = {name: each for name, (_, each) in given.items()}
        self._targets = targets
        steps = tuple(Step(name, step) for name, (step, _) in given.items())
        self._default = default(features, steps)
        self._stored: dict[str, Guardrail] = {}
        self._workflows: dict[str, Workflow] = {}
        self._change()

    def follow(self, objects: Objects) -> None:
        """Take what is there, and each change from now on."""
        objects.table(GUARDRAILS).watch(self._guardrail)
        objects.table(WORKFLOWS).watch(self._workflow)

    def _guardrail(self, name: str, found: Guardrail | None) -> None:
        self._stored.pop(name, None)
        if found is not None:
            self._stored[name] = found
        self._change()

    def _workflow(self, name: str, found: Workflow | None) -> None:
        self._workflows.pop(name, None)
        if found is not None:
            self._workflows[name] = found
        self._change()

    def _change(self) -> None:
        self._rails = dict(_ready({**self._given, **self._stored}))
        self._chosen = Chosen(self._workflows.values(), self._default)
        self._plans: dict[str, Plan] = {}
        # Nothing is asked of a request where there is nothing to do.
        self.idle = not self._chosen.by_scope and not self._plan(self._default).steps

    def plan(self, call: Call) -> Plan:
        """What is done for a call."""
        provider, model = "", ""
        if self._chosen.names_models:
            provider, model = self._target(call)
        path = call.request.user_path
        plan = self._plan(self._chosen.of(provider, model, path))
        if all(each.covers(path) for step in plan.steps for each in step):
            return plan
        covering = (tuple(each for each in step if each.covers(path)) for step in plan.steps)
        steps = tuple(step for step in covering if step)
        return Plan(plan.workflow, plan.features, steps, epoch(steps))

    def _target(self, call: Call) -> tuple[str, str]:
        if (relay := call.request.relay) is not None:
            return relay.provider, call.envelope.model
        try:
            first = self._targets(call)[0]
        except (GatewayError, IndexError):
            return "", ""  # nobody may answer; it is said elsewhere
        return first.instance, first.model

    def _plan(self, workflow: Workflow) -> Plan:
        found = self._plans.get(workflow.id)
        if found is None:
            features = workflow.payload.features.within(self._features)
            rails = [
                (step.step, self._rails[step.ref])
                for step in workflow.payload.guardrails
                if step.ref in self._rails
            ]
            steps = in_steps(rails) if features.guardrails else ()
            found = self._plans[workflow.id] = Plan(workflow, features, steps, epoch(steps))
        return found

    # -- what is stored

    def again(self, request: Request, envelope: Envelope, exchange: Exchange) -> bytes:
        """See `Masks`."""
        body, found = NoMasks().again(request, envelope, exchange), exchange.guardrails
        call = Call(request, envelope)
        if not any(each.action == "masked" and each.restore is not False for each in found):
            return body
        if any(each.store == "original" for each in found):
            return body
        original = call.request.body.decode()
        mask = new_mask(call.request, original)
        for each in personal(self.plan(call).steps):
            masked(mask, each, call.request, original)
        if exchange.response is not None and exchange.response.content_type.startswith(
            EVENT_STREAM
        ):
            stream = Restoring(call.request.dialect, mask)
            return stream.feed(body) + stream.end()
        return mask.answer(body) if exchange.error is None else body

    def before(self, call: Call) -> None:
        """See `Masks`."""
        request = call.request
        if (
            self.idle
            or call.guarded is not None
            or request.operation not in GUARDED
            or not request.body
        ):
            return
        plan = self.plan(call)
        call.guarded = Guarded(plan.workflow)
        body = request.body.decode()
        mask = new_mask(request, body)
        for each in personal(plan.steps):
            if isinstance(each.config, Pii) and each.config.store == "masked":
                body = masked(mask, each, request, body)
        if mask.count:
            call.guarded.body = body.encode()


def personal(steps: Iterable[Iterable[Rail]]) -> list[Rail]:
    """Those that mask."""
    return [each for step in steps for each in step if isinstance(each.config, Pii)]


def new_mask(request: Request, body: str) -> Mask:
    """The empty one of a request."""
    # The placeholders of an earlier answer that is continued mean something else.
    continues = '"previous_response_id"' in body or '"conversation"' in body
    return Mask(body, f"_{request.request_id[-6:].upper()}" if continues else "")


def masked(mask: Mask, each: Rail, request: Request, body: str) -> str:
    """The body with one guardrail's kinds masked."""
    config = each.config
    assert isinstance(config, Pii)
    found = [
        spot
        for spot in spots(request.dialect, request.operation, body)
        if spot.role in config.roles
    ]
    return mask.body(body, found, each.recognisers, restore=config.restore)


def _ready(found: Mapping[str, Guardrail]) -> Iterable[tuple[str, Rail]]:
    for name, each in found.items():
        try:
            yield name, rail(name, each)
        except InvalidRequest as error:  # of a later version, or by hand
            log.error("guardrail_refused", name=name, reason=error.message)  # noqa: TRY400 - the reason says it
