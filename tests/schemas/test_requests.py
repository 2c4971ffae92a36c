"""Requests on the log."""

import pytest
from hypothesis import given, strategies as st

from schemas.headers import first
from schemas.replies import Address
from schemas.requests import (
    DIALECTS,
    INGRESS_SOURCE,
    RELAYED,
    TYPES,
    Dialect,
    Malformed,
    Operation,
    Position,
    Relay,
    Request,
    from_record,
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


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("operation", TYPES.values())
def test_operation_and_dialect(operation: Operation, dialect: Dialect) -> None:
    """What is asked, how it is written and what the path said arrive; nothing is there unsaid."""
    relay = Relay("east", "DELETE", "/v1/files/7?x=%20y") if operation in RELAYED else None
    sent = Request(
        request_id="id-1",
        body=b"",
        operation=operation,
        dialect=dialect,
        source=INGRESS_SOURCE + "host/0",
        model="gemini-x",
        stream=False,
        relay=relay,
        content_type="multipart/form-data; boundary=x",
        http_headers={"x-beta": "a, b"},
        drop_params=True,
    )
    bare = Request(request_id="id-1", body=b"", source=INGRESS_SOURCE)
    for request in (sent, bare):
        read = from_record(first(to_headers(request)), b"", HERE, 0.0)
        for name in (
            *("operation", "dialect", "model", "stream", "relay", "content_type"),
            *("http_headers", "drop_params"),
        ):
            assert getattr(read, name) == getattr(request, name), name


@pytest.mark.parametrize("operation", ["files", "batches"])
def test_what_is_kept_needs_no_provider(operation: Operation) -> None:
    """Of files and batches the record may leave open who has them; their path it may not."""
    sent = Request(
        request_id="id-1",
        body=b"",
        operation=operation,
        source=INGRESS_SOURCE,
        relay=Relay("", "GET", "/files/7"),
    )
    headers = first(to_headers(sent))

    assert from_record(headers, b"", HERE, 0.0).relay == Relay("", "GET", "/files/7")
    del headers["sluice-path"]
    with pytest.raises(Malformed, match="sluice-path"):
        from_record(headers, b"", HERE, 0.0)


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"sluice-dialect": b"morse"}, "unknown sluice-dialect 'morse'"),
        ({"sluice-stream": b"yes"}, "sluice-stream must be true or false"),
        ({"sluice-drop-params": b"1"}, "sluice-drop-params must be true or false"),
        ({"sluice-http-headers": b"["}, "no JSON object of texts"),
        ({"sluice-http-headers": b'{"a":1}'}, "no JSON object of texts"),
        ({"sluice-http-headers": b'{"a b":"c"}'}, "holds no HTTP header"),
        ({"sluice-http-headers": b'{"a":"c\\r\\nd: e"}'}, "holds no HTTP header"),
        ({"ce_type": b"llm.request.relay"}, "needs the headers sluice-provider and sluice-path"),
        (
            {"ce_type": b"llm.request.relay", "sluice-provider": b"p", "sluice-path": b"//h y"},
            "sluice-path must begin with a slash",
        ),
        (
            {"ce_type": b"llm.request.relay", "sluice-provider": b"p", "sluice-path": b"x/y"},
            "sluice-path must begin with a slash",
        ),
        (
            {
                "ce_type": b"llm.request.relay",
                "sluice-provider": b"p",
                "sluice-path": b"/y",
                "sluice-method": b"GET /x",
            },
            "sluice-method is no HTTP method",
        ),
    ],
)
def test_headers_that_make_no_request(headers: dict[str, bytes], reason: str) -> None:
    """Nothing of a header reaches a provider's request line or headers unchecked."""
    with pytest.raises(Malformed, match=reason):
        from_record(headers, CHAT, HERE, 0.0)


@pytest.mark.parametrize("keep", [False, True])
def test_that_an_answer_is_kept_comes_along(keep: bool) -> None:
    """An ordinary request has no header for it."""
    headers = to_headers(Request(request_id="id-1", body=CHAT, keep=keep))

    assert ("sluice-keep" in dict(headers)) is keep
    assert from_record(first(headers), CHAT, HERE, 0.0).keep is keep
