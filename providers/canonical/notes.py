"""What a target could not be told of a request."""

from __future__ import annotations

from collections.abc import Mapping

from schemas.errors import InvalidRequest

# Members of bodies that give a model tools: what it cannot call it cannot answer by.
_TOOLS = frozenset({"mcp_servers"})


class Notes:
    """Collects what is left out. A field that changes the meaning is refused, unless the caller said
    that it may be dropped (`drop`)."""

    __slots__ = ("_dropped", "_names", "_target", "drop")

    def __init__(self, target: str, names: Mapping[str, str], *, drop: bool = False) -> None:
        self._target = target
        self._names = names
        self._dropped: dict[str, None] = {}
        self.drop = drop

    @property
    def dropped(self) -> tuple[str, ...]:
        """The caller's names of what was left out, in order, each once."""
        return tuple(self._dropped)

    def harmless(self, field: str) -> None:
        """Leave out a field without which the answer means the same."""
        self._dropped[self._names.get(field, field)] = None

    def unknown(self, field: str) -> None:
        """Leave out a member of the caller's body that has no field in the middle."""
        if field in _TOOLS:
            self.meaningful(field, "it reaches no tools of other servers")
        else:
            self.harmless(field)

    def meaningful(self, field: str, why: str = "") -> None:
        """Leave out a field that changes the answer: InvalidRequest unless it may be dropped."""
        name = self._names.get(field, field)
        if not self.drop:
            raise InvalidRequest(
                f"`{name}` cannot be passed on to this model's provider"
                f" ({why or f'its API, {self._target}, has nothing like it'});"
                " leave it out, or send the header `sluice-drop-params: true` to have it left out.",
                param=name,
            )
        self._dropped[name] = None
