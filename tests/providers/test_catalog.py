"""Look-up tables of models."""

from msgspec import UNSET

from providers.catalog import Catalog, Listed
from providers.instances import make_instance
from providers.vendors import VENDORS
from schemas.models import Model
from schemas.prices import Metadata, Pricing

EAST = make_instance(VENDORS["openai"], "openai-east", "http://127.0.0.1:1")
WEST = make_instance(VENDORS["openai"], "openai-west", "http://127.0.0.1:2")


def test_tables() -> None:
    """Models are sorted by full id; a bare id belongs to the first instance by name that has it."""
    lists = {"openai-west": [Listed("b", 5), Listed("a/x")], "openai-east": [Listed("b", 6)]}
    catalog = Catalog([WEST, EAST], lists)
    assert catalog.models == (
        Model("openai-east/b", 6, "openai-east"),
        Model("openai-west/a/x", 0, "openai-west"),
        Model("openai-west/b", 5, "openai-west"),
    )
    assert catalog.owners("b") == [EAST, WEST]
    assert catalog.owners("a/x") == [WEST]
    assert catalog.owners("c") == ()
    assert catalog.has(WEST, "a/x")
    assert not catalog.has(EAST, "a/x")
    assert catalog.of("openai-west", "b") == Model("openai-west/b", 5, "openai-west")
    assert catalog.of("openai-east", "a/x") is None
    assert catalog.find("b") == catalog.find("openai-east/b")
    assert catalog.find("openai-west/b") == Model("openai-west/b", 5, "openai-west")
    assert catalog.find("a/x") == Model("openai-west/a/x", 0, "openai-west")
    assert catalog.find("openai-east/zz") is None


def test_finding_among_those_that_may_be_seen() -> None:
    """A bare id means the first instance whose model may be seen."""
    catalog = Catalog([EAST, WEST], {"openai-west": [Listed("b")], "openai-east": [Listed("b")]})
    found = catalog.find("b", lambda model: model.owned_by == "openai-west")
    assert found is not None
    assert found.id == "openai-west/b"
    assert catalog.find("b", lambda model: False) is None


def test_empty() -> None:
    """Without lists there is nothing to find."""
    catalog = Catalog([EAST], {})
    assert catalog.models == ()
    assert catalog.find("b") is None


def test_what_is_known_of_a_model() -> None:
    """The price list counts least, then the provider's own list, then config.yaml: a bare id, the
    vendor's, the instance's, and what stands with the instance."""
    instance = make_instance(VENDORS["openai"], "openai-east", "http://127.0.0.1:1")
    told = Metadata(display_name="told", max_output_tokens=3)
    known = {
        "openai-east": {
            "b": Metadata(
                display_name="known",
                description="of the price list",
                context_window=1,
                pricing=Pricing(currency="USD", input_per_mtok=1.0, output_per_mtok=2.0),
            )
        }
    }
    configured = {
        "b": Metadata(context_window=2, family="bare"),
        "openai/b": Metadata(family="vendor", tags=("v",)),
        "openai-east/b": Metadata(family="instance", pricing=Pricing(output_per_mtok=9.0)),
    }
    catalog = Catalog([instance], {"openai-east": [Listed("b", 0, told)]}, known, configured)
    assert catalog.models[0].metadata == Metadata(
        display_name="told",
        description="of the price list",
        family="instance",
        tags=("v",),
        context_window=2,
        max_output_tokens=3,
        pricing=Pricing(currency="USD", input_per_mtok=1.0, output_per_mtok=9.0),
    )
    assert Catalog([EAST], {"openai-east": [Listed("z")]}).models[0].metadata is UNSET
