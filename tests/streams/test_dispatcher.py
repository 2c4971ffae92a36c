"""Which request starts next."""

from collections import Counter

from schemas.topics import Topics
from streams.config import StreamsConfig
from streams.delivery import Delivery, parse
from streams.dispatcher import Dispatcher
from tests.streams.fakes import record

TOPICS = Topics()


class Bench:
    """A dispatcher whose requests run until told to end."""

    def __init__(self, concurrency: int, **config: int) -> None:
        self.lanes = Dispatcher(StreamsConfig(concurrency=concurrency, **config), TOPICS)
        self.running: list[Delivery] = []
        self._offset = 0

    def put(self, topic: str, count: int, tenant: str = "/kafka") -> None:
        for _ in range(count):
            self._offset += 1
            headers = {"sluice-user-path": tenant}
            self.lanes[topic].put(parse(record(self._offset, topic=topic, **headers)))

    def start(self) -> list[Delivery]:
        """Start all that may; what was started."""
        started = []
        while (delivery := self.lanes.next()) is not None:
            self.lanes.began(delivery)
            started.append(delivery)
        self.running += started
        return started

    def end(self, topic: str | None = None) -> None:
        """End the oldest one, or the oldest one of a topic."""
        found = next(each for each in self.running if topic in (None, each.message.topic))
        self.running.remove(found)
        self.lanes.ended(found)


def topics(started: list[Delivery]) -> Counter[str]:
    return Counter(each.message.topic for each in started)


def tenants(started: list[Delivery]) -> Counter[str]:
    return Counter(each.tenant for each in started)


def test_both_lanes_wait_and_start_by_weight() -> None:
    """Ninety to ten, in places and in what starts as they become free."""
    bench = Bench(100)
    bench.put(TOPICS.batch, 500)
    bench.put(TOPICS.requests, 500)
    assert topics(bench.start()) == {TOPICS.requests: 90, TOPICS.batch: 10}
    again: Counter[str] = Counter()
    for _ in range(200):
        bench.end()
        again += topics(bench.start())
    assert again == {TOPICS.requests: 180, TOPICS.batch: 20}


def test_slow_batch_requests_do_not_gather_in_the_places() -> None:
    """While interactive requests wait, batch ones that never end hold no more than their share."""
    bench = Bench(100)
    bench.put(TOPICS.batch, 500)
    bench.put(TOPICS.requests, 500)
    bench.start()
    for _ in range(300):
        bench.end(TOPICS.requests)
        assert topics(bench.start()) == {TOPICS.requests: 1}


def test_each_lane_uses_what_the_other_leaves() -> None:
    """Interactive requests take all places; batch ones all but a tenth, which is there for an
    interactive one that comes while every batch call still runs."""
    bench = Bench(100)
    bench.put(TOPICS.requests, 200)
    assert len(bench.start()) == 100

    bench = Bench(100)
    bench.put(TOPICS.batch, 2000)
    assert topics(bench.start()) == {TOPICS.batch: 90}
    bench.put(TOPICS.requests, 50)
    assert topics(bench.start()) == {TOPICS.requests: 10}
    for _ in range(40):
        bench.end(TOPICS.batch)
        assert topics(bench.start()) == {TOPICS.requests: 1}


def test_a_lane_that_comes_late_gets_the_next_slot() -> None:
    """Interactive requests that took everything give batch its share as they end."""
    bench = Bench(100)
    bench.put(TOPICS.requests, 500)
    bench.start()
    bench.put(TOPICS.batch, 100)
    started: Counter[str] = Counter()
    for _ in range(10):
        bench.end(TOPICS.requests)
        started += topics(bench.start())
    assert started == {TOPICS.batch: 10}


def test_batch_has_a_slot_in_a_small_worker() -> None:
    """One of a few; of a single one every tenth start."""
    few = Bench(4)
    few.put(TOPICS.batch, 9)
    few.put(TOPICS.requests, 9)
    assert topics(few.start()) == {TOPICS.requests: 3, TOPICS.batch: 1}

    single = Bench(1)
    single.put(TOPICS.batch, 100)
    single.put(TOPICS.requests, 100)
    started = topics(single.start())
    for _ in range(99):
        single.end()
        started += topics(single.start())
    assert started == {TOPICS.requests: 90, TOPICS.batch: 10}


def test_tenants_start_in_turn() -> None:
    """One with a thousand requests before it does not delay the one with two."""
    bench = Bench(1)
    bench.put(TOPICS.requests, 1000, "/loud")
    bench.put(TOPICS.requests, 2, "/quiet")
    first = bench.start()
    for _ in range(4):
        bench.end()
        first += bench.start()
    assert [each.tenant for each in first] == ["/loud", "/quiet", "/loud", "/quiet", "/loud"]


def test_one_tenant_has_at_most_its_share_while_others_wait() -> None:
    """Its slow requests hold half of the places, however many the others' fast ones leave free; alone
    it may have all of them."""
    bench = Bench(10)
    bench.put(TOPICS.requests, 100, "/slow")
    assert tenants(bench.start()) == {"/slow": 10}

    bench = Bench(10)
    bench.put(TOPICS.requests, 100, "/slow")
    bench.put(TOPICS.requests, 100, "/fast")
    bench.start()
    for _ in range(50):
        fast = next(each for each in bench.running if each.tenant == "/fast")
        bench.running.remove(fast)
        bench.lanes.ended(fast)
        bench.start()
    assert tenants(bench.running) == {"/slow": 5, "/fast": 5}


def test_a_client_is_a_tenant_whatever_path_it_says() -> None:
    """The name of the key counts before the user path, which a caller chooses."""
    lanes = Dispatcher(StreamsConfig(), TOPICS)
    delivery = parse(record(0, **{"sluice-client": "key-1", "sluice-user-path": "/a"}))
    assert delivery.tenant == "key-1"
    lanes.began(delivery)
    lanes.ended(delivery)
    lanes.ended(delivery)
    assert lanes.interactive.running == 0


def test_a_lane_is_full_at_its_count_or_bytes_and_low_at_half() -> None:
    """Also by records that are on their way to the dead letters."""
    lane = Bench(1, max_held=4).lanes.interactive
    lane.refusing = 2
    assert lane.low
    lane.refusing = 3
    assert (lane.low, lane.full) == (False, False)
    lane.refusing = 4
    assert lane.full

    bench = Bench(1, max_held_bytes=200)
    bench.put(TOPICS.requests, 1)
    assert bench.lanes.interactive.low
    bench.put(TOPICS.requests, 3)
    assert bench.lanes.interactive.full
    bench.lanes.clear()
    assert bench.lanes.interactive.low
    assert bench.lanes.held == 0


def test_nothing_is_held_while_places_are_free() -> None:
    """A request starts at once where nobody waits; batch only in places that it may borrow."""
    bench = Bench(10)
    interactive, batch = bench.lanes.both
    for _ in range(9):
        assert bench.lanes.idle(batch)
        bench.put(TOPICS.batch, 1)
        assert not bench.lanes.idle(interactive)
        bench.start()
    assert (bench.lanes.idle(batch), bench.lanes.idle(interactive)) == (False, True)
    bench.put(TOPICS.requests, 1)
    bench.start()
    assert not bench.lanes.idle(interactive)
