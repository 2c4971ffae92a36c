"""What the lists of the admin API have in common: filters, pages by cursor, JSON or CSV."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ingress.admin import Asking, Said
from ingress.heads import Head, place
from ingress.periods import Span
from ingress.tabular import lines
from schemas.analytics import COUNTED, View, Wanted, Where
from schemas.clock import from_rfc3339
from schemas.errors import InvalidRequest

LISTED = (
    *("model", "requested_model", "provider", "user_path", "auth_key_id", "outcome", "operation"),
    *("status_code", "error_code", "stream", "search", "limit", "offset", "cursor"),
)
LIMIT, MOST = 50, 200
CSV = b"text/csv; charset=utf-8"
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
_decode = msgspec.json.Decoder(tuple[str, str]).decode
_encode = msgspec.json.Encoder().encode


def said_in(asking: Asking, *names: str) -> dict[str, str]:
    """What the query says; what is mistyped must not make it mean more."""
    said = {each: values[0] for each, values in asking.request.args.items() if values}
    if unknown := sorted(said.keys() - {*names}):
        raise InvalidRequest(
            f"`{unknown[0][:50]}` is unknown: there are {', '.join(names)}.", param=unknown[0][:50]
        )
    if said.get("format", "json") not in ("json", "csv"):
        raise InvalidRequest("`format` must be json or csv.", param="format")
    return said


def asked_for(asking: Asking, said: Mapping[str, str], hits: bool | None) -> Where:  # a filter
    """Of whom; a client sees what is its own, a key of one path what is that path's."""
    principal = asking.principal
    client = principal.name if principal.role == "client" else said.get("auth_key_id")
    return Where(
        model=said.get("model"),
        provider=said.get("provider"),
        user_path=principal.path(said.get("user_path", "/")),
        client=client,
        hits=hits,
    )


def wanted(said: Mapping[str, str], span: Span, where: Where, view: View) -> Wanted:
    """The question for a page; InvalidRequest."""
    return Wanted(
        since=span.since,
        until=span.until,
        requested_model=said.get("requested_model"),
        model=where.model,
        provider=where.provider,
        user_path=where.user_path,
        client=where.client,
        outcome=said.get("outcome"),
        operation=said.get("operation"),
        status=_number(said, "status_code", 999),
        error=said.get("error_code"),
        stream=_boolean(said, "stream"),
        hits=where.hits,
        view=view,
        search=said.get("search"),
        before=_before(said),
        offset=_number(said, "offset", COUNTED) or 0,
        limit=max(_number(said, "limit", MOST) or LIMIT, 1),
    )


def paged(
    said: dict[str, str],
    question: Wanted,
    total: int,
    heads: Sequence[Head],
    entries: list[dict[str, Any]],
) -> Said:
    """A page as CSV, or as JSON with where the next one begins; `heads` are those of its entries."""
    if said.get("format") == "csv":
        return table(said, entries)
    return Said(
        {
            "entries": entries,
            "total": min(total, COUNTED),
            "total_is_exact": total <= COUNTED,
            "limit": question.limit,
            "offset": question.offset,
            "next_cursor": cursor_after(heads, question.limit),
        }
    )


def cursor_after(heads: Sequence[Head], limit: int) -> str | None:
    """Where the next page begins; None after the last one."""
    if len(heads) < limit:
        return None
    return base64.urlsafe_b64encode(_encode(place(heads[-1]))).decode().rstrip("=")


def named(asking: Asking, instance: str | None) -> str | None:
    """The vendor of an instance, as far as this process knows it."""
    if not instance:
        return None
    return asking.gateway.catalog.vendor(instance) or instance


def table(said: Mapping[str, str], rows: Any) -> Said:
    """As JSON or, if that was asked for, as CSV."""
    if said.get("format") != "csv":
        return Said(rows)
    return Said(lines(rows if isinstance(rows, list) else [rows]), media=CSV)


def _before(said: Mapping[str, str]) -> tuple[str, str] | None:
    if (text := said.get("cursor")) is None:
        return None
    try:
        moment, request_id = _decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        from_rfc3339(moment)
    except (ValueError, binascii.Error):  # msgspec's errors are ValueErrors
        raise InvalidRequest("`cursor` must be one that a page gave.", param="cursor") from None
    return moment, request_id


def _number(said: Mapping[str, str], name: str, most: int) -> int | None:
    given = said.get(name)
    if given is None:
        return None
    if not (given.isascii() and given.isdecimal() and len(given) < 10 and int(given) <= most):
        raise InvalidRequest(f"`{name}` must be a whole number up to {most}.", param=name)
    return int(given)


def _boolean(said: Mapping[str, str], name: str) -> bool | None:
    if (given := said.get(name)) is None:
        return None
    if given not in _BOOLEANS:
        raise InvalidRequest(f"`{name}` must be true or false.", param=name)
    return _BOOLEANS[given]
