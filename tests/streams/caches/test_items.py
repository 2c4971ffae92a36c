"""Embeddings, text by text."""

import json

import pytest
from msgspec import Raw

from schemas.errors import UpstreamError
from schemas.identity import Question
from streams.caches import items


def asked(given: object) -> Question:
    return Question((), {"input": given, "dimensions": 3})


@pytest.mark.parametrize(
    ("given", "texts"),
    [
        ("a", ["a"]),
        (["a", "b"], ["a", "b"]),
        ([1, 2], [[1, 2]]),
        ([[1], [2]], [[1], [2]]),
        ([], []),
        (None, [None]),
    ],
)
def test_texts(given: object, texts: list[object]) -> None:
    """A list of numbers is one text, in tokens."""
    assert items.texts(asked(given)) == texts
    assert len(items.keys(asked(given), ("sim/m",))) == len(texts)


def test_a_text_has_one_name() -> None:
    """Alone or among others; but another one with other dimensions or of another model."""
    alone, both = asked("a"), asked(["b", "a"])
    models = ("sim/m",)

    assert items.keys(alone, models)[0] == items.keys(both, models)[1]
    assert items.keys(alone.of(dimensions=4), models) != items.keys(alone, models)
    assert items.keys(alone, ("sim/n",)) != items.keys(alone, models)


def test_vectors() -> None:
    """They come in the order of their numbers; the rest of the answer stays."""
    body = b'{"model":"m","data":[{"index":1,"embedding":[2.50]},{"index":0,"embedding":"AA"}]}'
    found = items.vectors(body, 2)

    assert [bytes(vector) for vector in found] == [b'"AA"', b"[2.50]"]
    told = items.together(found, items.rest_of(body))
    assert json.loads(told)["model"] == "m"
    assert b"[2.50]" in told
    assert items.asking(b'{"input":["a","b"],"model":"m"}', ["b"]) == b'{"input":["b"],"model":"m"}'


@pytest.mark.parametrize(
    "body", [b"", b"{}", b'{"data":[]}', b'{"data":[{"index":3,"embedding":[]}]}']
)
def test_what_does_not_fit(body: bytes) -> None:
    """An answer with another number of vectors is the provider's mistake."""
    with pytest.raises(UpstreamError):
        items.vectors(body, 1)


def test_an_answer_for_which_nobody_was_asked() -> None:
    """It used nothing."""
    told = json.loads(items.together([Raw(b"[1]")], items.nothing_used("m")))
    assert told["usage"] == {"prompt_tokens": 0, "total_tokens": 0}
    with pytest.raises(UpstreamError):
        items.rest_of(b"[")
