"""Files and batches, without a network: bodies taken apart, requests of a batch translated."""

import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from providers.base import Endpoint, Route, Target
from providers.resources import lines, multipart, shelves
from providers.resources.asked import parse
from providers.resources.shelf import Shelf
from schemas.errors import GatewayError, InvalidRequest, ModelNotFound, NotFound, UpstreamError
from schemas.requests import Relay, Request

TYPE = 'multipart/form-data; charset=utf-8; boundary="b-1"'
UPLOAD = (
    b'--b-1\r\nContent-Disposition: form-data; name="provider"\r\n\r\neast\r\n'
    b'--b-1\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n'
    b"Content-Type: application/octet-stream\r\n\r\n\x00\xff\r\n--b-2\r\n\r\n\r\n"
    b'--b-1\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n--b-1--\r\n'
)


def target(name: str, *routes: str) -> Target:
    made = {route: Route(f"https://{name}/v1/{route}") for route in routes}
    endpoint = Endpoint(
        instance=name,
        routes=made,
        base_url=f"https://{name}/v1",
        models_url="",
        headers={"Authorization": "Bearer k"},
    )
    return Target(endpoint, "")


OPENAI = target("east", "openai_files", "openai_batches")
ANTHROPIC = target("ant", "anthropic_files", "anthropic_batches")


def resolve(model: str) -> Target:
    """`east/…` and `ant/…` are there, `gpt` is east's, `claude` ant's."""
    first, slash, rest = model.partition("/")
    if first == "east" or model == "gpt":
        return Target(OPENAI.endpoint, rest if slash else model)
    if first == "ant" or model == "claude":
        return Target(ANTHROPIC.endpoint, rest if slash else model)
    raise ModelNotFound


def asked(
    path: str, method: str = "GET", body: bytes = b"", content_type: str = "application/json"
) -> Any:
    return parse(
        Request(
            request_id="r1",
            body=body,
            operation="batches" if path.startswith("/batches") else "files",
            relay=Relay("", method, path),
            content_type=content_type,
        )
    )


def shelf(whose: Target, resource: Any = "batches") -> Shelf:
    found = shelves.shelf(whose, resource)
    assert found is not None
    return found


def new_batch(*requests: dict[str, Any], **fields: Any) -> Any:
    body = json.dumps({"requests": requests} | fields).encode()
    return asked("/batches", "POST", body)


def test_fields_of_an_upload() -> None:
    """Found by name; bytes that look like a border are not one."""
    assert multipart.field(UPLOAD, TYPE, "provider") == "east"
    assert multipart.field(UPLOAD, TYPE, "purpose") == "batch"
    assert multipart.field(UPLOAD, TYPE, "nothing") is None
    assert multipart.field(UPLOAD, "text/plain", "provider") is None


def test_a_field_left_out() -> None:
    """The other parts stay byte for byte; if nothing is left out the body is the same."""
    kept = multipart.without(UPLOAD, TYPE, ("provider",))

    assert b"provider" not in kept
    assert UPLOAD.endswith(kept)
    assert multipart.without(UPLOAD, TYPE, ("nothing",)) is UPLOAD


@given(st.binary(max_size=200), st.sampled_from([TYPE, "multipart/form-data", "x/y"]))
def test_no_upload_breaks_it(body: bytes, content_type: str) -> None:
    """Whatever the bytes, a field is found or not."""
    multipart.field(body, content_type, "provider")
    multipart.without(body, content_type, ("provider",))


@pytest.mark.parametrize(
    ("path", "method", "verb", "name"),
    [
        ("/files", "POST", "create", ""),
        ("/files?purpose=batch", "GET", "list", ""),
        ("/files/a%2Fb", "GET", "get", "a/b"),
        ("/files/f", "DELETE", "delete", "f"),
        ("/files/f/content", "GET", "content", "f"),
        ("/batches/b/cancel", "POST", "cancel", "b"),
        ("/batches/b/results", "GET", "results", "b"),
    ],
)
def test_what_a_path_asks(path: str, method: str, verb: str, name: str) -> None:
    """The verb and the id, in its own form."""
    found = asked(path, method)

    assert (found.verb, found.id, found.provider) == (verb, name, None)


@pytest.mark.parametrize(
    ("path", "method"),
    [("/files", "PUT"), ("/batches/b", "DELETE"), ("/other", "GET"), ("/files/%2e%2e", "GET")],
)
def test_what_no_path_asks(path: str, method: str) -> None:
    """NotFound, also for what a producer of the log makes up."""
    with pytest.raises(NotFound):
        asked(path, method)


@pytest.mark.parametrize(
    ("path", "body", "content_type"),
    [
        ("/files?provider=east", b"", ""),
        ("/files", UPLOAD, TYPE),
        ("/batches", b'{"metadata": {"provider": "east"}}', "application/json"),
        ("/batches", b'{"provider": "east"}', "application/json"),
    ],
)
def test_where_a_provider_is_named(path: str, body: bytes, content_type: str) -> None:
    """In the query, a field of the upload, the metadata or the body."""
    assert asked(path, "POST", body, content_type).provider == "east"


def test_an_upload_goes_on_without_what_is_ours() -> None:
    """To its provider's address with its key; the field `provider` stays here."""
    sent = shelf(OPENAI, "files").request(asked("/files", "POST", UPLOAD, TYPE), resolve)

    assert (sent.method, sent.url) == ("POST", "https://east/v1/openai_files")
    assert sent.headers["Authorization"] == "Bearer k"
    assert sent.headers["Content-Type"] == TYPE
    assert sent.body == multipart.without(UPLOAD, TYPE, ("provider",))


def test_requests_in_a_body_become_a_file() -> None:
    """OpenAI's batches are made of files: the requests are uploaded, their models named as the provider
    knows them, and the batch made of that file."""
    made = shelf(OPENAI)
    new = new_batch(
        {"custom_id": "a", "body": {"model": "gpt", "messages": []}},
        {"body": {"model": "east/x", "messages": []}, "url": "/v1/chat/completions"},
        metadata={"provider": "east"},
    )

    first = made.first(new, resolve)
    assert first is not None
    content = multipart.field(first.body, first.headers["Content-Type"], "file")
    assert content is not None
    rows = [json.loads(line) for line in content.splitlines()]
    sent = made.request(new, resolve, b'{"id": "file-1"}')

    assert [(row["custom_id"], row["body"]["model"]) for row in rows] == [
        ("a", "gpt"),
        ("req-1", "x"),
    ]
    assert multipart.field(first.body, first.headers["Content-Type"], "purpose") == "batch"
    assert json.loads(sent.body) == {
        "input_file_id": "file-1",
        "endpoint": "/v1/chat/completions",
        "completion_window": "24h",
        "metadata": {"provider": "east"},
    }


def test_a_batch_of_a_file_goes_on() -> None:
    """Nothing is uploaded; only what is missing is added."""
    new = asked("/batches", "POST", b'{"input_file_id":"f","endpoint":"/v1/responses","x":[1]}')

    assert shelf(OPENAI).first(new, resolve) is None
    assert json.loads(shelf(OPENAI).request(new, resolve).body) == {
        "input_file_id": "f",
        "endpoint": "/v1/responses",
        "completion_window": "24h",
        "x": [1],
    }


def test_requests_for_anthropic_are_translated() -> None:
    """OpenAI's Responses become Messages; what is one already stays as it is."""
    sent = shelf(ANTHROPIC).request(
        new_batch(
            {"custom_id": "a", "url": "/v1/responses", "body": {"model": "claude", "input": "hi"}},
            {
                "custom_id": "b",
                "url": "/v1/messages",
                "body": {"model": "ant/c", "max_tokens": 1, "x": 2},
            },
        ),
        resolve,
    )

    first, second = json.loads(sent.body)["requests"]
    assert first["custom_id"] == "a"
    assert first["params"]["model"] == "claude"
    assert first["params"]["messages"][0]["role"] == "user"
    assert "stream" not in first["params"]
    assert second == {"custom_id": "b", "params": {"model": "c", "max_tokens": 1, "x": 2}}


@pytest.mark.parametrize(
    ("whose", "body"),
    [
        (ANTHROPIC, {"input_file_id": "f"}),
        (ANTHROPIC, {"requests": []}),
        (ANTHROPIC, {"requests": [{"body": {}}]}),
        (ANTHROPIC, {"requests": [{"body": {"model": "gpt"}, "url": "/v1/nothing"}]}),
        (ANTHROPIC, {"requests": [{"body": {"model": "east/x"}, "url": "/v1/messages"}]}),
        (
            ANTHROPIC,
            {"requests": [{"body": {"model": "claude", "stream": True}, "url": "/v1/messages"}]},
        ),
        (ANTHROPIC, {"requests": [{"body": {"model": "claude"}, "url": "/v1/embeddings"}]}),
        (OPENAI, {}),
        (OPENAI, {"requests": 3}),
    ],
)
def test_what_makes_no_batch(whose: Target, body: dict[str, Any]) -> None:
    """Files where there are none, several providers, streams, unknown routes: each is the caller's
    mistake, told before anybody is asked."""
    new = asked("/batches", "POST", json.dumps(body).encode())

    def make() -> None:
        shelf(whose).first(new, resolve)
        shelf(whose).request(new, resolve)

    with pytest.raises(InvalidRequest):
        make()


BATCH = {
    "id": "msgbatch_1",
    "type": "message_batch",
    "processing_status": "ended",
    "request_counts": {
        "processing": 0,
        "succeeded": 2,
        "errored": 1,
        "canceled": 0,
        "expired": 1,
    },
    "created_at": "2024-08-20T18:37:24.100435Z",
    "ended_at": "2024-08-20T19:37:24Z",
    "expires_at": "2024-08-21T18:37:24Z",
    "results_url": "https://elsewhere/steal",
}


@pytest.mark.parametrize(
    ("status", "counts", "expected"),
    [
        ("in_progress", {}, "in_progress"),
        ("canceling", {}, "cancelling"),
        ("ended", {}, "completed"),
        ("ended", {"succeeded": 0, "errored": 0, "canceled": 3}, "cancelled"),
    ],
)
def test_anthropics_batch_as_openais(status: str, counts: dict[str, int], expected: str) -> None:
    """Status, times in epoch seconds and counts in OpenAI's names."""
    body = BATCH | {"processing_status": status}
    body["request_counts"] = BATCH["request_counts"] | counts  # type: ignore[operator]

    item = shelf(ANTHROPIC).item(json.dumps(body).encode())
    told = json.loads(bytes(item.raw))

    assert (told["object"], told["status"], told["provider"]) == ("batch", expected, "ant")
    assert told["created_at"] == 1724179044
    assert item.id == "msgbatch_1"
    if expected == "completed":
        assert told["request_counts"] == {"total": 4, "completed": 2, "failed": 2}
        assert told["completed_at"] == 1724182644


def test_results_come_from_the_instances_own_address() -> None:
    """Wherever a provider's answer points, only its base URL gets the key."""
    found = shelf(ANTHROPIC).outputs(asked("/batches/b/results"), json.dumps(BATCH).encode())

    assert found is not None
    assert [request.url for request in found] == [
        "https://ant/v1/anthropic_batches/msgbatch_1/results"
    ]
    running = json.dumps(BATCH | {"processing_status": "in_progress"}).encode()
    assert shelf(ANTHROPIC).outputs(asked("/batches/b/results"), running) is None


def test_anthropics_file_as_openais() -> None:
    """Size, name and time in OpenAI's names, and a deletion's confirmation."""
    files = shelf(ANTHROPIC, "files")
    body = b'{"id":"file_1","type":"file","filename":"a.pdf","size_bytes":9,"created_at":"2025-01-01T00:00:00Z"}'
    gone = b'{"id":"file_1","type":"file_deleted"}'

    assert json.loads(bytes(files.item(body).raw)) == {
        "id": "file_1",
        "object": "file",
        "bytes": 9,
        "created_at": 1735689600,
        "filename": "a.pdf",
        "purpose": "user_data",
        "status": "processed",
        "provider": "ant",
    }
    assert json.loads(bytes(files.item(gone).raw))["deleted"] is True
    assert "anthropic-beta" in files.request(asked("/files/f"), resolve).headers


@given(st.binary(max_size=60) | st.dictionaries(st.text(max_size=5), st.integers()).map(
    lambda found: json.dumps(found).encode()
))  # fmt: skip
def test_no_answer_breaks_a_shelf(body: bytes) -> None:
    """What is not of the expected form is an UpstreamError, whoever sends it."""
    for made in (shelf(OPENAI), shelf(ANTHROPIC)):
        for read in (
            made.item,
            made.page,
            made.result,
            lambda found, made=made: made.outputs(asked("/batches/b/results"), found),
        ):
            try:
                read(body)
            except GatewayError as error:
                assert isinstance(error, UpstreamError)  # noqa: PT017


def test_who_keeps_them() -> None:
    """Those whose routes say so; something new needs one of them named if there are several."""
    chat_only = target("chat", "openai_chat")
    new = asked("/files", "POST")

    found = shelves.capable((OPENAI, chat_only, ANTHROPIC), new)
    assert [made.target.instance for made in found] == ["east", "ant"]
    assert shelves.chosen(found[1:], new, resolve) is found[1]
    with pytest.raises(InvalidRequest, match="pass \\?provider="):
        shelves.chosen(found, new, resolve)
    with pytest.raises(InvalidRequest):
        shelves.capable((chat_only,), new)
    assert lines.MAX_REQUESTS == 10_000


@pytest.mark.parametrize(("model", "instance"), [("gpt", "east"), ("ant/claude", "ant")])
def test_a_batch_goes_where_its_models_are(model: str, instance: str) -> None:
    """Requests in the body name a provider by their model; a file and an upload do not."""
    new = new_batch({"body": {"model": model}})
    found = shelves.capable((OPENAI, ANTHROPIC), new)

    assert shelves.chosen(found, new, resolve).target.instance == instance
    of_a_file = asked("/batches", "POST", b'{"input_file_id": "f"}')
    with pytest.raises(InvalidRequest, match="provider is required"):
        shelves.chosen(found, of_a_file, resolve)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"model": "nobodys"}, ModelNotFound),
        ({}, InvalidRequest),
        ({"model": "ant/x"}, InvalidRequest),
    ],
)
def test_a_batch_whose_models_lead_nowhere(body: dict[str, Any], error: type[GatewayError]) -> None:
    """A model that nobody has, none at all, and one of a provider without batches."""
    new = new_batch({"body": body})
    west = target("west", "openai_batches")
    found = shelves.capable((OPENAI, west), new)

    with pytest.raises(error):
        shelves.chosen(found, new, resolve)
