"""Settings: the table, the places where values stand, and what is said of wrong ones."""

import io
from pathlib import Path
from typing import Any

import pytest
from dotenv import dotenv_values

from providers.configured import fields_of
from providers.vendors import VENDORS
from sluice.settings import (
    SettingsError,
    configs,
    gateway,
    gomodel,
    kafka,
    load,
    near_misses,
    pages,
    render,
    spool,
    work,
)
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
        assert row.default in (None, (), False, "")
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
    # Which vendors there are is no business of the ingress.
    passed = ("openai", "anthropic", "openrouter", "zai", "vllm")
    spool = settings.data_dir / "spool"
    assert configs.ingress_config(settings) == IngressConfig(
        passthrough_providers=passed, spool_dir=spool
    )
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


def test_large_bodies_need_a_folder(tmp_path: Path) -> None:
    """With the embedded broker there is one without being asked for; on a cluster, where roles may run on
    several machines, it must be said, or the limit cannot be had."""
    cluster = {"KAFKA_BOOTSTRAP_SERVERS": "kafka:9092"}
    given = {**cluster, "SPOOL_DIR": "/mnt/spool", "BODY_SIZE_LIMIT": "100M"}

    assert spool.folder(load({"BODY_SIZE_LIMIT": "100M"}, tmp_path)) == Path("data/spool")
    assert spool.folder(load(cluster, tmp_path)) is None
    assert configs.ingress_config(load(given, tmp_path)).spool_dir == Path("/mnt/spool")
    with pytest.raises(SettingsError, match="set SPOOL_DIR to a folder that all roles share"):
        load({**cluster, "BODY_SIZE_LIMIT": "16M"}, tmp_path)


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
        ("BODY_SIZE_LIMIT", "17G"),
        ("BODY_SIZE_LIMIT", "10 M"),
        ("BODY_SIZE_LIMIT", "1.5M"),
        ("LOGGING_ENABLED", "yes"),
        ("LOGGING_ENABLED", "on"),
        ("LOG_LEVEL", "loud"),
        ("STORAGE_TYPE", "mysql"),
        ("POSTGRES_URL", "mysql://db"),
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
        ({"STORAGE_TYPE": "postgresql"}, "POSTGRES_URL is not set"),
        (
            {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_BOOTSTRAP_SERVERS": "a:1"},
            "KAFKA_SASL_USERNAME is not set",
        ),
        ({"KAFKA_SECURITY_PROTOCOL": "SSL"}, "KAFKA_BOOTSTRAP_SERVERS is not set"),
        ({"SLUICE_SLOT": "16"}, "SLUICE_REPLY_PARTITIONS"),
        ({"STREAMS_HEARTBEAT_INTERVAL": "5s"}, "STREAMS_SESSION_TIMEOUT"),
        ({"CORS_ALLOWED_ORIGINS": "*", "CORS_ALLOW_CREDENTIALS": "true"}, "CORS_ALLOW_CREDENTIALS"),
    ],
)
def test_contradictions(tmp_path: Path, environ: dict[str, str], expected: str) -> None:
    """Settings that are wrong together are named together."""
    assert any(expected in problem for problem in problems(tmp_path, **environ))


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (
            "https://App.Example.com:443/, http://localhost:3000",
            ("https://app.example.com", "http://localhost:3000"),
        ),
        ("*", ("*",)),
        ("app.example.com", None),
        ("https://app.example.com/path", None),
        ("*,https://app.example.com", None),
    ],
)
def test_origins(tmp_path: Path, given: str, meant: tuple[str, ...] | None) -> None:
    """They are taken as browsers write them; what can be none is refused."""
    if meant is None:
        assert any(
            "CORS_ALLOWED_ORIGINS" in each
            for each in problems(tmp_path, CORS_ALLOWED_ORIGINS=given)
        )
    else:
        found = configs.ingress_config(load({"CORS_ALLOWED_ORIGINS": given}, tmp_path)).cors
        assert found is not None
        assert found.origins == meant


def test_storage_follows_the_urls(tmp_path: Path) -> None:
    """Without STORAGE_TYPE it is MongoDB if its URL is set, else PostgreSQL if its is, else SQLite in
    the data folder."""
    url = {"MONGODB_URL": "mongodb://db"}
    assert configs.storage_type(load({}, tmp_path)) == "sqlite"
    assert configs.storage_type(load(url, tmp_path)) == "mongodb"
    both = {**url, "POSTGRES_URL": "postgresql://db/sluice"}
    assert configs.storage_type(load(both, tmp_path)) == "mongodb"
    del both["MONGODB_URL"]
    assert configs.storage_type(load(both, tmp_path)) == "postgresql"
    assert configs.storage_type(load({**url, "STORAGE_TYPE": "sqlite"}, tmp_path)) == "sqlite"
    assert configs.sqlite_path(load({"SLUICE_DATA_DIR": "/d"}, tmp_path)) == "/d/sluice.db"
    assert configs.sqlite_path(load({"SQLITE_PATH": "/x.db"}, tmp_path)) == "/x.db"


def write(folder: Path, text: str) -> None:
    (folder / "config.yaml").write_text(text)


def test_providers_of_config(tmp_path: Path) -> None:
    """The table of providers means the same as their variables, which count more; a name is free."""
    write(
        tmp_path,
        "providers:\n"
        "  openai-east: {api_key: '${EAST_KEY}', models: [a, b], base_url: 'http://127.0.0.1:1/v1'}\n"
        "  openrouter: {api_key: k, site_url: 'http://me'}\n"
        "  my_llm: {type: openai, api_keys: [x, y], base_url: 'http://127.0.0.1:2/v1'}\n"
        "  groq: {api_key: '${NOT_SET}'}\n",
    )
    settings = load({"EAST_KEY": "sk", "OPENAI_EAST_MODELS": "c"}, tmp_path)
    found = {instance.name: instance for instance in configs.instances(settings)}
    assert set(found) == {"openai-east", "openrouter", "my_llm"}
    assert found["openai-east"].models == ("c",)
    assert found["openai-east"].endpoint.headers["Authorization"] == "Bearer sk"
    assert len(found["my_llm"].endpoints) == 2
    assert settings.notes == [
        "provider groq is left out: config.yaml key providers.groq.api_key is not set"
    ]


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("{nobody: {api_key: k}}", "'nobody' is no known vendor"),
        ("{openai: {api_kee: k}}", "providers.openai.api_kee is unknown"),
        ("{a/b: {type: openai, api_key: k}}", "a name has letters"),
        ("{openai: k}", "must be a table"),
        ("[openai]", "must be a table of instances"),
        ("{openai: {api_key: k, base_url: x}}", "config.yaml key providers.openai.base_url is no"),
        ("{azure: {api_key: k}}", "config.yaml key providers.azure.base_url must be set"),
        ("{openai: {api_key: k, models: [{metadata: {}}]}}", "missing required field `id`"),
        (
            "{openai: {api_key: k, models: [{id: m, metadata: {context_window: x}}]}}",
            "at `$.metadata",
        ),
    ],
)
def test_wrong_providers_of_config(tmp_path: Path, table: str, expected: str) -> None:
    """A provider that config.yaml misspells is named by its key."""
    write(tmp_path, f"providers: {table}")
    assert any(expected in problem for problem in problems(tmp_path))


def test_the_simulated_provider_is_an_instance(tmp_path: Path) -> None:
    """SLUICE_SIM_URL makes the instance `sim`."""
    settings = load({"SLUICE_SIM_URL": "http://127.0.0.1:9/v1"}, tmp_path)
    assert [instance.name for instance in configs.instances(settings)] == ["sim"]


def test_what_no_variable_can_say(tmp_path: Path) -> None:
    """Aliases, allow-lists, prices and metadata, in the forms that docs/settings.md shows."""
    from schemas.aliases import Alias, AliasTarget
    from schemas.prices import Metadata, Pricing

    write(
        tmp_path,
        "aliases:\n"
        "  fast: ${WHICH}\n"
        "  two: {description: d, targets: [{model: a, provider: p, weight: 3}, {model: b}]}\n"
        "  off: {target_model: c, target_provider: q, enabled: false}\n"
        "model_overrides:\n"
        "  openai/: [/a, /b]\n"
        "  gpt-5: /c, /d\n"
        "  /: {user_paths: [/e]}\n"
        "prices: {m: {input_per_mtok: 1, output_per_mtok: '2.5'}}\n"
        "models:\n"
        "  keep_only_aliases_at_models_endpoint: true\n"
        "  m: {display_name: M, capabilities: {tools: true}}\n"
        "  n: {context_window: 5, pricing: {currency: EUR, input_per_mtok: 1}}\n",
    )
    config = configs.registry_config(load({"WHICH": "openai/x"}, tmp_path))
    assert config.aliases == (
        Alias(name="fast", targets=(AliasTarget("openai/x"),)),
        Alias(
            name="two",
            targets=(AliasTarget("a", "p", 3.0), AliasTarget("b")),
            description="d",
        ),
        Alias(name="off", targets=(AliasTarget("c", "q"),), enabled=False),
    )
    assert config.overrides == {"openai/": ("/a", "/b"), "gpt-5": ("/c", "/d"), "/": ("/e",)}
    rates = Pricing(currency="USD", input_per_mtok=1.0, output_per_mtok=2.5)
    assert config.metadata == {
        "m": Metadata(display_name="M", capabilities={"tools": True}, pricing=rates),
        "n": Metadata(context_window=5, pricing=Pricing(currency="EUR", input_per_mtok=1.0)),
    }
    assert config.only_aliases_listed
    off = load({"WHICH": "x", "MODEL_OVERRIDES_ENABLED": "false"}, tmp_path)
    assert configs.registry_config(off).overrides == {}


def test_lists_in_gomodels_form(tmp_path: Path) -> None:
    """Aliases and overrides may be lists with names, as GoModel's API has them."""
    write(
        tmp_path,
        "aliases: [{name: a, target_model: m, target_provider: openai, enabled: true}]\n"
        "model_overrides: [{selector: openai/m, user_paths: [/x]}]\n",
    )
    tables = load({}, tmp_path).tables
    assert [(alias.name, alias.targets[0].provider) for alias in tables.aliases] == [
        ("a", "openai")
    ]
    assert tables.overrides == {"openai/m": ("/x",)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("aliases: {a: {}}", "aliases.a: an alias needs a name and target_model, or targets"),
        ("aliases: [{target_model: m}]", "an alias needs a name"),
        ("aliases: {a: {target_modell: m}}", "aliases.a: Object contains unknown field"),
        ("aliases: {a: {targets: [{model: m, weight: -1}]}}", "a weight is below 0"),
        ("aliases: {a: {targets: [{model: m, weight: much}]}}", "`float`"),
        ("aliases: 5", "config.yaml key aliases"),
        ("model_overrides: {m: []}", "needs a selector and at least one user path"),
        ("model_overrides: {m: [a]}", "each with a slash in front"),
        ("model_overrides: [{user_paths: [/a]}]", "needs a selector"),
        ("prices: {m: {input_per_mtok: cheap}}", "prices.m: Expected `float"),
        ("prices: 5", "key prices must be a table by model"),
        ("prices: {m: {input: 1}}", "prices.m: Object contains unknown field `input`"),
        ("models: {m: {context: 1}}", "models.m: Object contains unknown field `context`"),
    ],
)
def test_wrong_tables(tmp_path: Path, text: str, expected: str) -> None:
    """What is wrong in a table is named with its key and what is accepted."""
    write(tmp_path, text)
    assert any(expected in problem for problem in problems(tmp_path)), problems(tmp_path)


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
    """docs/settings.md, .env.example, docs/providers.md and a table of docs/gomodel.md are what the
    tables give."""
    assert (ROOT / "docs" / "settings.md").read_text() == render.markdown()
    assert (ROOT / ".env.example").read_text() == render.dotenv()
    assert (ROOT / "docs" / "providers.md").read_text() == pages.providers()
    page = (ROOT / "docs" / "gomodel.md").read_text()
    table = page.partition("<!-- settings -->\n")[2].partition("<!-- end of settings -->")[0]
    assert table == pages.gomodels_settings()


# -- GoModel


def test_every_variable_of_gomodel_is_known() -> None:
    """What docs/gomodel.md calls honoured is a setting that has an effect, or a provider's variable."""
    vendors = {
        f"{vendor.upper()}_{field}" for vendor in VENDORS for field in fields_of(VENDORS[vendor])
    }
    rows = {name: row for row in SETTINGS for name in row.names}
    for name in gomodel.HONOURED:
        if name in rows:
            assert not rows[name].without_effect
            assert not rows[name].refused
        elif "<" in name:
            assert name.rpartition("_")[2] in {"KEY", "URL", "MODELS"}
        else:
            assert name in vendors


def test_gomodels_variables_start_unchanged(tmp_path: Path) -> None:
    """Each with GoModel's default, and then with another value: nothing is told of the first, and of the
    second what has no effect, which is no error."""
    rows = gomodel.GROUP.settings
    (tmp_path / ".env").write_text("".join(f"{r.name}={r.kind.show(r.default)}\n" for r in rows))
    assert load({}, tmp_path).notes == []
    others = {
        "SEMANTIC_CACHE_EXCLUDE_SYSTEM_PROMPT": "true",
        "WORKFLOW_REFRESH_INTERVAL": "5s",
    }
    told = load(others, Path("/nonexistent")).notes
    assert [note.partition(" ")[0] for note in told] == [
        "SEMANTIC_CACHE_EXCLUDE_SYSTEM_PROMPT",
        "WORKFLOW_REFRESH_INTERVAL",
    ]
    assert all(" has no effect: " in note for note in told)


@pytest.mark.parametrize(
    ("text", "amounts"),
    [
        ("daily=10,weekly=50.5", {86_400: 10_000_000_000, 604_800: 50_500_000_000}),
        ("hourly:1; 7200 = 0.000000001", {3600: 1_000_000_000, 7200: 1}),
        ('{"monthly": 3}', {2_592_000: 3_000_000_000}),
        (
            '[{"period": "daily", "amount": 1}, {"period_seconds": 60, "amount": 2}]',
            {86_400: 1_000_000_000, 60: 2_000_000_000},
        ),
    ],
    ids=["names", "seconds", "object", "list"],
)
def test_budgets_of_variables(text: str, amounts: dict[int, int]) -> None:
    """As GoModel writes them: `__` is a slash, the bare prefix the root."""
    for name, path in (("SET_BUDGET_ACME__SALES", "/acme/sales"), ("SET_BUDGET_", "/")):
        found = load({name: text}, Path("/nonexistent")).budgets
        assert {each.period_seconds: each.amount for each in found} == amounts
        assert {(each.user_path, each.source) for each in found} == {(path, "config")}


@pytest.mark.parametrize("text", ["daily", "never=1", "daily=x", "daily=-1", "{", '["a"]'])
def test_a_budget_that_is_none(tmp_path: Path, text: str) -> None:
    """It stops the start and is named."""
    (problem,) = problems(tmp_path, SET_BUDGET_A=text)
    assert problem.startswith("SET_BUDGET_A: ")


@pytest.mark.parametrize("name", ["PPROF_ENABLED"])
def test_what_is_refused(tmp_path: Path, name: str) -> None:
    """A setting that promises what there is not stops the start, and says why."""
    (problem,) = problems(tmp_path, **{name: "true"})
    assert problem.startswith(f"{name} (environment) cannot be honoured: ")
    assert load({name: "false"}, tmp_path).notes == []


GOMODELS_CONFIG = """
server:
  port: "8081"
  base_path: "/g"
  master_key: "your-secret-key"
  body_size_limit: "10M"
  swagger_enabled: false
  pprof_enabled: false
  enable_passthrough_routes: true
  allow_passthrough_v1_alias: false
  enabled_passthrough_providers: ["openai", "anthropic"]
models:
  enabled_by_default: false
  overrides_enabled: true
  keep_only_aliases_at_models_endpoint: false
  configured_provider_models_mode: "allowlist"
cache:
  model:
    refresh_interval: 1800
    local: {cache_dir: ".cache"}
    redis: {url: "redis://localhost:6379", key: "gomodel:models", ttl: 86400}
    model_list: {url: ""}
  response:
    simple:
      enabled: true
      redis: {url: "redis://localhost:6379", key: "gomodel:response:", ttl: 3600}
    semantic:
      enabled: false
      similarity_threshold: 0.92
      embedder: {provider: openai, model: text-embedding-3-small}
      vector_store: {type: qdrant, qdrant: {url: "http://localhost:6333", collection: c, api_key: ""}}
storage:
  type: sqlite
  sqlite: {path: data/gomodel.db}
  postgresql: {url: "postgres://user:pass@localhost/gomodel", max_conns: 10}
  mongodb: {url: "", database: gomodel}
logging:
  enabled: true
  log_bodies: false
  log_headers: true
  buffer_size: 1000
  flush_interval: 5
  retention_days: 7
  only_model_interactions: true
usage: {enabled: true, enforce_returning_usage_data: false, buffer_size: 1000, flush_interval: 5, retention_days: 90}
budgets:
  enabled: true
  user_paths: [{path: /a, limits: [{period: daily, amount: 10.00}]}]
metrics: {enabled: false, endpoint: /metrics}
http: {timeout: 600, response_header_timeout: 600}
workflows: {refresh_interval: 1m}
resilience:
  retry: {max_retries: 3, initial_backoff: 1s, max_backoff: 30s, backoff_factor: 2.0, jitter_factor: 0.1}
  circuit_breaker: {failure_threshold: 5, success_threshold: 2, timeout: 30s}
guardrails:
  enabled: false
  enable_for_batch_processing: false
  rules: [{name: safety, type: system_prompt, order: 0, system_prompt: {mode: inject, content: Be safe.}}]
fallback: {default_mode: manual, manual_rules_path: "", overrides: {gpt-4o: {mode: auto}}}
admin: {endpoints_enabled: true, ui_enabled: true}
providers:
  openai: {type: openai, api_key: "sk-...", resilience: {retry: {max_retries: 5}}}
  anthropic: {type: anthropic, api_key: "${ANTHROPIC_API_KEY}"}
  ollama: {type: ollama, base_url: "http://localhost:11434/v1"}
  nippur:
    type: ollama
    base_url: "http://127.0.0.1:8080/v1"
    models:
      - id: GLM-4.7-Flash
        metadata:
          display_name: "GLM 4.7 Flash (local)"
          context_window: 131072
          modes: ["chat"]
          capabilities: {tools: true}
          pricing: {currency: USD, input_per_mtok: 0, output_per_mtok: 0}
      - Gemma4-31B
"""


def test_gomodels_config_starts_unchanged(tmp_path: Path) -> None:
    """Its sections under its names: what can be is honoured, the rest is told."""
    write(tmp_path, GOMODELS_CONFIG)
    settings = load({}, tmp_path)
    ingress = configs.ingress_config(settings)
    assert (ingress.port, ingress.base_path, ingress.metrics_enabled) == (8081, "/g", False)
    assert (ingress.master_key, ingress.passthrough_v1_alias) == ("your-secret-key", False)
    assert ingress.passthrough_providers == ("openai", "anthropic")
    registry = configs.registry_config(settings)
    assert (registry.refresh_interval, registry.enabled_by_default) == (1800.0, False)
    assert registry.configured_models == "allowlist"
    assert configs.cache_dir(settings) == Path(".cache")
    sink = configs.sink_config(settings)
    assert (sink.bodies, sink.retention_days, sink.sqlite_path) == (False, 7, "data/gomodel.db")
    cache = configs.cache_config(settings)
    assert cache is not None
    assert (cache.redis_url, cache.redis_prefix) == ("redis://localhost:6379", "gomodel:response:")
    assert ingress.sharing == cache.sharing
    found = {instance.name: instance for instance in configs.instances(settings)}
    assert set(found) == {"openai", "ollama", "nippur"}
    assert not found["openai"].endpoint.routes["openai_chat"].stream_usage
    assert found["nippur"].models == ("GLM-4.7-Flash", "Gemma4-31B")
    assert found["nippur"].metadata["GLM-4.7-Flash"].capabilities == {"tools": True}
    routing = configs.routing_config(settings)
    assert (routing.mode, routing.modes) == ("manual", {"gpt-4o": "auto"})
    assert (routing.retry.jitter, routing.breaker.timeout) == (0.1, 30.0)
    assert routing.retries["openai"].max_retries == 5
    told = "\n".join(settings.notes)
    for part in (
        "budgets.user_paths",
        "anthropic is left out",
    ):
        assert part in told


def test_two_values_of_one_setting_are_refused(tmp_path: Path) -> None:
    """GoModel names its Redis server twice; that is one setting, which cannot have two values."""
    write(
        tmp_path,
        "cache: {model: {redis: {url: redis://a}}, response: {simple: {redis: {url: redis://b}}}}",
    )
    (problem,) = problems(tmp_path)
    assert "REDIS_URL twice: cache.model.redis.url and cache.response.simple.redis.url" in problem


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, ("openai", "anthropic", "openrouter", "zai", "vllm")),
        ({"ENABLED_PASSTHROUGH_PROVIDERS": "gemini, openai"}, ("gemini", "openai")),
        ({"ENABLED_PASSTHROUGH_PROVIDERS": "all"}, ()),
        ({"ENABLED_PASSTHROUGH_PROVIDERS": "*"}, ()),
    ],
)
def test_what_is_passed_through(
    tmp_path: Path, environ: dict[str, str], expected: tuple[str, ...]
) -> None:
    """GoModel's list by default, one's own, or a word for every provider."""
    assert configs.ingress_config(load(environ, tmp_path)).passthrough_providers == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/prom", "/prom"), ("/v1/metrics", "/metrics"), ("/p/x", "/metrics"), ("/", "/metrics")],
)
def test_where_the_metrics_are(tmp_path: Path, path: str, expected: str) -> None:
    """A path that would hide the API falls back to the usual one, as with GoModel."""
    settings = load({"METRICS_ENDPOINT": path}, tmp_path)
    assert configs.ingress_config(settings).metrics_path == expected


@pytest.mark.parametrize(("given", "prefix"), [("/", ""), ("/g", "/g"), ("/a/b/", "/a/b")])
def test_the_base_path(tmp_path: Path, given: str, prefix: str) -> None:
    """A prefix without the slash at its end; the root is none."""
    assert configs.ingress_config(load({"BASE_PATH": given}, tmp_path)).base_path == prefix


def test_proxies(tmp_path: Path) -> None:
    """In capitals or not, as everybody else reads them."""
    found = configs.transport_config(
        load({"http_proxy": "p:1", "HTTPS_PROXY": "http://p:2", "NO_PROXY": "x"}, tmp_path)
    )
    assert (found.http_proxy, found.https_proxy, found.no_proxy) == ("p:1", "http://p:2", "x")
    assert any("HTTPS_PROXY" in p for p in problems(tmp_path, HTTPS_PROXY="socks5://p:2"))


def test_the_example_means_the_defaults(tmp_path: Path) -> None:
    """.env.example with every line uncommented changes nothing, and has every setting for users."""
    lines = render.dotenv().splitlines()
    assigned = [line[2:] for line in lines if line.startswith("# ") and "=" in line.split(" ")[1]]
    values = dotenv_values(stream=io.StringIO("\n".join(assigned)), interpolate=False)
    hidden = {row.name for row in gomodel.GROUP.settings}
    hidden |= {"SLUICE_FAULT_POINT", "SLUICE_SUPERVISOR"}
    names = {row.name for row in SETTINGS} - hidden
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
