"""Which held request starts next: two lanes by weight, and within each the tenants in turn. Pure.

A lane is a topic of requests. While both wait, each has its places (interactive 90 %, batch 10 %, but at
least one) and, where both are below them, starts in the same proportion. What one lane does not use
the other may, except that batch leaves a tenth of the worker free: a batch call runs for minutes, and
an interactive request must not wait for one to end (docs/adr/0011).
"""

from __future__ import annotations

from collections import OrderedDict, deque

from schemas.topics import Topics
from streams.config import StreamsConfig
from streams.delivery import Delivery

RESERVE = 10  # percent of the places that batch never borrows
SMOOTHING = 0.05  # weight of the newest service time


class Lane:
    """What is held and what runs of one topic."""

    __slots__ = (
        "_queues",
        "_tenant_places",
        "_tenants",
        "count",
        "held_bytes",
        "limits",
        "paused",
        "places",
        "refusing",
        "running",
        "service_time",
        "topic",
    )

    def __init__(
        self, topic: str, places: int, tenant_places: int, limits: tuple[int, int]
    ) -> None:
        self.topic = topic
        self.places = places  # while the other lane waits
        self.limits = limits  # count and bytes of what is held
        self.count = 0
        self.held_bytes = 0
        self.refusing = 0  # records on their way to the dead letters
        self.running = 0
        self.paused = False
        self.service_time = 0.0  # seconds, moving average
        self._tenant_places = tenant_places  # while another tenant waits
        self._tenants: dict[str, int] = {}  # running, by tenant
        self._queues: OrderedDict[str, deque[Delivery]] = OrderedDict()  # whose turn it is first

    def put(self, delivery: Delivery) -> None:
        """Hold a request."""
        self.count += 1
        self.held_bytes += delivery.size
        queue = self._queues.get(delivery.tenant)
        if queue is None:
            queue = self._queues[delivery.tenant] = deque()
        queue.append(delivery)

    def take(self) -> Delivery:
        """The next one: tenants in turn, those that have their share of the places behind all others."""
        tenant = next(iter(self._queues))
        if len(self._queues) > 1:
            tenant = next((each for each in self._queues if self._below_share(each)), tenant)
        queue = self._queues[tenant]
        delivery = queue.popleft()
        if queue:
            self._queues.move_to_end(tenant)
        else:
            del self._queues[tenant]
        self.count -= 1
        self.held_bytes -= delivery.size
        return delivery

    def _below_share(self, tenant: str) -> bool:
        return self._tenants.get(tenant, 0) < self._tenant_places

    def clear(self) -> None:
        """Forget what is held."""
        self._queues.clear()
        self.count = self.held_bytes = 0

    def took(self, seconds: float) -> None:
        """One of this lane is done."""
        self.service_time += (seconds - self.service_time) * SMOOTHING

    def began(self, tenant: str) -> None:
        """A request has a place from now on."""
        self.running += 1
        self._tenants[tenant] = self._tenants.get(tenant, 0) + 1

    def ended(self, tenant: str) -> None:
        """Its place is free again."""
        self.running -= 1
        if (left := self._tenants[tenant] - 1) > 0:
            self._tenants[tenant] = left
        else:
            del self._tenants[tenant]

    @property
    def full(self) -> bool:
        """At its limit of count or bytes; refusals wait for the log as requests do."""
        count, size = self.limits
        return self.count + self.refusing >= count or self.held_bytes >= size

    @property
    def low(self) -> bool:
        """At most half full."""
        count, size = self.limits
        return self.count + self.refusing <= count // 2 and self.held_bytes <= size // 2


class Dispatcher:
    """The two lanes of a worker, and its places."""

    def __init__(self, config: StreamsConfig, topics: Topics) -> None:
        places = config.concurrency
        of_batch = max(1, places * config.batch_share // 100)
        of_tenant = max(1, places * config.tenant_share // 100)
        limits = (config.max_held, config.max_held_bytes)
        self.interactive = Lane(topics.requests, max(1, places - of_batch), of_tenant, limits)
        self.batch = Lane(topics.batch, of_batch, of_tenant, limits)
        self.both = (self.interactive, self.batch)
        self._by_topic = {lane.topic: lane for lane in self.both}
        self._places = places
        reserve = max(1, places * RESERVE // 100) if places > 1 else 0
        self._borrowable = max(of_batch, places - reserve)
        self._share = config.batch_share
        self._credit = 0  # of the batch lane; at a hundred it is its turn

    def __getitem__(self, topic: str) -> Lane:
        return self._by_topic[topic]

    @property
    def held(self) -> int:
        return self.interactive.count + self.batch.count

    def clear(self) -> None:
        """Forget what is held."""
        for lane in self.both:
            lane.clear()

    def idle(self, lane: Lane) -> bool:
        """Whether a request of `lane` may start at once: nothing waits, and a place is free."""
        interactive, batch = self.interactive, self.batch
        return (
            not interactive.count
            and not batch.count
            and interactive.running + batch.running < self._places
            and (lane is interactive or batch.running < self._borrowable)
        )

    def next(self) -> Delivery | None:
        """Take what may start now; None if nothing may."""
        if self.interactive.running + self.batch.running >= self._places:
            return None
        lane = self._lane()
        return lane.take() if lane is not None else None

    def _lane(self) -> Lane | None:
        interactive, batch = self.interactive, self.batch
        if not batch.count:
            return interactive if interactive.count else None
        if not interactive.count:
            return batch if batch.running < self._borrowable else None
        if batch.running >= batch.places:
            return interactive
        if interactive.running >= interactive.places:
            return batch
        self._credit += self._share
        if self._credit < 100:
            return interactive
        self._credit -= 100
        return batch

    def began(self, delivery: Delivery) -> None:
        """The request takes a place."""
        delivery.has_place = True
        self[delivery.message.topic].began(delivery.tenant)

    def ended(self, delivery: Delivery) -> None:
        """The request needs its place no more; said twice it counts once."""
        if delivery.has_place:
            delivery.has_place = False
            self[delivery.message.topic].ended(delivery.tenant)
