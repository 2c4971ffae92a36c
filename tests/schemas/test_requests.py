"""Requests on the log."""

import pytest
from hypothesis import given, strategies as st

from schemas.errors import InvalidRequest
from schemas.headers import first
from schemas.replies import Address
from schemas.requests import (
    INGRESS_SOURCE,
    Malformed,
    Position,
    Request,
    from_record,
    parse_chat,
    request_id_of,
    to_headers,
)

HERE = Position("llm.requests", 3, 99)
CHAT = b'{"model":"m","messages":[{"role":"user","content":"hi"}]}'


@given(
    st.text(min_size=1, max_size=20).filter(str.strip),
    st.integers(0, 2**31 - 1),
    st.floats(1e9, 4e9),
)
def test_a_request_comes_back_as_it_was_sent(path: str, partition: int, created: float) -> None:
    """Everything that the ingress writes is read by the worker."""
    sent = Request(
        request_id="id-1",
        body=CHAT,
        source=INGRESS_SOURCE + "host/0",
        user_path=path,
        client="master",
        client_ip="127.0.0.1",
        client_request_id="mine",
        created=round(created, 6),
        deadline=round(created, 6) + 10,
        reply_to=Address("llm.replies", partition),
        traceparent="00-ab-cd-01",
    )
    read = from_record(first(to_headers(sent)), sent.body, HERE, 0.0)

    assert read.request_id == sent.request_id
    assert (read.created, read.deadline) == pytest.approx((sent.created, sent.deadline), abs=1e-5)
    for name in ("body", "source", "user_path", "client", "client_ip", "reply_to", "traceparent"):
        assert getattr(read, name) == getattr(sent, name)


def test_a_body_alone_is_a_request() -> None:
    """A service may produce nothing but JSON: id from the position, path /kafka, no reply."""
    read = from_record({}, CHAT, HERE, 12.5)

    assert read.request_id == "llm.requests-3-99"
    assert (read.user_path, read.source, read.reply_to, read.created) == (
        "/kafka",
        "/kafka",
        None,
        12.5,
    )


@pytest.mark.parametrize(
    ("headers", "request_id"),
    [
        ({"ce_id": b"7"}, "/kafka/7"),
        ({"ce_id": b"7", "ce_source": b"/billing"}, "/billing/7"),
        ({"ce_id": b"7", "ce_source": b"/sluice/ingress/h/0"}, "7"),
        ({"ce_id": b"7", "sluice-request-id": b"moved"}, "moved"),
        ({"ce_id": b"\xff"}, "llm.requests-3-99"),
    ],
)
def test_ids_are_scoped_by_their_source(headers: dict[str, bytes], request_id: str) -> None:
    """Two services may use the same id; ours are unique by themselves."""
    assert request_id_of(headers, HERE) == request_id


def test_a_malformed_record_still_says_where_the_error_goes() -> None:
    """The reply address is read before anything that can be wrong."""
    with pytest.raises(Malformed) as caught:
        from_record({"kafka_replyTopic": b"llm.replies", "ce_type": b"x"}, CHAT, HERE, 0.0)

    assert caught.value.reply_to == Address("llm.replies")


@pytest.mark.parametrize(
    ("body", "param", "fragment"),
    [
        (b"", None, "not valid JSON"),
        (b"{", None, "not valid JSON"),
        (b"nul", None, "not valid JSON"),
        (CHAT + b"x", None, "not valid JSON"),
        (b"\xef\xbb\xbf" + CHAT, None, "not valid JSON"),
        (b'{"model":"\xff"}', None, "not UTF-8: byte 10"),
        (b'{"x":"\xc3\x28","model":"m","messages":[{}]}', None, "not UTF-8"),
        (b"[1]", None, "must be a JSON object"),
        (b'"text"', None, "must be a JSON object"),
        (b"{}", "model", "`model` is required"),
        (b'{"model":"m"}', "messages", "`messages` is required"),
        (b'{"model":null,"messages":[{}]}', "model", "expected `str`, got `null`"),
        (b'{"model":"m","messages":"hi"}', "messages", "expected `array`, got `str`"),
        (b'{"model":"m","messages":[]}', "messages", "at least one"),
        (b'{"model":"","messages":[{}]}', "model", "must not be empty"),
        (
            b'{"model":"m","messages":[{}],"stream":1}',
            "stream",
            "expected `bool | null`, got `int`",
        ),
        (b'{"model":"m","messages":[{}],"x":' + b"[" * 100_000, None, "."),
    ],
)
def test_what_is_wrong_with_a_body_is_said(body: bytes, param: str | None, fragment: str) -> None:
    """The message names the field and the reason; nothing crashes."""
    with pytest.raises(InvalidRequest, match=fragment.replace("|", "\\|")) as caught:
        parse_chat(body)

    assert caught.value.param == param
