"""Instances from the environment."""

import pytest

from providers.instances import BadVariable, Instance, instances, make_instance
from providers.vendors import VENDORS


def only(**environment: str) -> Instance:
    (found,) = instances(environment)
    return found


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
    assert instances(environment) == []


def test_key_makes_an_instance() -> None:
    """A key alone makes the instance that is named as its vendor, at the vendor's address."""
    found = only(OPENAI_API_KEY=" sk-1 ")
    assert (found.name, found.vendor, found.models) == ("openai", "openai", ())
    assert found.endpoint.chat_url == "https://api.openai.com/v1/chat/completions"
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
    assert by_name["openai-east"].endpoint.chat_url == "https://east.example/v1/chat/completions"
    assert by_name["openai-east"].endpoint.headers == {"Authorization": "Bearer b"}
    assert by_name["openai-very-far-2"].models == ("gpt-4o", "gpt-4o-mini")
    assert by_name["ollama-a"].endpoint.headers == {}


@pytest.mark.parametrize("vendor", ["ollama", "vllm", "sim"])
def test_vendors_without_keys(vendor: str) -> None:
    """Where no key is needed, a base URL or a key is enough."""
    prefix = vendor.upper()
    assert only(**{f"{prefix}_BASE_URL": "http://127.0.0.1:9/v1"}).endpoint.headers == {}
    keyed = only(**{f"{prefix}_API_KEY": "k"})
    assert keyed.endpoint.headers == {"Authorization": "Bearer k"}
    assert keyed.endpoint.chat_url.startswith(VENDORS[vendor].base_url or "-")


def test_every_vendor() -> None:
    """Every row makes an instance from a key and a base URL, with its variables' prefix."""
    for vendor in VENDORS.values():
        prefix = vendor.name.upper()
        environment = {f"{prefix}_API_KEY": "k", f"{prefix}_BASE_URL": "https://h.example/v1"}
        found = only(**environment)
        assert (found.name, found.vendor) == (vendor.name, vendor.name)
        assert found.endpoint.chat_url == "https://h.example/v1/chat/completions"


def test_oracle_models() -> None:
    """A vendor without a list of models is given one."""
    found = only(
        ORACLE_API_KEY="k",
        ORACLE_BASE_URL="https://oci.example/20231130/actions/v1",
        ORACLE_MODELS="openai.gpt-oss-120b,xai.grok-3",
    )
    assert found.models == ("openai.gpt-oss-120b", "xai.grok-3")


def test_openrouter_attribution() -> None:
    """OpenRouter's site and title become headers."""
    found = only(
        OPENROUTER_API_KEY="k", OPENROUTER_SITE_URL="https://a.example", OPENROUTER_APP_NAME="A"
    )
    assert found.endpoint.headers["HTTP-Referer"] == "https://a.example"
    assert found.endpoint.headers["X-OpenRouter-Title"] == "A"


def test_azure_version() -> None:
    """Azure takes a version; to other vendors such a variable means nothing."""
    base = "https://r.openai.azure.com/openai/deployments/d"
    found = only(AZURE_API_KEY="k", AZURE_BASE_URL=base, AZURE_API_VERSION="2025-01-01")
    assert found.endpoint.chat_url == f"{base}/chat/completions?api-version=2025-01-01"
    assert found.endpoint.headers == {"api-key": "k"}
    assert instances({"OPENAI_API_VERSION": "2025-01-01"}) == []


@pytest.mark.parametrize(
    ("variable", "environment"),
    [
        ("OPENAI_EAST_BASE_URL", {"OPENAI_EAST_BASE_URL": "https://e.example"}),
        ("OPENAI_EAST_MODELS", {"OPENAI_EAST_MODELS": "gpt-4o"}),
        ("GROQ_BASE_URL", {"GROQ_BASE_URL": "https://e.example"}),
        ("AZURE_BASE_URL", {"AZURE_API_KEY": "k"}),
        ("ORACLE_EU_BASE_URL", {"ORACLE_EU_API_KEY": "k"}),
        ("OPENAI__EAST_API_KEY", {"OPENAI__EAST_API_KEY": "k"}),
        ("OPENAI_É_API_KEY", {"OPENAI_É_API_KEY": "k"}),
        ("OPENAI_API_KEY", {"OPENAI_API_KEY": "a\nb"}),
        ("OPENAI_API_KEY", {"OPENAI_API_KEY": "schlüssel"}),
        ("OPENROUTER_APP_NAME", {"OPENROUTER_API_KEY": "k", "OPENROUTER_APP_NAME": "ä"}),
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


def test_same_name_twice() -> None:
    """Two variables that mean the same instance under different spellings are refused."""
    with pytest.raises(BadVariable, match=r"OPENAI_east"):
        instances({"OPENAI_EAST_API_KEY": "a", "OPENAI_east_API_KEY": "b"})


def test_made_otherwise() -> None:
    """An instance can be made without the environment, as `serve` does for the simulated provider."""
    made = make_instance(VENDORS["sim"], "sim", "http://127.0.0.1:9/v1", models=("sim-echo",))
    assert (made.name, made.models) == ("sim", ("sim-echo",))
    assert made.endpoint.models_url == "http://127.0.0.1:9/v1/models"
