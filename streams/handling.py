"""One request's life in a worker, step by step. Between any two effects lies a fault point.

exchange acknowledged → last reply acknowledged → offset finished: a crash between any two repeats
work and loses none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from typing import assert_never

import structlog

from schemas import headers as h
from schemas.clock import Clock, rfc3339
from schemas.envelopes import JSON, error_body
from schemas.errors import GatewayError, InternalError, InvalidRequest
from schemas.exchange import ErrorInfo, Exchange, Timings, request_body
from schemas.faultpoints import reach
from schemas.metrics import Metrics
from schemas.replies import Address, Chunk, Completed, Failed, Started
from schemas.requests import request_id_of
from schemas.topics import Topics
from schemas.tracing import Tracer
from streams import tracing
from streams.answers import Answer, Sender
from streams.costs import Prices, no_prices
from streams.dead_letters import DeadLetters, reason_of
from streams.delivery import Delivery, Message, position_of
from streams.guardrails.masks import Masks, NoMasks
from streams.log import Undeliverable
from streams.metering import Metering
from streams.outcomes import Outcomes
from streams.settlement import Result, Times, head_of, settle
from streams.stages import Call, Handler

log = structlog.get_logger()

MAX_REDELIVERIES = 2  # counted twice, the second time it ran alone: it is the request that kills


class Handling:
    """Runs requests to their outcome. Everything that it needs is handed in."""

    def __init__(
        self,
        handler: Handler,
        outcomes: Outcomes,
        sender: Sender,
        topics: Topics,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._handler = handler
        self._outcomes = outcomes
        self._sender = sender
        self._dead_letters = DeadLetters(sender.log, topics.dead_letters, metrics)
        self._clock = clock
        self._metering = Metering(metrics)
        self.may_reply_to: Callable[[str], bool] = lambda topic: True
        self.prices: Prices = no_prices
        self.masks: Masks = NoMasks()
        self.tracer: Tracer | None = None  # None: nothing is traced

    async def run(self, delivery: Delivery, *, redelivered: bool) -> None:
        """Bring a request to its outcome; returns when its offsets may be finished.

        Raises Undeliverable when the log takes no outcome. A fault of ours is an outcome too: if it
        ended the process, the record would end every worker that is given it.
        """
        try:
            await self._run(delivery, redelivered=redelivered)
        except Undeliverable:
            raise
        except Exception as error:
            log.exception("request_unsettled", request_id=delivery.request.request_id)
            await self._give_up(delivery, error)

    async def _give_up(self, delivery: Delivery, error: Exception) -> None:
        """The last resort: nothing of the request itself is used but its bytes and its id."""
        await self._bury(delivery, type(error).__qualname__, reason_of(error))
        failure = InternalError()
        now = rfc3339(self._clock.time())
        exchange = Exchange(
            request_id=delivery.request.request_id,
            outcome="failed",
            created_at=now,
            finished_at=now,
            operation=delivery.request.operation,
            dialect=delivery.request.dialect,
            stream=delivery.envelope.stream,
            source=delivery.request.source,
            user_path=delivery.request.user_path,
            request_model=delivery.envelope.model or None,
            status=failure.status,
            delivery_attempt=delivery.attempt,
            kafka=delivery.position,
            timings=Timings(0.0),
            request=request_body(delivery.request),
            client=delivery.request.client,
            error=ErrorInfo(failure.code, failure.type, failure.message),
            keep=delivery.request.keep,
        )
        if delivery.floor is None:
            delivery.floor = self._outcomes.end(delivery.message.partition)
        await self._outcomes.record(delivery.message.partition, exchange)
        delivery.outcome = exchange
        # A new attempt: of one that has begun nobody knows any more what was sent, and whoever saw it
        # is told that it ends here.
        delivery.attempt += 1
        answer = await self._answer_of(delivery)
        answer.start(Started(failure.status, JSON, "", ""))
        await answer.finish(error_body(delivery.request.dialect, failure), failed=True)

    async def _bury(self, delivery: Delivery, kind: str, reason: str) -> None:
        delivery.buried = True
        await self._dead_letters.bury(delivery.message, kind, reason)

    async def _run(self, delivery: Delivery, *, redelivered: bool) -> None:
        partition, request_id = delivery.message.partition, delivery.request.request_id
        if (offset := self._outcomes.find(partition, request_id)) is not None:
            delivery.floor = offset
            if delivery.key is not None:
                await self._outcomes.keys.confirm(delivery.key, request_id)
            if not delivery.moved or redelivered:
                await self.repeat(delivery, offset)
            return
        if delivery.moved and not redelivered:
            return  # a copy of what ended here or in an owner that stopped in order
        call = Call(delivery.request, delivery.envelope, delivery.waits)
        call.key, call.span = delivery.key, tracing.process(self.tracer, delivery)
        try:
            await self._settled(delivery, call, redelivered=redelivered)
        finally:
            tracing.processed(call.span, delivery)
            if call.release is not None:
                call.release()

    async def _settled(self, delivery: Delivery, call: Call, *, redelivered: bool) -> None:
        """Answer, record, reply."""
        times = Times(self._clock)
        if redelivered and not await self._count(delivery):
            error = InternalError("The request was given up: a worker died of it three times.")
            await self._bury(delivery, "GivenUp", error.message)
            result = Result(call).failed(Failed(error, error.status), "failed", begun=False)
            answer = await self._answer_of(delivery)
        else:
            reach("streams.started")
            answer = await self._answer_of(delivery)
            result = await self._answered(delivery, call, answer)
        times.ended()
        reach("streams.answered")
        if delivery.floor is None:
            delivery.floor = self._outcomes.end(delivery.message.partition)
        self.masks.before(call)
        await self._record(delivery, exchange := settle(delivery, call, result, times, self.prices))
        self._metering.finished(exchange, call)
        if not answer.begun:
            if result.error is not None:
                answer.discard()
            answer.start(result.head)
        await answer.finish(result.take() + result.final, failed=result.error is not None)
        reach("streams.replied")

    async def _record(self, delivery: Delivery, exchange: Exchange) -> None:
        """Write the outcome, and that it answers its idempotency key: one that failed leaves it free."""
        partition, key = delivery.message.partition, delivery.key
        delivery.outcome = exchange
        if (
            key is None
            or exchange.outcome != "completed"
            or self._outcomes.keys.find(key) is not None
        ):
            await self._outcomes.record(partition, exchange)
            reach("streams.recorded")
            return
        said = self._outcomes.keys.header(key)
        offset = await self._outcomes.record(partition, exchange, said)
        reach("streams.recorded")
        await self._outcomes.keys.remember(key, exchange.request_id, offset)
        reach("streams.remembered")

    async def _answer_of(self, delivery: Delivery) -> Answer:
        to = await self._allowed(delivery.request.reply_to)
        return Answer(self._sender, delivery.request.request_id, to, delivery.attempt)

    async def _allowed(self, to: Address | None) -> Address | None:
        """The address, if answers may go there and can."""
        if to is None:
            return None
        if not self.may_reply_to(to.topic):
            log.warning("reply_topic_refused", topic=to.topic)
            return None
        if not await self._sender.log.has(to.topic):
            log.warning("reply_topic_unknown", topic=to.topic)
            return None
        return to

    async def _count(self, delivery: Delivery) -> bool:
        """Count a redelivery before it runs; False if it has had all its chances."""
        partition, request_id = delivery.message.partition, delivery.request.request_id
        counted = self._outcomes.redeliveries(partition, request_id)
        delivery.attempt = counted + 2
        if counted >= MAX_REDELIVERIES:
            return False
        self._metering.redelivered()
        delivery.floor = self._outcomes.end(partition)
        await self._outcomes.count(partition, request_id, counted + 1)
        reach("streams.counted")
        return True

    async def _answered(self, delivery: Delivery, call: Call, answer: Answer) -> Result:
        """Call the provider; the first of {its end, a cancellation, the deadline} decides."""
        result = Result(call)
        if call.request.keep:
            await answer.tell_begun()
        try:
            if delivery.stop_reason is None:
                delivery.stoppable = True
                return await self._pumped(delivery, call, answer, result)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if delivery.stop_reason is None or task is None:
                raise  # the process ends: the request is redelivered
            task.uncancel()
        except Exception as error:
            delivery.stoppable = False
            log.exception("request_crashed", request_id=call.request.request_id)
            await self._bury(delivery, type(error).__qualname__, reason_of(error))
            failure = InternalError()
            return result.failed(Failed(failure, failure.status), "failed", begun=answer.begun)
        finally:
            delivery.stoppable = False
            delivery.decided = True
            answer.close_stream()
        assert delivery.stop_reason is not None
        return result.stopped(delivery.stop_reason, begun=answer.begun)

    async def _pumped(
        self, delivery: Delivery, call: Call, answer: Answer, result: Result
    ) -> Result:
        async with aclosing(self._handler(call)) as replies:
            async for reply in replies:
                match reply:
                    case Started():
                        result.begun(reply)
                        answer.start(reply)
                        if call.streamed:
                            answer.open_stream()
                        reach("streams.called")
                    case Chunk():
                        result.piece(reply.data)
                        # What has no content waits for the first that has.
                        if call.streamed and reply.content:
                            delivery.begun = True
                            await answer.chunk(result.take())
                    case Completed():
                        delivery.decided = True
                        return result.completed(reply)
                    case Failed():
                        delivery.decided = True
                        return result.failed(reply, "failed", begun=answer.begun)
                    case _:
                        assert_never(reply)
        raise RuntimeError("the handler ended without a terminal reply")

    async def repeat(self, delivery: Delivery, offset: int) -> None:
        """Answer from the recorded outcome: no provider is called."""
        to = await self._allowed(delivery.request.reply_to)
        if to is None:
            return
        try:
            exchange = await self._outcomes.read(delivery.message.partition, offset)
        except LookupError:
            log.warning("outcome_gone", request_id=delivery.request.request_id)
            return
        attempt = exchange.delivery_attempt + 1
        answer = Answer(self._sender, delivery.request.request_id, to, attempt, replay=True)
        answer.start(head_of(exchange))
        body = self.masks.again(delivery.request, delivery.envelope, exchange)
        await answer.finish(body, failed=exchange.error is not None)

    async def refuse(self, message: Message, reason: str, to: Address | None) -> None:
        """A record that is no request: kept with the reason, and told to whoever asked for a reply."""
        await self._dead_letters.bury(message, "Malformed", reason)
        if (to := await self._allowed(to)) is None:
            return
        error: GatewayError = InvalidRequest(reason)
        headers = h.first(message.headers)
        request_id = request_id_of(headers, position_of(message))
        answer = Answer(self._sender, request_id, to, 1)
        answer.start(Started(error.status, JSON, "", ""))
        await answer.finish(error_body(_dialect(headers), error), failed=True)


def _dialect(headers: dict[str, bytes]) -> str:
    """The dialect in which the sender of a record understands an error."""
    return headers.get(h.DIALECT, b"openai_chat").decode(errors="replace")
