"""Whose matter files and batches are: the gateway's own, or a provider's."""

import json
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from providers.base import Endpoint, Route, Target
from providers.config import TransportConfig
from providers.resources.asked import Asked, parse
from providers.transport import Transport
from schemas.batch_folder import BatchFolder
from schemas.bodies import envelope
from schemas.clock import SystemClock
from schemas.errors import GatewayError, InvalidRequest, NotFound
from schemas.files import DAY, Files
from schemas.ids import new_id
from schemas.replies import Completed, Failed, Started
from schemas.requests import Relay, Request
from streams.batches.config import Runner
from streams.stages import Call, Replies
from streams.stages.own import Own
from streams.stages.resources import Resources

FORM = "multipart/form-data; boundary=b"
LINE = b'{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{"model":"m"}}\n'


class Setting:
    """The gateway's own, with as many providers that run batches as are given."""

    def __init__(self, folder: Path, runner: Runner = "auto", others: int = 0) -> None:
        clock = SystemClock()
        self.files = Files(folder / "files", DAY)
        self.batches = BatchFolder(folder / "batches", DAY)
        self.own = Own(self.files, self.batches, runner, clock)
        self.others = others
        self.woken = 0
        self.own.wake = self.wake
        self._handler = Resources(_nobody, self, Transport(TransportConfig()), clock, self.own)

    def wake(self) -> None:
        self.woken += 1

    def instance(self, name: str) -> Target:
        raise InvalidRequest(f"No provider is configured under the name {name}.")

    def keeping(self, *routes: str) -> Sequence[Target]:
        found = {name: Route("http://127.0.0.1:9/v1") for name in routes}
        endpoint = Endpoint(
            instance="other", routes=found, base_url="http://127.0.0.1:9", models_url="", headers={}
        )
        return [Target(endpoint, "")] * self.others

    def resolve(self, model: str, user_path: str) -> Target:
        raise NotFound

    def request(
        self, path: str, method: str = "GET", body: bytes = b"", provider: str = "", **more: Any
    ) -> Request:
        return Request(
            request_id=new_id(1_796_000_000_000),
            body=body,
            operation="batches" if path.startswith("/batches") else "files",
            relay=Relay(provider, method, path),
            user_path="/",
            **more,
        )

    def asked(self, path: str, method: str = "GET", **more: Any) -> Asked:
        return parse(self.request(path, method, **more))

    async def told(self, path: str, method: str = "GET", **more: Any) -> Any:
        request = self.request(path, method, **more)
        async with aclosing(self._handler(Call(request, envelope(request)))) as replies:
            found = [reply async for reply in replies]
        if isinstance(found[0], Failed):
            raise found[0].error
        assert isinstance(found[0], Started)
        assert isinstance(found[1], Completed)
        assert found[0].provider == "sluice"
        return json.loads(found[1].data)

    async def uploaded(self, content: bytes = LINE, **more: Any) -> Any:
        return await self.told("/files", "POST", body=form(content), content_type=FORM, **more)


async def _nobody(call: Call) -> Replies:
    raise AssertionError("no provider is asked")
    yield


def form(content: bytes, purpose: bytes = b"batch", extra: bytes = b"") -> bytes:
    return (
        b'--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\n' + purpose + b"\r\n" + extra
        + b'--b\r\nContent-Disposition: form-data; name="file"; filename="in.jsonl"\r\n\r\n'
        + content
        + b"\r\n--b--\r\n"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("runner", "others", "provider", "own"),
    [
        ("auto", 0, "", True),
        ("auto", 1, "", False),
        ("auto", 1, "sluice", True),
        ("auto", 0, "openai", False),
        ("sluice", 2, "", True),
        ("sluice", 2, "openai", False),
        ("provider", 0, "", False),
        ("provider", 0, "sluice", True),
    ],
)
def test_whose_something_new_is(
    tmp_path: Path, runner: Runner, others: int, provider: str, own: bool
) -> None:
    """Who is named has it; else the setting says it: by default providers that can, then the gateway."""
    setting = Setting(tmp_path, runner, others)
    for path in ("/files", "/batches"):
        asked = setting.asked(path, "POST", body=b"{}", provider=provider)

        assert setting.own.takes(asked, lambda: bool(others)) == own


async def test_a_batch_follows_its_file(tmp_path: Path) -> None:
    """A file that the gateway keeps is of no use elsewhere; ids say whose something is."""
    setting = Setting(tmp_path, "provider", 2)
    file = await setting.uploaded(provider="sluice")
    body = json.dumps({"input_file_id": file["id"], "endpoint": "/v1/chat/completions"}).encode()
    batch = await setting.told("/batches", "POST", body=body)

    assert batch["status"] == "validating"
    assert setting.woken == 1
    assert (await setting.told(f"/batches/{batch['id']}"))["id"] == batch["id"]
    assert (await setting.told(f"/files/{file['id']}"))["bytes"] == len(LINE)
    theirs = setting.asked("/batches/batch_abc")
    assert not setting.own.takes(theirs, lambda: True)


async def test_a_request_that_is_handled_twice_makes_one_batch(tmp_path: Path) -> None:
    """A worker that died before its outcome was recorded leaves no second one."""
    setting = Setting(tmp_path)
    file = await setting.uploaded()
    body = json.dumps({"input_file_id": file["id"], "endpoint": "/v1/chat/completions"}).encode()
    asked = setting.asked("/batches", "POST", body=body)
    first, second = [json.loads(await setting.own.answer(asked)) for _ in range(2)]

    assert first == second
    assert setting.batches.open() == [first["id"]]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (form(LINE, b"anything"), "purpose"),
        (b"--b\r\n\r\n--b--\r\n", "file"),
        (b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\nx\r\n--b--\r\n', "file"),
        (
            form(
                LINE,
                extra=b"--b\r\nContent-Disposition: form-data;"
                b' name="expires_after[seconds]"\r\n\r\n5\r\n',
            ),
            "expires_after",
        ),
    ],
    ids=["purpose", "no file", "a file without a name", "expiry"],
)
async def test_what_is_no_upload(tmp_path: Path, body: bytes, param: str) -> None:
    """It is refused, the field is named, and nothing is kept."""
    setting = Setting(tmp_path)
    with pytest.raises(GatewayError) as refused:
        await setting.told("/files", "POST", body=body, content_type=FORM)

    assert (refused.value.status, refused.value.param) == (400, param)
    assert (await setting.told("/files"))["data"] == []


async def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    """It is said that it is, and that one may try again."""
    (tmp_path / "files").write_text("a file where the folder should be")
    setting = Setting(tmp_path)
    with pytest.raises(GatewayError) as refused:
        await setting.uploaded()

    assert (refused.value.status, refused.value.code) == (503, "overloaded")
    assert refused.value.retry_after


async def test_own_files_are_listed_by_pages(tmp_path: Path) -> None:
    """With a cursor, as those of providers."""
    setting = Setting(tmp_path, "sluice")
    mine = [(await setting.uploaded())["id"] for _ in range(2)]

    page = await setting.told("/files?limit=1")
    assert page["has_more"]
    rest = await setting.told(f"/files?limit=1&after={page['last_id']}")
    assert (rest["has_more"], {rest["first_id"], page["first_id"]}) == (False, set(mine))
