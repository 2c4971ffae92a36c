"""`/admin/api/v1`: dead letters, requests and replays, as the commands `sluice dlq`, `requests` and
`replay` have them."""

from __future__ import annotations

from urllib.parse import unquote

from msgspec import Raw

from ingress.admin import Asking, Said, answered
from ingress.guards import IncomingRequest
from ingress.wire import Answer
from schemas.errors import InvalidRequest, NotFound
from schemas.operating import Letters, Operations, Redrive, Rerun

MOST_LETTERS = 1000
LONGEST_WAIT = 60.0  # seconds


async def dead_letters(request: IncomingRequest) -> Answer:
    """GET: the last so many that are meant, the oldest first."""
    return await answered(request, _letters)


async def dead_letter(request: IncomingRequest, name: str) -> Answer:
    """GET: one whole, by its number or the id of its request."""
    return await answered(request, _letter, unquote(name))


async def redrive(request: IncomingRequest) -> Answer:
    """POST: produce them again."""
    return await answered(request, _redriven)


async def one_request(request: IncomingRequest, name: str) -> Answer:
    """GET: where requests of that name stand. DELETE: cancel them, and wait for their end."""
    work = _cancelled if request.method == "DELETE" else _standing
    return await answered(request, work, unquote(name))


async def replays(request: IncomingRequest) -> Answer:
    """GET: the runs of this process. POST: begin one."""
    return await answered(request, _begun if request.method == "POST" else _runs)


async def replay(request: IncomingRequest, name: str) -> Answer:
    """GET: how far it is, and when it has ended the comparison. DELETE: end it."""
    return await answered(request, _ended if request.method == "DELETE" else _run, name)


# -- what they do


async def _letters(asking: Asking) -> Said:
    said = _said(asking, "reason", "request", "since", "until", "limit")
    names = (said["request"],) if "request" in said else ()
    wanted = Letters(names, said.get("reason"), said.get("since"), said.get("until"))
    limit = int(_number(said, "limit", 100, MOST_LETTERS))
    return Said(Raw(await _operations(asking).dead_letters.overview(wanted, limit)))


async def _letter(asking: Asking, name: str) -> Said:
    return Said(Raw(await _operations(asking).dead_letters.show(name)))


async def _redriven(asking: Asking) -> Said:
    wanted = await asking.body(Redrive)
    if not any((wanted.letters, wanted.reason, wanted.since, wanted.until, wanted.all)):
        raise InvalidRequest("Say which: letters, reason, since, until, or all.")
    return Said(Raw(await _operations(asking).dead_letters.redrive(wanted)))


async def _standing(asking: Asking, name: str) -> Said:
    said = _said(asking, "since", "bodies")
    bodies = said.get("bodies") == "true"
    found = await _operations(asking).requests.show(name, said.get("since"), bodies=bodies)
    return Said(Raw(found))


async def _cancelled(asking: Asking, name: str) -> Said:
    said = _said(asking, "since", "wait")
    wait = _number(said, "wait", 10, LONGEST_WAIT)
    return Said(Raw(await _operations(asking).requests.cancel(name, said.get("since"), wait)))


async def _runs(asking: Asking) -> Said:
    return Said(Raw(_operations(asking).replays.overview()))


async def _begun(asking: Asking) -> Said:
    name, told = await _operations(asking).replays.begin(await asking.body(Rerun))
    place = f"{asking.gateway.config.base_path}/admin/api/v1/replays/{name}"
    return Said(Raw(told), 202, location=place)


async def _run(asking: Asking, name: str) -> Said:
    return Said(Raw(_operations(asking).replays.show(name)))


async def _ended(asking: Asking, name: str) -> Said:
    return Said(Raw(await _operations(asking).replays.end(name)))


def _operations(asking: Asking) -> Operations:
    if asking.gateway.operations is None:
        raise NotFound("This ingress does not operate the log.")
    return asking.gateway.operations


def _said(asking: Asking, *names: str) -> dict[str, str]:
    """What the query says; what is mistyped must not make it mean more."""
    said = {each: values[0] for each, values in asking.request.args.items() if values}
    if unknown := sorted(said.keys() - {*names}):
        raise InvalidRequest(
            f"`{unknown[0][:50]}` is unknown: there are {', '.join(names)}.", param=unknown[0][:50]
        )
    return said


def _number(said: dict[str, str], name: str, default: float, most: float) -> float:
    given = said.get(name)
    if given is None:
        return default
    if not (given.isascii() and given.isdecimal() and len(given) < 10 and int(given) <= most):
        raise InvalidRequest(f"`{name}` must be a whole number up to {most:.0f}.", param=name)
    return float(given)
