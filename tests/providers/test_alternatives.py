"""Models that may stand in for another."""

from msgspec import UNSET

from providers.alternatives import alternatives
from schemas.models import Model
from schemas.prices import Metadata, Rank


def model(name: str, owner: str, **known: object) -> Model:
    metadata = Metadata(**known) if known else UNSET  # type: ignore[arg-type]  # test's own
    return Model(f"{owner}/{name}", 0, owner, metadata=metadata)


def ranked(name: str, owner: str, elo: float, **known: object) -> Model:
    rankings = {"chatbot_arena": Rank(elo=elo)}
    return model(name, owner, rankings=rankings, categories=("text",), modes=("chat",), **known)


def test_the_likest_come_first() -> None:
    """The same model elsewhere, its family, then those that are ranked as high; five at most."""
    wanted = ranked("big", "a", 1300, family="big")
    same, relative = model("big", "b"), ranked("big-2", "c", 900, family="big")
    near, far = ranked("near", "d", 1290), ranked("far", "e", 1000)
    others = [ranked(f"x{number}", "f", 500 + number) for number in range(9)]
    found = alternatives(wanted, [far, near, *others, relative, wanted, same])

    assert found == ["b/big", "c/big-2", "d/near", "e/far", "f/x8"]


def test_what_is_not_known_is_not_alike() -> None:
    """Without a ranking that has both, without a common category, or of another mode."""
    wanted = ranked("big", "a", 1300)
    others = [
        model("unknown", "b"),
        model("unranked", "b", categories=("text",)),
        ranked("embedding", "b", 1300).__class__(
            "b/e", 0, "b", metadata=Metadata(modes=("embedding",), family="big")
        ),
    ]

    assert alternatives(wanted, others) == []
    assert alternatives(model("big", "a"), [ranked("near", "b", 1300)]) == []
