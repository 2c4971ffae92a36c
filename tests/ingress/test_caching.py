"""What a caller's headers say of caches."""

import pytest
from sanic.compat import Header

from ingress.caching import directives


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        ([], None),
        ([("accept", "*/*")], None),
        ([("Cache-Control", "no-cache, max-age=5")], "no-cache, max-age=5"),
        ([("Cache-Control", "no-cache"), ("X-Cache-Control", "no-store")], "no-cache, no-store"),
        ([("X-Cache-Type", "exact"), ("X-Cache-TTL", " 60 ")], "type=exact, ttl=60"),
        ([("X-Cache-Semantic-Threshold", "0.95")], "threshold=0.95"),
        ([("X-Cache-TTL", "60, no-store")], "ttl=60"),
        ([("X-Cache-Tags", "a, b,"), ("X-Cache-Tags", "c")], "tag=a, tag=b, tag=c"),
        ([("Cache-Control", "x" * 3000)], None),
        ([("Cache-Control", "caf\xe9")], None),
    ],
)
def test_directives(headers: list[tuple[str, str]], text: str | None) -> None:
    """All that is said stands in one text; what could not be read says nothing."""
    assert directives(Header(headers)) == text
