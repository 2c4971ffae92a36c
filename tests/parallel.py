"""How pytest-xdist divides the tests among its workers (`--dist loadgroup`)."""

import pytest

# Long ones first, so that at the end no worker is left alone with one; the rest takes milliseconds.
FIRST = ("crash", "contracts", "e2e", "gomodel", "node", "sdk", "docs", "sinks", "sluice")

OWN_SERVICE = "own_service"


def arrange(items: list[pytest.Item]) -> None:
    """Tests of one stack stay together, in one worker; a stack is what a module's fixture starts.

    So do those with a service of their own: two more servers that start at once are a load.
    """
    for item in items:
        if item.get_closest_marker("xdist_group"):
            continue
        if group := _group(item):
            item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=_rank)


def name_groups(items: list[pytest.Item]) -> None:
    """Make what xdist did visible: it writes a test's group behind the name `_nodeid`, of which pytest
    takes no notice since 9.2; xdist 3.8 then divides as if there were no groups, and says nothing."""
    for item in items:
        written = getattr(item, "_nodeid", item.nodeid)
        if written != item.nodeid and written.startswith(f"{item.nodeid}@"):
            *outer, last = written.split("::")[1:]
            # With what stands in brackets as part of its name: the group is written behind them.
            item._id = type(item.id)(path=item.id.path, names=(*outer, last))


def _group(item: pytest.Item) -> str | None:
    found = [name for name in getattr(item, "fixturenames", ()) if _is_shared(item, name)]
    if not found:
        return OWN_SERVICE if "own_service" in getattr(item, "fixturenames", ()) else None
    callspec = getattr(item, "callspec", None)
    params = callspec.params if callspec is not None else {}
    kinds = [str(params[name]) for name in found if name in params]
    module = item.nodeid.partition("::")[0].removeprefix("tests/").removesuffix(".py")
    return "-".join([module.replace("/", "."), *kinds])


def _is_shared(item: pytest.Item, name: str) -> bool:
    """Whether a fixture is made once for several tests and is worth keeping them together."""
    definitions = item.session._fixturemanager.getfixturedefs(name, item) or ()
    return any(
        each.scope == "module" or (each.scope == "session" and each.params is not None)
        for each in definitions
    )


def _rank(item: pytest.Item) -> tuple[int, bool]:
    folder = item.nodeid.partition("/")[2].partition("/")[0]
    place = FIRST.index(folder) if folder in FIRST else len(FIRST)
    return place, item.get_closest_marker("xdist_group") is None
