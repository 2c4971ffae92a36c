"""What a caller says of caches."""

import pytest

from streams.caches.control import LONGEST, Control, control


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (None, Control()),
        ("", Control()),
        ("no-cache", Control(read=False)),
        ("No-Cache , x", Control(read=False)),
        ("no-store", Control(read=False, write=False)),
        ("max-age=60", Control(max_age=60.0)),
        ('max-age="60"', Control(max_age=60.0)),
        ("max-age=0", Control(max_age=0.0)),
        ("max-age=soon", Control()),
        ("max-age=-1", Control()),
        ("max-age=inf", Control()),
        ("max-age=nan", Control()),
        ("only-if-cached, max-age=5", Control(only_if_cached=True, max_age=5.0)),
        ("type=exact", Control(semantic=False)),
        ("type=semantic", Control(exact=False)),
        ("type=both", Control()),
        ("ttl=300", Control(ttl=300.0)),
        ("ttl=0", Control(ttl=0.0, write=False)),
        ("ttl=1e30", Control(ttl=LONGEST)),
        ("threshold=0.95", Control(threshold=0.95)),
        ("tag=a, tag=b, tag=a, tag=", Control(tags=("a", "b"))),
        ("max-age=1, max-age=2", Control(max_age=1.0)),
        ("stale-while-revalidate=60, private", Control()),
    ],
)
def test_directives(text: str | None, found: Control) -> None:
    """Directives mean what HTTP says; what is not understood says nothing, and the first one counts."""
    assert control(text) == found


def test_a_bypass_neither_reads_nor_writes() -> None:
    """`no-store` is one, `no-cache` keeps the fresh answer."""
    assert control("no-store").bypasses
    assert not control("no-cache").bypasses
