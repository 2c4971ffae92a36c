"""Look-up tables of models."""

from providers.catalog import Catalog, Listed
from providers.instances import make_instance
from providers.vendors import VENDORS
from schemas.models import Model

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
    assert catalog.owner("b") is EAST
    assert catalog.owner("a/x") is WEST
    assert catalog.owner("c") is None
    assert catalog.has(WEST, "a/x")
    assert not catalog.has(EAST, "a/x")
    assert (
        catalog.find("b")
        == catalog.find("openai-east/b")
        == Model("openai-east/b", 6, "openai-east")
    )
    assert catalog.find("openai-west/b") == Model("openai-west/b", 5, "openai-west")
    assert catalog.find("a/x") == Model("openai-west/a/x", 0, "openai-west")
    assert catalog.find("openai-east/zz") is None


def test_empty() -> None:
    """Without lists there is nothing to find."""
    catalog = Catalog([EAST], {})
    assert catalog.models == ()
    assert catalog.find("b") is None
