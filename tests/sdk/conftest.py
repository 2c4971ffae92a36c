"""One gateway for all SDKs, and each of the four upstream dialects behind it."""

from collections.abc import Iterator

import pytest

from tests.sdk.world import MODELS, World, running


@pytest.fixture(scope="session")
def sdk_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(tmp_path_factory.mktemp("sdk")) as found:
        yield found


@pytest.fixture
def world(sdk_gateway: World) -> Iterator[World]:
    """Nothing is left open by a test."""
    yield sdk_gateway
    assert sdk_gateway.calls()["open"] == 0


@pytest.fixture(params=MODELS)
def upstream(request: pytest.FixtureRequest) -> str:
    """The dialect that the provider speaks."""
    found: str = request.param
    return found


@pytest.fixture
def mark(world: World) -> str:
    return world.mark()
