"""Settings: the table, the places where values stand, and what is said of wrong ones."""

import io
from pathlib import Path
from typing import Any

import pytest
from dotenv import dotenv_values

from sluice.settings import SettingsError, configs, gateway, kafka, load, near_misses, render, work
from sluice.settings.setting import Setting
from sluice.settings.table import SETTINGS

ROOT = Path(__file__).resolve().parents[2]


def problems(folder: Path, **environ: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(environ, folder)
    return caught.value.problems


@pytest.mark.parametrize("row", SETTINGS, ids=lambda row: row.name)
def test_every_default_reads_back_as_itself(row: Setting[Any]) -> None:
    """A default as it is documented means the default."""
    shown = row.kind.show(row.default)
    if shown:
        assert row.kind.parse(shown) == row.default
    else:
        assert row.default in (None, (), False)
    assert row.summary.endswith(".")


def test_every_name_is_there_once() -> None:
    """No variable, alias or not, belongs to two settings."""
    names = [name for row in SETTINGS for name in row.names]
    assert len(names) == len(set(names))


def test_defaults_are_those_of_the_structs(tmp_path: Path) -> None:
    """An empty environment gives the defaults that the folders document, but for the data folder."""
    from ingress.config import IngressConfig
    from providers.config import RegistryConfig, TransportConfig
    from sinks.config import SinkConfig
    from streams.config import StreamsConfig

    settings = load({}, tmp_path)
    assert configs.ingress_config(settings) == IngressConfig()
    assert configs.streams_config(settings) == StreamsConfig()
    assert configs.transport_config(settings) == TransportConfig()
    assert configs.registry_config(settings) == RegistryConfig()
    assert configs.sink_config(settings) == SinkConfig()


def test_environment_over_dotenv_over_config(tmp_path: Path) -> None:
    """The environment counts most, then .env, then config.yaml, then the default."""
    (tmp_path / "config.yaml").write_text("port: 1001\nhost: 0.0.0.0\nlog_level: debug\n")
    (tmp_path / ".env").write_text("PORT=1002\nHOST=::1\n")
    settings = load({"PORT": "1003"}, tmp_path)
    assert settings[gateway.PORT] == 1003
    assert settings[gateway.HOST] == "::1"
    assert settings[gateway.LOG_LEVEL] == "debug"
    assert settings[gateway.BODY_SIZE_LIMIT] == 10 << 20
    assert settings.origins["PORT"] == "environment"
    assert settings.origins["HOST"] == ".env line 2"
    assert settings.origins["LOG_LEVEL"] == "config.yaml key log_level"


def test_empty_counts_as_unset(tmp_path: Path) -> None:
    """An empty variable hides nothing below it."""
    (tmp_path / ".env").write_text("PORT=1002\n")
    assert load({"PORT": "", "HOST": ""}, tmp_path)[gateway.PORT] == 1002


@pytest.mark.parametrize("name", ["GOMODEL_MASTER_KEY", "SLUICE_MASTER_KEY"])
def test_sluice_is_an_alias_of_gomodel(tmp_path: Path, name: str) -> None:
    """Either name sets the master key."""
    assert load({name: "k"}, tmp_path)[gateway.MASTER_KEY] == "k"


def test_aliases_that_differ_are_an_error(tmp_path: Path) -> None:
    """Two names of one setting with two values: nothing is guessed, and no value is printed."""
    (problem,) = problems(tmp_path, GOMODEL_MASTER_KEY="aaa", SLUICE_MASTER_KEY="bbb")
    assert "GOMODEL_MASTER_KEY (environment) and SLUICE_MASTER_KEY (environment)" in problem
    assert "aaa" not in problem
    assert "bbb" not in problem


def test_config_keys_nest_at_any_underscore(tmp_path: Path) -> None:
    """Flat and nested keys of config.yaml are the same; lists may be lists."""
    (tmp_path / "config.yaml").write_text(
        "kafka: {sasl: {username: ann}, ssl_check_hostname: false}\n"
        "kafka_bootstrap_servers: [a:1, b:2]\n"
        "trusted-proxies: [10.0.0.0/8]\n"
        "sqlite_path: null\n"
    )
    settings = load({}, tmp_path)
    assert settings[kafka.SASL_USERNAME] == "ann"
    assert settings[kafka.SSL_CHECK_HOSTNAME] is False
    assert settings[kafka.BOOTSTRAP_SERVERS] == "a:1,b:2"
    assert settings[gateway.TRUSTED_PROXIES] == ("10.0.0.0/8",)
    assert settings[work.SQLITE_PATH] is None


def test_config_in_its_folder_comes_first(tmp_path: Path) -> None:
    """config/config.yaml is read instead of config.yaml, as GoModel does."""
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.yaml").write_text("port: 1")
    (tmp_path / "config.yaml").write_text("port: 2")
    assert load({}, tmp_path)[gateway.PORT] == 1


def test_variables_in_values_are_expanded(tmp_path: Path) -> None:
    """`${NAME}` and `${NAME:-default}` take the environment's and .env's values, empty as unset."""
    (tmp_path / ".env").write_text("BASE=/srv\nSLUICE_DATA_DIR=${BASE}/data\n")
    (tmp_path / "config.yaml").write_text(
        "port: ${MY_PORT:-1234}\nmongodb: {url: 'mongodb://${DB_HOST}/x'}\nlog_level: ${NOTHING}\n"
    )
    settings = load({"DB_HOST": "db", "MY_PORT": ""}, tmp_path)
    assert settings[gateway.DATA_DIR] == "/srv/data"
    assert settings[gateway.PORT] == 1234
    assert settings[work.MONGODB_URL] == "mongodb://db/x"
    assert settings[gateway.LOG_LEVEL] == "info"


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("SHUTDOWN_TIMEOUT", "45", 45.0),
        ("SHUTDOWN_TIMEOUT", "1m30s", 90.0),
        ("SINKS_BATCH_WAIT", "250ms", 0.25),
        ("HTTP_TIMEOUT", "1h", 3600.0),
        ("SLUICE_RETENTION_DEAD_LETTERS", "7d", 604800.0),
        ("BODY_SIZE_LIMIT", "2m", 2 << 20),
        ("BODY_SIZE_LIMIT", "512KB", 512 << 10),
        ("BODY_SIZE_LIMIT", "2048", 2048),
        ("LOGGING_ENABLED", "FALSE", False),
        ("LOGGING_ENABLED", "1", True),
        ("LOG_LEVEL", "Warning", "warn"),
        ("LOG_FORMAT", "console", "text"),
        ("KAFKA_SECURITY_PROTOCOL", "plaintext", "PLAINTEXT"),
        ("KAFKA_BOOTSTRAP_SERVERS", "[::1]:9092, b:9093,", "[::1]:9092,b:9093"),
        ("KAFKA_REPLY_TOPICS", "answers.*, other", ("answers.*", "other")),
        ("SLUICE_BROKER_FSYNC_MS", "-1", -1),
        ("SLUICE_FAULT_POINT", "streams.called:3", "streams.called:3"),
    ],
)
def test_values_mean(tmp_path: Path, name: str, text: str, value: object) -> None:
    """Each type reads what its description says."""
    row = next(row for row in SETTINGS if row.name == name)
    assert load({name: text}, tmp_path)[row] == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "80 80"),
        ("PORT", "١٢"),
        ("SHUTDOWN_TIMEOUT", "soon"),
        ("SHUTDOWN_TIMEOUT", "-1s"),
        ("SHUTDOWN_TIMEOUT", "30 s"),
        ("SHUTDOWN_TIMEOUT", "nan"),
        ("SHUTDOWN_TIMEOUT", "100ms"),
        ("BODY_SIZE_LIMIT", "100M"),
        ("BODY_SIZE_LIMIT", "10 M"),
        ("BODY_SIZE_LIMIT", "1.5M"),
        ("LOGGING_ENABLED", "yes"),
        ("LOGGING_ENABLED", "on"),
        ("LOG_LEVEL", "loud"),
        ("STORAGE_TYPE", "postgresql"),
        ("MONGODB_URL", "http://x"),
        ("REDIS_URL", "redis:/x"),
        ("KAFKA_BOOTSTRAP_SERVERS", "kafka"),
        ("KAFKA_BOOTSTRAP_SERVERS", "kafka:0"),
        ("KAFKA_SASL_MECHANISM", "GSSAPI"),
        ("KAFKA_SSL_CAFILE", "/nowhere/ca.pem"),
        ("KAFKA_REPLY_TOPICS", "a b"),
        ("TRUSTED_PROXIES", "10.0.0.1/8"),
        ("SLUICE_TOPIC_PREFIX", "a/b"),
        ("SLUICE_PARTITIONS", "0"),
        ("SLUICE_SLOT", "4096"),
        ("HOST", "a b"),
        ("SLUICE_FAULT_POINT", "nowhere"),
        ("SLUICE_FAULT_POINT", "streams.called:0"),
        ("STREAMS_SESSION_TIMEOUT", "3s"),
    ],
)
def test_a_wrong_value_is_named_with_its_place(tmp_path: Path, name: str, text: str) -> None:
    """One line: the variable, its value, where it stands, what is wrong, what is accepted."""
    found = [p for p in problems(tmp_path, **{name: text}) if p.startswith(name)]
    assert len(found) == 1
    assert f"{name} (environment)" in found[0] or f"{name}={text!r} (environment)" in found[0]
    assert "; accepted: " in found[0]


def test_all_wrong_settings_are_reported_at_once(tmp_path: Path) -> None:
    """Environment, .env, config.yaml and providers: one start tells everything."""
    (tmp_path / ".env").write_text("\n\nLOG_LEVEL=loud\nthis is no line\n")
    (tmp_path / "config.yaml").write_text("kafka: {sasl_mechanism: X}\nprot: 1\n")
    found = problems(tmp_path, PORT="x", OPENAI_API_KEY="k", OPENAI_BASE_URL="nowhere")
    text = "\n".join(found)
    assert "PORT='x' (environment)" in text
    assert "LOG_LEVEL='loud' (.env line 3)" in text
    assert ".env line 4 is not NAME=value" in text
    assert "KAFKA_SASL_MECHANISM='X' (config.yaml key kafka.sasl_mechanism)" in text
    assert "config.yaml key prot is no setting; did you mean port?" in text
    assert "OPENAI_BASE_URL" in text
    assert len(found) == 6


def test_secrets_are_never_printed(tmp_path: Path) -> None:
    """Neither a wrong secret nor a right one is shown."""
    (problem,) = problems(tmp_path, GOMODEL_MASTER_KEY="hunter two")
    assert "hunter" not in problem
    (problem,) = problems(tmp_path, MONGODB_URL="ftp://ann:hunter@db")
    assert "hunter" not in problem
    settings = load({"GOMODEL_MASTER_KEY": "hunter2", "REDIS_URL": "redis://:hunter@r"}, tmp_path)
    assert "hunter" not in render.values(settings) + render.as_json(settings)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"STORAGE_TYPE": "mongodb"}, "MONGODB_URL is not set"),
        (
            {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_BOOTSTRAP_SERVERS": "a:1"},
            "KAFKA_SASL_USERNAME is not set",
        ),
        ({"KAFKA_SECURITY_PROTOCOL": "SSL"}, "KAFKA_BOOTSTRAP_SERVERS is not set"),
        ({"SLUICE_SLOT": "16"}, "SLUICE_REPLY_PARTITIONS"),
        ({"STREAMS_HEARTBEAT_INTERVAL": "5s"}, "STREAMS_SESSION_TIMEOUT"),
    ],
)
def test_contradictions(tmp_path: Path, environ: dict[str, str], expected: str) -> None:
    """Settings that are wrong together are named together."""
    assert any(expected in problem for problem in problems(tmp_path, **environ))


def test_storage_follows_the_mongodb_url(tmp_path: Path) -> None:
    """Without STORAGE_TYPE it is MongoDB if its URL is set, else SQLite in the data folder."""
    url = {"MONGODB_URL": "mongodb://db"}
    assert configs.storage_type(load({}, tmp_path)) == "sqlite"
    assert configs.storage_type(load(url, tmp_path)) == "mongodb"
    assert configs.storage_type(load({**url, "STORAGE_TYPE": "sqlite"}, tmp_path)) == "sqlite"
    assert configs.sqlite_path(load({"SLUICE_DATA_DIR": "/d"}, tmp_path)) == "/d/sluice.db"
    assert configs.sqlite_path(load({"SQLITE_PATH": "/x.db"}, tmp_path)) == "/x.db"


def test_providers_of_config_become_variables(tmp_path: Path) -> None:
    """The table of providers means the same as their variables, which count more."""
    from providers.registry import instances

    (tmp_path / "config.yaml").write_text(
        "providers:\n"
        "  openai-east: {api_key: '${EAST_KEY}', models: [a, b], base_url: 'http://127.0.0.1:1/v1'}\n"
        "  openrouter: {api_key: k, site_url: 'http://me'}\n"
    )
    settings = load({"EAST_KEY": "sk", "OPENAI_EAST_MODELS": "c"}, tmp_path)
    found = {instance.name: instance for instance in instances(settings.environment)}
    assert set(found) == {"openai-east", "openrouter"}
    assert found["openai-east"].models == ("c",)
    assert found["openai-east"].endpoint.headers["Authorization"] == "Bearer sk"


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("{nobody: {api_key: k}}", "no known vendor"),
        ("{openai: {api_kee: k}}", "providers.openai.api_kee is unknown"),
        ("{east: {type: openai, api_key: k}}", "is called openai or openai-<name>"),
        ("{openai: k}", "must be a table"),
        ("[openai]", "must be a table of instances"),
    ],
)
def test_wrong_providers_of_config(tmp_path: Path, table: str, expected: str) -> None:
    """A provider that config.yaml misspells is named by its key."""
    (tmp_path / "config.yaml").write_text(f"providers: {table}")
    assert any(expected in problem for problem in problems(tmp_path))


def test_the_simulated_provider_is_an_instance(tmp_path: Path) -> None:
    """SLUICE_SIM_URL makes the instance `sim`."""
    from providers.registry import instances

    settings = load({"SLUICE_SIM_URL": "http://127.0.0.1:9/v1"}, tmp_path)
    assert [instance.name for instance in instances(settings.environment)] == ["sim"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("port: [", "cannot be read"),
        ("- port", "must be a table"),
        ("kafka: {bootstrap_servers: 'a:1'}\nkafka_bootstrap_servers: b:1", "twice"),
    ],
)
def test_a_broken_config_is_a_problem(tmp_path: Path, text: str, expected: str) -> None:
    """config.yaml that cannot be understood stops the start, with the reason."""
    (tmp_path / "config.yaml").write_text(text)
    assert any(expected in problem for problem in problems(tmp_path))


def test_near_misses(tmp_path: Path) -> None:
    """A variable that looks like ours and is none is told by the doctor."""
    settings = load({"SLUICE_DATADIR": "x", "HOME": "/root"}, tmp_path)
    assert near_misses(settings) == ["SLUICE_DATADIR is no setting; did you mean SLUICE_DATA_DIR?"]


def test_documents_are_up_to_date() -> None:
    """docs/settings.md and .env.example are what the table gives."""
    assert (ROOT / "docs" / "settings.md").read_text() == render.markdown()
    assert (ROOT / ".env.example").read_text() == render.dotenv()


def test_the_example_means_the_defaults(tmp_path: Path) -> None:
    """.env.example with every line uncommented changes nothing, and has every setting for users."""
    lines = render.dotenv().splitlines()
    assigned = [line[2:] for line in lines if line.startswith("# ") and "=" in line.split(" ")[1]]
    values = dotenv_values(stream=io.StringIO("\n".join(assigned)), interpolate=False)
    names = {row.name for row in SETTINGS} - {"SLUICE_FAULT_POINT", "SLUICE_SUPERVISOR"}
    assert names <= set(values)
    (tmp_path / ".env").write_text("\n".join(assigned))
    settings, empty = load({}, tmp_path), load({}, Path("/nonexistent"))
    assert {row.name: settings[row] for row in SETTINGS} == {
        row.name: empty[row] for row in SETTINGS
    }


def test_bootstrap_of_the_embedded_broker(tmp_path: Path) -> None:
    """Without KAFKA_BOOTSTRAP_SERVERS the address in the data folder is used, if there is one."""
    environ = {"SLUICE_DATA_DIR": str(tmp_path)}
    assert configs.bootstrap_servers(load(environ, tmp_path)) is None
    (tmp_path / "bootstrap").write_text("127.0.0.1:2\n")
    assert configs.bootstrap_servers(load(environ, tmp_path)) == "127.0.0.1:2"
    environ["KAFKA_BOOTSTRAP_SERVERS"] = "k:1"
    assert configs.bootstrap_servers(load(environ, tmp_path)) == "k:1"
