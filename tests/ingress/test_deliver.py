"""The headers of an answer."""

from ingress.deliver import _clean, _fixed_lines, _upstream_lines


def test_a_value_cannot_end_its_header() -> None:
    """Control characters are taken out of whatever a worker or a provider says."""
    assert _clean("a\r\nb: c\x00") == "ab: c"
    assert _fixed_lines("text/plain\r\nx: y", "p\n", "m").count(b"\r\n") == 3


def test_upstream_headers_are_filtered() -> None:
    """Ours, those about the connection, and names that are none stay out; what is no JSON is left out."""
    raw = b'{"X-Kept":"1","Transfer-Encoding":"chunked","Set-Cookie":"a","bad name":"x","b\\u00e4":"y"}'

    assert _upstream_lines(raw) == b"X-Kept: 1\r\n"
    assert _upstream_lines(b"[]") == b""
    assert _upstream_lines(b'{"x-a":"\\u4e2d"}') == b"x-a: ?\r\n"
