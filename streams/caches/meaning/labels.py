"""By what a kept question can be forgotten."""

from __future__ import annotations

from collections.abc import Iterator

from streams.caches import entry as entries
from streams.caches.base import CacheUnavailable
from streams.caches.vectors.base import All, ByLabel, Selection, VectorError, VectorStore

_NAMED = 16  # of a key's digits stand in its label


def labels(entry: entries.Entry, group: str) -> tuple[str, ...]:
    """Of an answer under the key of the first question that has it."""
    models = {entry.request_model, entry.model, f"{entry.provider}/{entry.model}"}
    return (
        f"key:{entry.key[:_NAMED]}",
        f"group:{group[:_NAMED]}",
        *(f"tag:{tag}" for tag in entry.tags),
        *(f"model:{model}" for model in sorted(models)),
        *(f"path:{path}" for path in _above(entry.user_path)),
    )


def _above(path: str) -> Iterator[str]:
    """A user path, and those above it."""
    yield "/"
    names = [name for name in path.split("/") if name]
    for count in range(1, len(names) + 1):
        yield "/" + "/".join(names[:count])


def selections(which: entries.Selection) -> tuple[Selection, ...]:
    """What to remove. A store knows one label at a time: of several things that are said, the first of
    these alone decides, so that more may be forgotten than was meant, and never less."""
    if which.key is not None:
        return ByLabel(f"key:{which.key[:_NAMED]}"), ByLabel(f"group:{which.key[:_NAMED]}")
    if which.tag is not None:
        return (ByLabel(f"tag:{which.tag}"),)
    if which.user_path is not None:
        *_, path = _above(which.user_path)
        return (ByLabel(f"path:{path}"),)
    if which.model is not None:
        return (ByLabel(f"model:{which.model}"),)
    return (All(),)


class Forgetting:
    """A store of vectors as what can be purged."""

    def __init__(self, store: VectorStore) -> None:
        self._store = store

    async def purge(self, which: entries.Selection) -> int:
        """How many is not known: 0. CacheUnavailable if it may not have been done."""
        try:
            for selection in selections(which):
                await self._store.remove(selection)
        except VectorError as error:
            raise CacheUnavailable(str(error)) from error
        return 0
