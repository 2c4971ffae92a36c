"""Node, the SDKs, and one gateway that all of them ask."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from deploy.services.install import node_packages, program
from deploy.services.terminal import ServiceError
from tests import services
from tests.gomodel import world
from tests.gomodel.world import KEY, World, running

HERE = Path(__file__).parent
SECONDS = 60.0
Ask = Callable[[str, str, str], Any]  # SDK, scenario, model


# OpenAI's models that speak nothing but Responses: an instance of its own, whose key and address stand in
# the environment as those of the others do.
ONLY_RESPONSES = """
providers:
  openai: {type: openai}
  openai-new: {type: openai, dialect: responses}
"""


@pytest.fixture(scope="session")
def node_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(world, "ALIASES", world.ALIASES + ONLY_RESPONSES)
        patched.setitem(world.MODELS, "OPENAI_NEW", "gpt-5.1")
        with running(tmp_path_factory.mktemp("node"), "llm.", None, None) as found:
            yield found


@pytest.fixture(scope="session")
def node_scripts(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """Node, and a folder where the scripts find their packages; skips or fails where there is no Node."""
    try:
        node, packages = program("node", "nodejs", "npm"), node_packages(HERE)
    except ServiceError as error:
        services.missing(str(error))
    folder = tmp_path_factory.mktemp("scripts")
    for script in HERE.glob("*.mjs"):
        shutil.copy(script, folder)
    (folder / "node_modules").symlink_to(packages)
    return node, folder


@pytest.fixture(scope="session")
def ask(node_world: World, node_scripts: tuple[str, Path]) -> Ask:
    """What an SDK makes of a scenario. Node starts slowly: it runs all of them at once for each model."""
    node, folder = node_scripts

    @cache
    def told(sdk: str, model: str) -> dict[str, dict[str, Any]]:
        done = subprocess.run(
            [node, f"{sdk}.mjs", node_world.stack.url, KEY, model],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
        assert done.returncode == 0, done.stderr[-4000:]
        assert not done.stderr, done.stderr[-4000:]
        found: dict[str, dict[str, Any]] = json.loads(done.stdout)
        return found

    def run(sdk: str, scenario: str, model: str) -> Any:
        found = told(sdk, model)[scenario]
        assert "error" not in found, found["error"]
        return found["found"]

    return run
