"""Instances, from the environment and from config.yaml's table."""

import pytest

from providers.configured import Given
from providers.instances import (
    BadVariable,
    Found,
    Instance,
    find_instances,
    instances,
    make_instance,
)
from providers.vendors import VENDORS
from schemas.prices import Metadata


def only(**environment: str) -> Instance:
    (found,) = instances(environment)
    return found


def chat_url(instance: Instance) -> str:
    return instance.endpoint.routes["openai_chat"].url


def given(name: str, vendor: str = "openai", **fields: str) -> Given:
    """A table of config.yaml."""
    return Given(name=name, vendor=vendor, fields=fields, names={})


def keys(instance: Instance) -> list[str]:
    return [endpoint.headers["Authorization"] for endpoint in instance.endpoints]


def test_nothing_configured() -> None:
    """An empty environment, empty values and foreign variables make no instance."""
    assert instances({}) == []
    environment = {
        "OPENAI_API_KEY": "",
        "GROQ_API_KEY": "  ",
        "XAI_API_KEY": "${XAI_KEY}",
        "OPENAI_ORG_ID": "org",
        "MY_OPENAI_API_KEY": "x",
        "OLLAMA_MODELS": "/var/lib/ollama",
        "PATH": "/bin",
    }
    assert find_instances(environment) == Found([], [], [])


def test_key_makes_an_instance() -> None:
    """A key alone makes the instance that is named as its vendor, at the vendor's address."""
    found = only(OPENAI_API_KEY=" sk-1 ")
    assert (found.name, found.vendor, found.models) == ("openai", "openai", ())
    assert chat_url(found) == "https://api.openai.com/v1/chat/completions"
    assert found.endpoint.models_url == "https://api.openai.com/v1/models"
    assert found.endpoint.headers == {"Authorization": "Bearer sk-1"}
    assert "sk-1" not in f"{found!r} {found}"


def test_suffixes() -> None:
    """A suffix makes an instance of its own; several words become a name with hyphens."""
    found = instances(
        {
            "OPENAI_API_KEY": "a",
            "OPENAI_EAST_API_KEY": "b",
            "OPENAI_EAST_BASE_URL": "https://east.example/v1/",
            "OPENAI_VERY_FAR_2_API_KEY": "c",
            "OPENAI_VERY_FAR_2_MODELS": "gpt-4o, gpt-4o-mini,,gpt-4o",
            "OLLAMA_A_BASE_URL": "http://10.0.0.1:11434/v1",
        }
    )
    assert [one.name for one in found] == ["ollama-a", "openai", "openai-east", "openai-very-far-2"]
    by_name = {one.name: one for one in found}
    assert chat_url(by_name["openai-east"]) == "https://east.example/v1/chat/completions"
    assert by_name["openai-east"].endpoint.headers == {"Authorization": "Bearer b"}
    assert by_name["openai-very-far-2"].models == ("gpt-4o", "gpt-4o-mini")
    assert by_name["ollama-a"].endpoint.headers == {}


def test_several_keys() -> None:
    """Numbered as GoModel has them, or as a list; each once, and one endpoint for each."""
    found = only(
        OPENAI_API_KEY="a", OPENAI_API_KEYS="b, a,c", OPENAI_API_KEY_10="e", OPENAI_API_KEY_2="d"
    )
    assert keys(found) == [f"Bearer {key}" for key in "abcde"]
    assert [endpoint.key for endpoint in found.endpoints] == [0, 1, 2, 3, 4]
    assert keys(only(OPENAI_EAST_API_KEY_2="x")) == ["Bearer x"]
    assert keys(only(OPENAI_API_KEYS="x,y")) == ["Bearer x", "Bearer y"]


@pytest.mark.parametrize("vendor", ["ollama", "vllm", "lmstudio", "llamacpp", "sim"])
def test_vendors_without_keys(vendor: str) -> None:
    """Where no key is needed, a base URL or a key is enough."""
    prefix = vendor.upper()
    assert only(**{f"{prefix}_BASE_URL": "http://127.0.0.1:9/v1"}).endpoint.headers == {}
    keyed = only(**{f"{prefix}_API_KEY": "k"})
    assert keyed.endpoint.headers == {"Authorization": "Bearer k"}
    assert chat_url(keyed).startswith(VENDORS[vendor].base_url or "-")


def test_oracle_models() -> None:
    """A vendor without a list of models is given one."""
    found = only(
        ORACLE_API_KEY="k",
        ORACLE_BASE_URL="https://oci.example/20231130/actions/v1",
        ORACLE_MODELS="openai.gpt-oss-120b,xai.grok-3",
    )
    assert found.models == ("openai.gpt-oss-120b", "xai.grok-3")


def test_variables_of_a_whole_vendor() -> None:
    """OpenRouter's site and title become headers, Anthropic's limit a default, of every instance."""
    for found in instances(
        {
            "OPENROUTER_API_KEY": "k",
            "OPENROUTER_EU_API_KEY": "k",
            "OPENROUTER_SITE_URL": "https://a.example",
            "OPENROUTER_APP_NAME": "A",
        }
    ):
        assert found.endpoint.headers["HTTP-Referer"] == "https://a.example"
        assert found.endpoint.headers["X-OpenRouter-Title"] == "A"
    limits = {"ANTHROPIC_API_KEY": "k", "ANTHROPIC_EU_API_KEY": "k"}
    assert [one.endpoint.default_max_tokens for one in instances(limits)] == [4096, 4096]
    limits["ANTHROPIC_DEFAULT_MAX_TOKENS"] = "64"
    assert [one.endpoint.default_max_tokens for one in instances(limits)] == [64, 64]


def test_a_proxy_of_its_own() -> None:
    """One instance may have a proxy that the others have not."""
    east, own = instances(
        {"OPENAI_API_KEY": "k", "OPENAI_EAST_API_KEY": "k", "OPENAI_PROXY_URL": "http://p:3128/"}
    )
    assert (east.endpoint.proxy, own.endpoint.proxy) == ("http://p:3128", None)


def test_versions_are_azures() -> None:
    """Azure takes a version; to other vendors such a variable means nothing."""
    base = "https://r.openai.azure.com/openai/deployments/d"
    found = only(AZURE_API_KEY="k", AZURE_BASE_URL=base, AZURE_API_VERSION="2025-01-01")
    assert chat_url(found) == f"{base}/chat/completions?api-version=2025-01-01"
    assert instances({"OPENAI_API_VERSION": "2025-01-01"}) == []


def test_usage_is_asked_for_unless_told_not_to() -> None:
    """ENFORCE_RETURNING_USAGE_DATA decides whether streams are asked to count."""
    asked = find_instances({"OPENAI_API_KEY": "k"}).instances[0]
    silent = find_instances({"OPENAI_API_KEY": "k"}, ask_for_usage=False).instances[0]
    assert asked.endpoint.routes["openai_chat"].stream_usage
    assert not silent.endpoint.routes["openai_chat"].stream_usage


@pytest.mark.parametrize(
    ("variable", "environment"),
    [
        ("AZURE_BASE_URL", {"AZURE_API_KEY": "k"}),
        ("ORACLE_EU_BASE_URL", {"ORACLE_EU_API_KEY": "k"}),
        ("OPENAI__EAST_API_KEY", {"OPENAI__EAST_API_KEY": "k"}),
        ("OPENAI_É_API_KEY", {"OPENAI_É_API_KEY": "k"}),
        ("OPENAI_API_KEY", {"OPENAI_API_KEY": "a\nb"}),
        ("OPENAI_API_KEY", {"OPENAI_API_KEY": "schlüssel"}),
        ("OPENAI_API_KEY_2", {"OPENAI_API_KEY": "a", "OPENAI_API_KEY_2": "schlüssel"}),
        ("OPENROUTER_APP_NAME", {"OPENROUTER_API_KEY": "k", "OPENROUTER_APP_NAME": "ä"}),
        (
            "ANTHROPIC_DEFAULT_MAX_TOKENS",
            {"ANTHROPIC_API_KEY": "k", "ANTHROPIC_DEFAULT_MAX_TOKENS": "0"},
        ),
        ("OPENAI_PROXY_URL", {"OPENAI_API_KEY": "k", "OPENAI_PROXY_URL": "socks5://p"}),
        *(
            ("VLLM_BASE_URL", {"VLLM_BASE_URL": url})
            for url in (
                "localhost:8000",
                "ftp://h/v1",
                "http://",
                "http://h:port/v1",
                "http://h:0/v1",
                "http://h:99999/v1",
                "http://[::1/v1",
                "http://h/v1?x=1",
                "http://h/v1#x",
                "http://h/a b",
                "http://hä/v1",
            )
        ),
    ],
)
def test_bad_variables(variable: str, environment: dict[str, str]) -> None:
    """What cannot be used stops the start and names the variable, never its value's secret."""
    with pytest.raises(BadVariable) as caught:
        instances(environment)
    assert caught.value.variable == variable
    assert str(caught.value).startswith(variable + " ")
    assert "schlüssel" not in str(caught.value)


def test_all_that_is_bad_is_named() -> None:
    """One bad variable does not hide another, nor the instances that are right."""
    found = find_instances(
        {"AZURE_API_KEY": "k", "VLLM_BASE_URL": "x", "OPENAI_API_KEY": "k", "GROQ__API_KEY": "k"}
    )
    assert [problem.variable for problem in found.problems] == [
        "GROQ__API_KEY",
        "AZURE_BASE_URL",
        "VLLM_BASE_URL",
    ]
    assert [instance.name for instance in found.instances] == ["openai"]


@pytest.mark.parametrize(
    ("environment", "note"),
    [
        ({"GROQ_BASE_URL": "https://e.example"}, "provider groq is left out: GROQ_API_KEY"),
        ({"OPENAI_EAST_MODELS": "x"}, "provider openai-east is left out: OPENAI_EAST_API_KEY"),
    ],
)
def test_without_its_key_an_instance_is_left_out(environment: dict[str, str], note: str) -> None:
    """A template that was filled in partly starts, as with GoModel, and says what is missing."""
    found = find_instances(environment)
    assert (found.instances, found.problems) == ([], [])
    assert [text.startswith(note) for text in found.notes] == [True]


def test_same_name_twice() -> None:
    """Two variables that mean the same instance under different spellings are refused."""
    with pytest.raises(BadVariable, match=r"OPENAI_east"):
        instances({"OPENAI_EAST_API_KEY": "a", "OPENAI_east_API_KEY": "b"})


# -- config.yaml


def test_a_table_names_its_instances_freely() -> None:
    """Any name, any address: a service that speaks OpenAI's API costs no code."""
    table = [given("my_llm", API_KEY="k", BASE_URL="https://llm.example/v1", MODELS="a,b")]
    (found,) = find_instances({}, table).instances
    assert (found.name, found.vendor, found.models) == ("my_llm", "openai", ("a", "b"))
    assert chat_url(found) == "https://llm.example/v1/chat/completions"


def test_the_environment_counts_more() -> None:
    """Variables lie over the instance of their name, else over the only one of their vendor."""
    named = given("openai", API_KEY="old", MODELS="a")
    other = given("other", API_KEY="its-own")
    (first, second) = find_instances({"OPENAI_API_KEY": "new"}, [named, other]).instances
    assert (first.name, keys(first), first.models) == ("openai", ["Bearer new"], ("a",))
    assert (second.name, keys(second)) == ("other", ["Bearer its-own"])
    (only,) = find_instances({"OPENAI_API_KEY": "new"}, [other]).instances
    assert (only.name, keys(only)) == ("other", ["Bearer new"])


def test_an_ambiguous_variable_is_left_out() -> None:
    """With several instances of a vendor, bare variables mean none of them, which is told."""
    table = [given("one", API_KEY="1"), given("two", API_KEY="2")]
    found = find_instances({"OPENAI_API_KEY": "new", "OPENAI_EAST_API_KEY": "e"}, table)
    assert [instance.name for instance in found.instances] == ["one", "openai-east", "two"]
    assert found.notes == ["OPENAI_… is left out: it may mean one and two in config.yaml"]


def test_a_table_without_a_key() -> None:
    """GoModel's example lists vendors whose keys may not be set: those are left out and told."""
    found = find_instances({}, [given("groq", "groq"), given("local", "vllm")])
    assert [instance.name for instance in found.instances] == ["local"]
    assert found.notes == ["provider groq is left out: providers.groq.api_key is not set"]


def test_metadata_of_a_tables_models() -> None:
    """What is said of a model goes with the instance."""
    told = {"m": Metadata(context_window=8192)}
    one = Given(name="x", vendor="vllm", fields={"MODELS": "m"}, names={}, metadata=told)
    (found,) = find_instances({}, [one]).instances
    assert found.metadata == told


def test_made_otherwise() -> None:
    """An instance can be made without any configuration, as tests do."""
    made = make_instance(
        VENDORS["sim"], "sim", "http://127.0.0.1:9/v1", models=("sim-echo",), headers={"X": "y"}
    )
    assert (made.name, made.models, made.endpoint.headers) == ("sim", ("sim-echo",), {"X": "y"})
    assert made.endpoint.models_url == "http://127.0.0.1:9/v1/models"
    keyed = make_instance(VENDORS["anthropic"], "a", "http://127.0.0.1:9/v1", key="k")
    assert keyed.endpoint.headers["x-api-key"] == "k"
