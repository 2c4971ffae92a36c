"""What the process was started with, over HTTP."""

from schemas.configured import Configuration, ProviderShown, SettingShown
from tests.ingress.conftest import Start

PATH = "/admin/api/v1/settings"
SHOWN = Configuration(
    "1.0",
    (SettingShown("PORT", "HTTP", "8080", "default", "The port."),),
    (ProviderShown("sim", "sim", "http://sim/v1", 1, 0, ("openai_chat",)),),
    (),
)


async def test_settings_are_an_admins(start: Start) -> None:
    """With the master key they are told; without a key nothing is."""
    ingress = await start()
    ingress.gateway.configured = lambda: SHOWN

    found = await ingress.client.get(PATH)
    refused = await ingress.client.get(PATH, headers={"authorization": ""})

    assert found.json()["settings"][0] == {
        "name": "PORT",
        "group": "HTTP",
        "value": "8080",
        "origin": "default",
        "summary": "The port.",
    }
    assert found.json()["providers"][0]["name"] == "sim"
    assert refused.status_code == 401


async def test_an_ingress_that_was_told_nothing_says_so(start: Start) -> None:
    """404, no empty page."""
    ingress = await start()

    assert (await ingress.client.get(PATH)).status_code == 404
