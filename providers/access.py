"""Which models may be called from where: allow-lists by user path."""

from __future__ import annotations

from collections.abc import Mapping

from schemas.models import Allowed


class Access:
    """`overrides`: selector to the user paths that may use what it selects.

    Selectors are `/` (everything), `instance/`, `instance/model` and `model`. The most exact one
    that there is decides: instance and model, then instance, then model, then everything; without
    any, `default` does.
    """

    __slots__ = ("_default", "_overrides")

    def __init__(self, default: bool, overrides: Mapping[str, tuple[str, ...]]) -> None:
        self._default = default
        self._overrides = dict(overrides)

    @property
    def open(self) -> bool:
        """Everything may be called from everywhere."""
        return self._default and not self._overrides

    def allows(self, instance: str, model: str, user_path: str) -> bool:
        """Whether a model of an instance may be called from a user path."""
        found = self.of(instance, model)
        if found.selector is None:
            return found.default
        return any(_within(user_path, path) for path in found.user_paths)

    def of(self, instance: str, model: str) -> Allowed:
        """What decides on a model of an instance."""
        for selector in (f"{instance}/{model}", f"{instance}/", model, "/"):
            if (paths := self._overrides.get(selector)) is not None:
                return Allowed(self._default, selector, paths)
        return Allowed(self._default)


def _within(user_path: str, path: str) -> bool:
    """Whether a user path is that path or below it."""
    root = path.rstrip("/")
    return user_path == root or user_path.startswith(root + "/")
