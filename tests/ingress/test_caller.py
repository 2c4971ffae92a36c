"""What headers say about who asks."""

from types import SimpleNamespace
from typing import cast

import pytest
from sanic.compat import Header

from ingress.caller import Addresses, traceparent, user_path
from ingress.guards import IncomingRequest


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("/a/b", "/a/b"),
        ("a//b/", "/a/b"),
        ("/", "/"),
        ("", "/"),
        (" /a b ", "/a b"),
        ("/a.b/..c", "/a.b/..c"),
    ],
)
def test_user_paths_are_tidied(given: str, path: str) -> None:
    """A leading slash is added, doubled and trailing ones go; dots inside a segment are a name."""
    assert user_path(Header({"X-GoModel-User-Path": given})) == path
    assert user_path(Header({"X-Sluice-User-Path": given})) == path


def test_the_default_user_path_is_the_root() -> None:
    assert user_path(Header({})) == "/"


@pytest.mark.parametrize(
    "given",
    [
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
        "nonsense",
        "",
    ],
)
def test_an_invalid_trace_context_is_ignored(given: str) -> None:
    """As the standard asks: the request goes on without."""
    assert traceparent(Header({"traceparent": given})) is None


def test_a_later_version_of_trace_context_is_kept() -> None:
    """It may be longer."""
    given = "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more"
    assert traceparent(Header({"traceparent": given})) == given


def ask(trusted: tuple[str, ...], peer: str, *forwarded: str) -> str | None:
    request = SimpleNamespace(
        conn_info=SimpleNamespace(client_ip=peer),
        headers=Header([("x-forwarded-for", value) for value in forwarded]),
    )
    return Addresses(trusted).client_ip(cast("IncomingRequest", request))


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("10.0.0.1", ["198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", ["6.6.6.6, 198.51.100.7, 10.0.0.2"], "198.51.100.7"),
        ("10.0.0.1", ["6.6.6.6", "198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", ["198.51.100.7:4711"], "198.51.100.7"),
        ("10.0.0.1", ["[2001:db8::1]:4711"], "2001:db8::1"),
        ("10.0.0.1", ["6.6.6.6, nonsense, 10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("192.0.2.1", ["6.6.6.6"], "192.0.2.1"),
        ("::1", ["198.51.100.7"], "198.51.100.7"),
    ],
)
def test_forwarded_for_counts_from_the_right(peer: str, forwarded: list[str], client: str) -> None:
    """The first address, from the right, that is no trusted proxy; only if the peer is one."""
    assert ask(("10.0.0.0/8", "::1"), peer, *forwarded) == client


def test_nobody_is_trusted_by_default() -> None:
    assert ask((), "10.0.0.1", "198.51.100.7") == "10.0.0.1"
