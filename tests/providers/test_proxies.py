"""The way to an address, as Go reads the variables."""

import pytest

from providers.proxies import Proxies

PROXIES = Proxies(
    "http://plain:3128",
    "secure:3129",
    "exact.example, .below.example,10.0.0.0/8, 192.168.1.1,port.example:8443,[2001:db8::1], *.star.example",
)


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("http://far.example/v1", "http://plain:3128"),
        ("https://far.example/v1", "http://secure:3129"),
        ("https://exact.example/v1", None),
        ("https://api.exact.example/v1", None),
        ("https://inexact.example/v1", "http://secure:3129"),
        ("https://below.example/v1", "http://secure:3129"),
        ("https://api.below.example/v1", None),
        ("https://api.star.example/v1", None),
        ("http://10.1.2.3:8000/v1", None),
        ("http://192.168.1.1/v1", None),
        ("http://192.168.1.2/v1", "http://plain:3128"),
        ("https://port.example:8443/v1", None),
        ("https://port.example/v1", "http://secure:3129"),
        ("http://[2001:db8::1]/v1", None),
        ("http://localhost:11434/v1", None),
        ("http://127.0.0.1:8000/v1", None),
        ("http://[::1]:8000/v1", None),
    ],
)
def test_ways(url: str, proxy: str | None) -> None:
    """The proxy of the scheme, but for what is exempt and for this machine."""
    assert PROXIES.of(url) == proxy


def test_all_are_exempt() -> None:
    """`*` exempts everything, and without proxies every way is direct."""
    assert Proxies("http://p", "http://p", "*").of("https://far.example") is None
    assert Proxies().of("https://far.example") is None
