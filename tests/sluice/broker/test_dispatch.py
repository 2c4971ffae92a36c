"""Versions: what old and new clients are told."""

import struct

import pytest

from sluice.broker.apis import API_VERSIONS, APIS
from sluice.broker.wire import Reader
from tests.sluice.broker.conftest import Connect, StartBroker
from tests.sluice.broker.support import RawClient, frame


def versions(payload: bytes) -> dict[str, object]:
    return Reader(memoryview(payload), 4).struct(APIS[API_VERSIONS].response, 0)


@pytest.mark.parametrize("version", [0, 1, 2])
async def test_api_versions_of_old_clients(
    start_broker: StartBroker, connect: Connect, version: int
) -> None:
    """Versions 0 to 2 name every API once, produce from 0 on as Kafka 4 does."""
    client = await connect(await start_broker())
    reply = await client.call("api_versions", version)
    assert reply["error"] == 0
    named = {row["key"]: (row["low"], row["high"]) for row in reply["apis"]}
    assert named == {key: (api.advertised, api.high) for key, api in APIS.items()}
    assert named[0] == (0, 8)


async def test_api_versions_of_newer_clients(start_broker: StartBroker, connect: Connect) -> None:
    """Version 3 is answered in the compact encoding, with all APIs."""
    client = await connect(await start_broker())
    body = b"\x04raw\x041.0\x00"
    await client.send_bytes(frame(API_VERSIONS, 3, b"\x00" + body))
    payload = await client.payload()
    assert payload[4:7] == struct.pack(">hb", 0, len(APIS) + 1)
    rows = struct.iter_unpack(">hhhb", payload[7 : 7 + 7 * len(APIS)])
    assert {row[0] for row in rows} == set(APIS)


@pytest.mark.parametrize("version", [4, 5, 99, -1])
async def test_an_unknown_api_versions_version_gets_version_0_with_an_error(
    start_broker: StartBroker, connect: Connect, version: int
) -> None:
    """A client that is too new learns which versions of ApiVersions it may use, and goes on (KIP-511)."""
    client = await connect(await start_broker())
    await client.send_bytes(frame(API_VERSIONS, version, b"\x00\x00"))
    reply = versions(await client.payload())
    assert reply["error"] == 35
    assert reply["apis"] == [{"key": API_VERSIONS, "low": 0, "high": 3}]
    assert (await client.call("api_versions", 0))["error"] == 0


async def test_every_advertised_version_is_answered(
    start_broker: StartBroker, connect: Connect
) -> None:
    """An empty request of every API in every version that is offered gets an answer or an error code."""
    broker = await start_broker()
    for name in [api.name for api in APIS.values() if api.request]:
        key = next(k for k, api in APIS.items() if api.name == name)
        for version in range(APIS[key].low, APIS[key].high + 1):
            client: RawClient = await connect(broker)
            assert isinstance(await client.call(name, version), dict), (name, version)
