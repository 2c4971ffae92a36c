"""`sluice doctor`: finds what is wrong, and says what to mend."""

import json
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from schemas.spool import Spool
from sluice.doctor import Finding, examine
from sluice.doctor.spool import check_spool
from sluice.doctor.surroundings import check_settings
from sluice.settings import load
from tests import services

ROOT = Path(__file__).resolve().parents[2]


async def findings(folder: Path, **environ: str) -> dict[str, Finding]:
    """By subject; the worst of each."""
    environ = {
        "PORT": str(services.free_port()),
        "SLUICE_DATA_DIR": str(folder / "data"),
        **environ,
    }
    order = {"ok": 0, "note": 1, "wrong": 2}
    found = await examine(load(environ, folder))
    return {f.subject: f for f in sorted(found, key=lambda f: order[f.state])}


async def test_nothing_configured_is_well(tmp_path: Path) -> None:
    """An empty configuration has nothing wrong, and the doctor makes nothing."""
    found = await findings(tmp_path)
    assert {f.subject for f in found.values() if f.state == "wrong"} == set()
    assert "GOMODEL_MASTER_KEY" in found["settings"].mend
    assert list(tmp_path.iterdir()) == []


async def test_everything_configured_is_well(
    tmp_path: Path, kafka_sasl: dict[str, str], redis_url: str, mongodb_url: str, topic_prefix: str
) -> None:
    """Kafka with a password, MongoDB and Redis are reached."""
    found = await findings(
        tmp_path, REDIS_URL=redis_url, MONGODB_URL=mongodb_url,
        SLUICE_TOPIC_PREFIX=topic_prefix, GOMODEL_MASTER_KEY="k", **kafka_sasl,
    )  # fmt: skip
    states = {subject: f.state for subject, f in found.items()}
    assert states == {
        "settings": "ok", "data folder": "ok", "port": "ok", "Kafka": "ok", "topics": "note",
        "store": "ok", "Redis": "ok", "providers": "note",
    }  # fmt: skip


async def test_postgresql(tmp_path: Path, postgres_schema: str) -> None:
    """It answers, and the schema is named; a schema that is not there is told, and so is a server."""
    there = (await findings(tmp_path, POSTGRES_URL=postgres_schema))["store"]
    no_schema = postgres_schema.partition("=")[0] + "=nowhere"
    missing = (await findings(tmp_path, POSTGRES_URL=no_schema))["store"]
    away = f"postgresql://ann:hunter2@127.0.0.1:{services.free_port()}/x"
    nobody = (await findings(tmp_path, POSTGRES_URL=away))["store"]

    assert there.state == "ok"
    assert f"{postgres_schema.partition('=')[2]}.exchanges" in there.detail
    assert (missing.state, "search_path" in missing.mend) == ("wrong", True)
    assert (nobody.state, "POSTGRES_URL" in nobody.mend) == ("wrong", True)
    assert "hunter2" not in str(nobody)


async def test_the_folder_of_large_bodies(tmp_path: Path) -> None:
    """One that is not there is wrong; one on a disk of this machine is right for roles on this machine,
    and it is said who uses it."""
    folder = tmp_path / "spool"
    cluster = {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9", "SPOOL_DIR": str(folder)}

    missing = (await findings(tmp_path, SPOOL_DIR=str(folder)))["large bodies"]
    Spool(folder).sign("ingress")
    local = await check_spool(load(cluster, tmp_path))
    (folder / ".seen-streams@elsewhere").touch()
    shared = await check_spool(load(cluster, tmp_path))

    assert (missing.state, "SPOOL_DIR" in missing.mend) == ("wrong", True)
    assert [(each.state, "ingress@" in each.detail) for each in local] == [("note", True)]
    assert [(each.state, "streams@elsewhere" in each.detail) for each in shared] == [("ok", True)]
    assert sorted(each.name for each in folder.iterdir() if "@" not in each.name) == []
    assert await check_spool(load({}, tmp_path)) == []


async def test_a_wrong_password(tmp_path: Path, kafka_sasl: dict[str, str]) -> None:
    """Kafka's refusal is told with the settings to check, and without the password."""
    found = await findings(tmp_path, **{**kafka_sasl, "KAFKA_SASL_PASSWORD": "hunter2"})
    assert found["Kafka"].state == "wrong"
    assert "Authentication" in found["Kafka"].detail
    assert "KAFKA_SASL_PASSWORD" in found["Kafka"].mend
    assert "hunter2" not in str(found)


async def test_services_that_are_away(tmp_path: Path) -> None:
    """Each service that does not answer is named with its setting."""
    nowhere = services.free_port()
    found = await findings(
        tmp_path,
        KAFKA_BOOTSTRAP_SERVERS=f"127.0.0.1:{nowhere}",
        REDIS_URL=f"redis://127.0.0.1:{nowhere}/0",
        MONGODB_URL=f"mongodb://ann:hunter2@127.0.0.1:{nowhere}",
        OPENAI_EAST_API_KEY="hunter2",
        OPENAI_EAST_BASE_URL=f"http://127.0.0.1:{nowhere}",
    )
    for subject, setting in (
        ("Kafka", "KAFKA_BOOTSTRAP_SERVERS"),
        ("Redis", "REDIS_URL"),
        ("store", "MONGODB_URL"),
        ("provider openai-east", "OPENAI_EAST_BASE_URL"),
    ):
        assert found[subject].state == "wrong", subject
        assert setting in found[subject].mend
    assert "hunter2" not in str(found)


async def test_places_that_cannot_be_used(tmp_path: Path) -> None:
    """A data folder that is a file, a database that is none, a port that is taken."""
    (tmp_path / "file").write_text(
        "no database, whatever its name says, but long enough to be read"
    )
    with socket.create_server(("127.0.0.1", services.free_port())) as taken:
        found = await findings(
            tmp_path,
            PORT=str(taken.getsockname()[1]),
            SLUICE_DATA_DIR=str(tmp_path / "file" / "data"),
            SQLITE_PATH=str(tmp_path / "file"),
        )
    assert found["data folder"].state == "wrong"
    assert "no SQLite database" in found["store"].detail
    assert "PORT" in found["port"].mend


@pytest.fixture
async def provider() -> AsyncIterator[str]:
    """Takes the key `good`."""

    async def models(request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != "Bearer good":
            return web.json_response({"error": {}}, status=401)
        return web.json_response({"data": [{"id": "a"}, {"id": "b"}]})

    application = web.Application()
    application.router.add_get("/v1/models", models)
    runner = web.AppRunner(application)
    await runner.setup()
    port = services.free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield f"http://127.0.0.1:{port}/v1"
    await runner.cleanup()


async def test_keys_of_providers(tmp_path: Path, provider: str) -> None:
    """A key that is refused is told apart from an address that is wrong."""
    found = await findings(
        tmp_path,
        OPENAI_API_KEY="good", OPENAI_BASE_URL=provider,
        OPENAI_EAST_API_KEY="hunter2", OPENAI_EAST_BASE_URL=provider,
        GROQ_API_KEY="good", GROQ_BASE_URL=f"{provider}/elsewhere",
    )  # fmt: skip
    assert found["provider openai"] == Finding("provider openai", "ok", "2 models")
    assert "OPENAI_EAST_API_KEY" in found["provider openai-east"].mend
    assert "HTTP 404" in found["provider groq"].detail
    assert "GROQ_BASE_URL" in found["provider groq"].mend
    assert "hunter2" not in str(found)


async def test_each_key_of_a_provider(tmp_path: Path, provider: str) -> None:
    """Of several keys each is tried; a vendor without a list cannot be asked, which is no fault."""
    found = await findings(
        tmp_path, OPENAI_API_KEYS="good,bad", OPENAI_BASE_URL=provider, PERPLEXITY_API_KEY="k"
    )
    assert found["provider openai, key 1"].state == "ok"
    assert found["provider openai, key 2"].state == "wrong"
    assert found["provider perplexity"].state == "note"


async def test_what_has_no_effect(tmp_path: Path) -> None:
    """A setting of GoModel's that means nothing here is named."""
    settings = load({"USAGE_ENABLED": "false"}, tmp_path)
    found = await check_settings(settings)
    assert any(one.detail.startswith("USAGE_ENABLED") for one in found)


def test_the_command(tmp_path: Path) -> None:
    """Exit code 0 with nothing wrong and 1 with something; JSON on request."""

    def doctor(*arguments: str, **environ: str) -> "subprocess.CompletedProcess[str]":
        environ = {"PYTHONPATH": str(ROOT), "PORT": str(services.free_port()), **environ}
        return subprocess.run(
            [sys.executable, "-m", "sluice", "doctor", *arguments],
            cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    well = doctor("--json")
    assert well.returncode == 0, well.stderr
    assert {row["state"] for row in json.loads(well.stdout)} == {"ok", "note"}
    ill = doctor(KAFKA_BOOTSTRAP_SERVERS=f"127.0.0.1:{services.free_port()}", SLUICE_PROT="1")
    assert ill.returncode == 1
    assert "WRONG Kafka: 127.0.0.1:" in ill.stdout
    assert "SLUICE_PROT is no setting" in ill.stdout
    assert ill.stderr == ""


async def test_the_semantic_cache(tmp_path: Path, shared_dir: Path) -> None:
    """Its model is tried, and so is the store that it shares; a folder without a model is told."""
    said = {"SEMANTIC_CACHE_ENABLED": "1", "SEMANTIC_CACHE_EMBEDDER_PROVIDER": "local"}
    model = str(shared_dir / "semantic" / "model")
    away = f"http://127.0.0.1:{services.free_port()}"
    found = await findings(
        tmp_path,
        **{**said, "SEMANTIC_CACHE_EMBEDDER_MODEL": model, "SEMANTIC_CACHE_QDRANT_URL": away},
    )
    assert "384 numbers" in found["embedder"].detail
    assert found["vector store"].state == "wrong"
    assert "SEMANTIC_CACHE_QDRANT_URL" in found["vector store"].mend

    found = await findings(tmp_path, SEMANTIC_CACHE_EMBEDDER_MODEL=str(tmp_path), **said)
    assert found["embedder"].state == "wrong"
    assert found["vector store"].state == "ok"
