"""Files and batches: S35 to S48."""

import json
from typing import Any

import httpx
import pytest

from tests.gomodel.world import World, error_of

NOTHING_KEPT = "file-of-nobody"


def line(number: int, model: str, content: str) -> dict[str, Any]:
    """One request of a batch."""
    messages = [{"role": "user", "content": content}]
    return {
        "custom_id": f"request-{number}",
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {"model": model, "messages": messages, "max_tokens": 64},
    }


def jsonl(*lines: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(each).encode() + b"\n" for each in lines)


def upload(
    world: World, content: bytes, purpose: str = "batch", query: str = "?provider=openai"
) -> httpx.Response:
    return world.client.post(
        f"/v1/files{query}",
        data={"purpose": purpose},
        files={"file": ("requests.jsonl", content, "application/jsonl")},
    )


def batch(world: World, **body: Any) -> httpx.Response:
    return world.post(
        "/v1/batches",
        {"endpoint": "/v1/chat/completions", "completion_window": "24h", **body},
    )


@pytest.fixture
def file_id(world: World) -> str:
    return str(upload(world, jsonl(line(1, "gpt-4o-mini", "Batch me"))).json()["id"])


def test_gm_s35_upload_of_a_batch_file(world: World) -> None:
    """A file is kept by the provider that was named, and says so; unnamed, somebody must be."""
    content = jsonl(line(1, "gpt-4o-mini", "One"))
    answer = upload(world, content)
    found = answer.json()

    assert answer.status_code == 200
    assert (found["object"], found["purpose"]) == ("file", "batch")
    assert (found["bytes"], found["filename"]) == (len(content), "requests.jsonl")
    assert found["provider"] == "openai"
    refused = upload(world, content, query="")
    assert refused.status_code == 400
    assert error_of(refused)["message"].startswith(
        "provider is required when multiple providers are configured; pass ?provider="
    )


def test_gm_s36_list_of_files(world: World, file_id: str) -> None:
    """A provider's files are listed, and those of all of them together."""
    for query in ("?provider=openai&limit=100", "?limit=100"):
        listed = world.get(f"/v1/files{query}").json()

        assert listed["object"] == "list"
        assert file_id in {file["id"] for file in listed["data"]}


def test_gm_s37_metadata_of_a_file(world: World, file_id: str) -> None:
    """What is known of a file; of one that nobody has, 404."""
    found = world.get(f"/v1/files/{file_id}?provider=openai").json()

    assert (found["id"], found["status"]) == (file_id, "processed")
    refused = world.get(f"/v1/files/{NOTHING_KEPT}")
    assert refused.status_code == 404
    assert error_of(refused)["type"] == "not_found_error"


def test_gm_s38_content_of_a_file(world: World) -> None:
    """A file's content is what was uploaded, byte for byte."""
    content = jsonl(line(1, "gpt-4o-mini", "Contents")) + b"\xff\x00"
    name = upload(world, content).json()["id"]

    assert world.get(f"/v1/files/{name}/content?provider=openai").content == content


def test_gm_s39_gm_s40_an_assistants_file_is_deleted(world: World) -> None:
    """A file for another purpose, and its deletion."""
    name = upload(world, b"Hello", purpose="assistants").json()["id"]

    deleted = world.client.delete(f"/v1/files/{name}?provider=openai").json()

    assert deleted["id"] == name
    assert (deleted["object"], deleted["deleted"]) == ("file", True)
    assert world.get(f"/v1/files/{name}?provider=openai").status_code == 404


def test_gm_s41_a_batch_of_a_file_without_provider(world: World, file_id: str) -> None:
    """Ids of files say not whose they are: the provider must be named."""
    refused = batch(world, input_file_id=file_id)

    assert refused.status_code == 400
    assert error_of(refused)["param"] == "provider"


def test_gm_s42_gm_s43_gm_s44_a_batch_of_a_file(world: World, file_id: str) -> None:
    """With `metadata.provider` it is made, listed and found; then its results can be had."""
    made = batch(world, input_file_id=file_id, metadata={"provider": "openai"})
    name = made.json()["id"]

    assert made.status_code == 200
    assert made.json()["object"] == "batch"
    assert (made.json()["provider"], made.json()["input_file_id"]) == ("openai", file_id)
    assert made.json()["request_counts"]["total"] == 1
    listed = world.get("/v1/batches?provider=openai&limit=100").json()
    assert name in {each["id"] for each in listed["data"]}
    found = world.get(f"/v1/batches/{name}?provider=openai").json()
    assert found["status"] == "completed"
    results = world.get(f"/v1/batches/{name}/results?provider=openai").json()
    assert (results["object"], results["batch_id"]) == ("list", name)
    (row,) = results["data"]
    assert (row["index"], row["custom_id"], row["status_code"]) == (0, "request-1", 200)
    assert row["response"]["choices"][0]["message"]["content"] == "Batch me"
    assert row["error"] is None


def test_gm_s45_gm_s46_results_before_they_are_ready(world: World) -> None:
    """Results of a batch under way are 409; cancelled, it says so."""
    name = batch(
        world, requests=[line(1, "openai/gpt-4o-mini", "[sim-hang]")], provider="openai"
    ).json()["id"]

    refused = world.get(f"/v1/batches/{name}/results?provider=openai")
    assert refused.status_code == 409
    assert error_of(refused)["code"] == "conflict"
    cancelled = world.post(f"/v1/batches/{name}/cancel?provider=openai", {}).json()
    assert (cancelled["id"], cancelled["status"]) == (name, "cancelled")


@pytest.mark.parametrize("model", ["anthropic/claude-sonnet-4-6", "careful"])
def test_gm_s47_an_inline_anthropic_batch(world: World, model: str) -> None:
    """Requests in the body go to the provider of their models, translated, and so come their results."""
    made = batch(world, requests=[line(number, model, f"Say {number}") for number in (1, 2)])
    found = made.json()

    assert made.status_code == 200, made.text
    assert (found["provider"], found["object"]) == ("anthropic", "batch")
    assert found["request_counts"]["total"] == 2
    assert (
        world.get(f"/v1/batches/{found['id']}?provider=anthropic").json()["status"] == "completed"
    )
    results = world.get(f"/v1/batches/{found['id']}/results?provider=anthropic").json()
    assert [row["custom_id"] for row in results["data"]] == ["request-1", "request-2"]
    assert [row["response"]["choices"][0]["message"]["content"] for row in results["data"]] == [
        "Say 1",
        "Say 2",
    ]


def test_gm_s48_a_mixed_batch(world: World) -> None:
    """All requests of a batch go to one provider; nothing is made of others."""
    mixed = [line(1, "openai/gpt-4o-mini", "One"), line(2, "anthropic/claude-sonnet-4-6", "Two")]
    for provider in ({}, {"provider": "openai"}, {"metadata": {"provider": "anthropic"}}):
        refused = batch(world, requests=mixed, **provider)

        assert refused.status_code == 400
        assert error_of(refused)["param"].startswith("requests[")
