"""What operators are shown of the settings."""

from pathlib import Path

import msgspec

from sluice.configured import configuration
from sluice.settings import load
from sluice.settings.table import SETTINGS


def test_values_places_and_no_secret(tmp_path: Path) -> None:
    """Each setting with its value and where it stands; nothing that is secret is anywhere in it, neither
    of a setting, of a provider's key or address, nor of a URL that is no secret by itself."""
    (tmp_path / ".env").write_text("PORT=8099\n")
    (tmp_path / "config.yaml").write_text("log_level: debug\n")
    settings = load(
        {
            "GOMODEL_MASTER_KEY": "canary-master",
            "REDIS_URL": "redis://:canary-redis@cache:6379",
            "HTTPS_PROXY": "http://ann:canary-proxy@proxy:3128",
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://ann:canary-otlp@collector:4318",
            "OPENAI_API_KEY": "sk-canary-one",
            "OPENAI_API_KEY_2": "sk-canary-two",
            "VLLM_BASE_URL": "http://ann:canary-url@llm:8000/v1",
            "GOMODEL_NO_SUCH": "canary-unknown",
        },
        tmp_path,
    )

    found = configuration(settings)

    shown = {row.name: (row.value, row.origin) for row in found.settings}
    assert shown["PORT"] == ("8099", ".env line 1")
    assert shown["LOG_LEVEL"] == ("debug", "config.yaml key log_level")
    assert shown["GOMODEL_MASTER_KEY"] == ("(secret)", "environment")
    assert shown["HOST"][1] == "default"
    assert [(each.name, each.keys) for each in found.providers] == [("openai", 2), ("vllm", 1)]
    assert found.providers[1].base_url == "http://llm:8000/v1"
    assert any("GOMODEL_NO_SUCH" in note for note in found.notes)
    assert b"canary" not in msgspec.json.encode(found)


def test_all_that_can_be_set_is_there(tmp_path: Path) -> None:
    """But what only tests set, and what means nothing here and is not set."""
    found = {row.name for row in configuration(load({}, tmp_path)).settings}

    left_out = {row.name for row in SETTINGS} - found
    assert {"SLUICE_SUPERVISOR", "SWAGGER_ENABLED"} <= left_out
    assert not {name for name in left_out if name.startswith(("INGRESS_", "KAFKA_", "STREAMS_"))}
