"""What kind of model each one is."""

import pytest

from ingress.categories import categories_of
from schemas.models import Model
from schemas.prices import Metadata


@pytest.mark.parametrize(
    ("known", "category"),
    [
        (Metadata(categories=("image",), modes=("chat",)), {"image"}),
        (Metadata(categories=("of our own",), modes=("embedding",)), {"embedding"}),
        (Metadata(modes=("chat", "audio_speech")), {"text_generation", "audio"}),
        (Metadata(modes=("levitation",)), {"text_generation"}),
    ],
    ids=["said", "by its mode", "of both modes", "unknown mode"],
)
def test_what_is_said_counts_before_what_it_does(known: Metadata, category: set[str]) -> None:
    """Names that are no categories say nothing; every model is one of all."""
    assert categories_of(Model("i/m", 0, "i", metadata=known)) == category | {"all"}


def test_of_which_nothing_is_known() -> None:
    """It is taken for one that writes text."""
    assert categories_of(Model("i/m", 0, "i")) == {"text_generation", "all"}
