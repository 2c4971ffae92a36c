"""The recipe of docs/adding-a-vendor.md, followed in a copy of the source: what it says is all that it takes."""

import filecmp
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.brokers import embedded_broker
from tests.gateway import Background
from tests.services import ROOT
from tests.stack import Stack

pytestmark = pytest.mark.xdist_group("vendor-recipe")

PAGE = ROOT / "docs" / "adding-a-vendor.md"
ROWS = "providers/vendors/hosted.py"
QUIRKS = "providers/quirks/hosted.py"
SOURCE = (
    "schemas",
    "providers",
    "ingress",
    "streams",
    "sinks",
    "sluice",
    "tests",
    "docs",
    "deploy",
)
# The page that each format of `sluice settings` writes.
PAGES = {"env": ".env.example", "providers": "docs/providers.md"}
ADAPTED = ('usual("openai_chat", "', 'usual("openai_chat", quirks=(seed_as_text,)) | usual("')


def blocks() -> list[str]:
    """The code of the recipe: the row, and the quirk."""
    found = re.findall(r"^( *)```python\n(.*?)^\1```", PAGE.read_text(), re.M | re.DOTALL)
    return [textwrap.dedent(code) for _, code in found]


def run(folder: Path, *command: str, **env: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(folder), **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the source with the row in `ROWS`, its quirk beside the others, and the pages anew."""
    folder = tmp_path_factory.mktemp("acme")
    for name in SOURCE:
        ignored = shutil.ignore_patterns("__pycache__", "node_modules")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for name in ("pyproject.toml", "README.md", ".env.example"):
        shutil.copy(ROOT / name, folder)
    row, quirk = blocks()
    assert row.count(ADAPTED[0]) == 1
    rows = (folder / ROWS).read_text()
    head, rest = rows.split("\nROWS = (\n")
    listed, tail = rest.split("\n)\n", 1)
    adapted = textwrap.indent(row.strip().replace(*ADAPTED), "    ")
    made = f"{head}\nROWS = (\n{listed}\n{adapted},\n)\n{tail}"
    names = "from providers.quirks.hosted import (\n"
    assert names in made
    (folder / ROWS).write_text(made.replace(names, f"{names}    seed_as_text,\n"))
    with (folder / QUIRKS).open("a") as file:
        file.write(f"\n\n{quirk}")
    run(folder, "ruff", "check", "--no-cache", "-q", "--select", "I", "--fix", ROWS)
    for form, page in PAGES.items():
        (folder / page).write_text(run(folder, "sluice", "settings", "--format", form))
    return folder


def test_nothing_else_was_changed(followed: Path) -> None:
    """A row, a quirk where a field differs, and what is generated."""
    changed = set()
    for path in followed.rglob("*"):
        name = path.relative_to(followed).as_posix()
        if path.is_dir() or "__pycache__" in name:
            continue
        if not filecmp.cmp(path, ROOT / name, shallow=False):
            changed.add(name)

    assert changed == {ROWS, QUIRKS, *PAGES.values()}


@pytest.mark.parametrize("page", PAGES.values())
def test_the_pages_name_it(followed: Path, page: str) -> None:
    """Its variables are documented, and its quirk with the link that stands in it."""
    text = (followed / page).read_text()

    assert "ACME_API_KEY" in text
    assert "ACME_API_KEY" not in (ROOT / page).read_text()
    if page == "docs/providers.md":
        chapter = text.partition("\n## acme\n")[2].partition("\n## ")[0]
        assert "Acme: <https://docs.acme.example>" in chapter
        assert "`/chat/completions`" in chapter
        assert "https://docs.acme.example/chat" in chapter


def test_the_rules_hold(followed: Path) -> None:
    """The tests of rows pass with it, and the linter has nothing to say."""
    run(
        followed,
        *("pytest", "-q", "-p", "no:cacheprovider"),
        "tests/providers/test_vendors.py",
    )
    for command in (("check",), ("format", "--diff")):
        run(followed, "ruff", *command, "--no-cache", "providers")


@pytest.fixture(scope="module")
def stack(followed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The copy as it runs, with two instances whose address is the simulated provider's."""
    folder = tmp_path_factory.mktemp("stack")
    background, block = Background(), AsyncExitStack()

    async def start() -> Stack:
        broker = await block.enter_async_context(embedded_broker(folder))
        found = Stack(folder, broker.bootstrap, "llm.", PYTHONPATH=str(followed))
        for name in ("ACME", "ACME_EAST"):
            found.env[f"{name}_BASE_URL"] = found.env["SLUICE_SIM_URL"]
            found.env[f"{name}_API_KEY"] = f"sk-{name}"
        block.callback(found.erase)
        await found.start_all()
        return found

    try:
        yield background.run(start())
    finally:
        background.run(block.aclose())
        background.close()


@pytest.mark.parametrize(
    ("instance", "seed", "sent"), [("acme", 7, "7"), ("acme-east", "seven", "seven")]
)
def test_it_answers(stack: Stack, instance: str, seed: Any, sent: Any) -> None:
    """Its variables make instances, whose models are listed and answer; what differs is adapted."""
    mark = f"Hello {instance}."
    body = {
        "model": f"{instance}/sim-echo",
        "messages": [{"role": "user", "content": mark}],
        "seed": seed,
    }
    with httpx.Client(base_url=stack.url, timeout=30) as client:
        answer = client.post("/v1/chat/completions", json=body)
        listed = {model["id"] for model in client.get("/v1/models").json()["data"]}
    found = httpx.get(
        f"http://127.0.0.1:{stack.sim_port}/calls/received", params={"containing": mark}
    )

    assert answer.status_code == 200, answer.text
    assert answer.json()["choices"][0]["message"]["content"] == mark
    assert answer.headers["sluice-provider"] == instance
    (request,) = found.json()
    key = instance.upper().replace("-", "_")
    assert request["headers"]["authorization"] == f"Bearer sk-{key}"
    assert json.loads(request["body"]) == body | {"model": "sim-echo", "seed": sent}
    assert f"{instance}/sim-echo" in listed


def test_it_streams_and_embeds(stack: Stack) -> None:
    """The other things that the row names: a stream, embeddings, and what is translated to its chat."""
    hello = {"messages": [{"role": "user", "content": "Hello"}]}
    with httpx.Client(base_url=stack.url, timeout=30) as client:
        stream = client.post(
            "/v1/chat/completions", json={"model": "acme/sim-echo", "stream": True, **hello}
        )
        vectors = client.post("/v1/embeddings", json={"model": "acme/e", "input": "Hello"})
        message = client.post(
            "/v1/messages", json={"model": "acme/sim-echo", "max_tokens": 9, **hello}
        )

    assert stream.text.endswith("data: [DONE]\n\n")
    assert len(vectors.json()["data"]) == 1
    assert [block["text"] for block in message.json()["content"]] == ["Hello"]
