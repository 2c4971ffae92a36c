"""Where webhooks may lead."""

import pytest

from schemas.errors import UpstreamError
from schemas.guardrails import Webhook
from schemas.requests import Request
from streams.guardrails.remote import Question, Remote, is_public

PRIVATE = [
    "127.0.0.1",
    "10.1.2.3",
    "169.254.169.254",
    "::1",
    "fd00::1",
    "::ffff:10.0.0.1",
    "0.0.0.0",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses(address: str) -> None:
    """This machine and its network, in whatever spelling, are not the internet."""
    assert not is_public(address)
    assert is_public("93.184.216.34")


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://[::1]:1/", "http://localhost:1/"])
async def test_no_webhook_leads_there(url: str) -> None:
    """A literal address and a name that means one are refused before anything is sent."""
    remote = Remote(lambda name: None, None)  # type: ignore[arg-type, return-value]  # no moderation here
    question = Question("hook", "input", Request(request_id="r", body=b""), "m", (("user", "x"),))
    with pytest.raises(UpstreamError, match=r"private|PrivateAddress|ClientConnector"):
        await remote.decided(Webhook(url=url), question)
    await remote.close()
