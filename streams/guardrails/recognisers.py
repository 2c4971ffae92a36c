"""Finds what names or belongs to a person, by form and by checksum. Pure; asks nobody."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct


class Span(Struct, frozen=True):
    """A piece of a text."""

    start: int
    end: int
    kind: str


class Recogniser(Struct, frozen=True):
    """One kind: what it looks like, and what else must be true of it. The group `value` is what counts,
    if the pattern has it."""

    kind: str
    pattern: re.Pattern[str]
    holds: Callable[[str], bool] = lambda text: True


def luhn(text: str) -> bool:
    """The checksum of card numbers (ISO/IEC 7812-1)."""
    digits = [int(each) for each in text if each.isdecimal()]
    if not 13 <= len(digits) <= 19 or len(set(digits)) == 1:
        return False
    total = 0
    for place, digit in enumerate(reversed(digits)):
        twice = digit * 2 if place % 2 else digit
        total += twice - 9 if twice > 9 else twice
    return total % 10 == 0


def iban(text: str) -> bool:
    """The checksum of account numbers (ISO 13616): 1 modulo 97."""
    bare = re.sub(r"[ \-]", "", text).upper()
    if not 15 <= len(bare) <= 34:
        return False
    turned = bare[4:] + bare[:4]
    return int("".join(str(int(each, 36)) for each in turned)) % 97 == 1


def address(text: str) -> bool:
    """An IP address, of either version."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def phone(text: str) -> bool:
    """As long as a telephone number, and written as one: with a plus or with its groups apart."""
    digits = sum(each.isdecimal() for each in text)
    if text.startswith("+"):
        return 8 <= digits <= 15
    return 9 <= digits <= 13 and not re.fullmatch(r"\d{4}[-./]\d{2}[-./]\d{2}.*", text)


def social_security(text: str) -> bool:
    """A number that the US Social Security Administration can have given."""
    area, group, serial = text.split("-")
    return area not in ("000", "666") and area < "900" and group != "00" and serial != "0000"


_KEYS = (
    r"sk-[A-Za-z0-9_\-]{16,}",  # OpenAI's, Anthropic's and ours
    r"sk_(?:gom|live|test)_[A-Za-z0-9_\-]{16,}",
    r"gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,}",
    r"(?:AKIA|ASIA)[A-Z0-9]{16}",
    r"AIza[A-Za-z0-9_\-]{35}",
    r"xox[abeoprs]-[A-Za-z0-9\-]{10,}",
    r"(?:gsk|hf|xai|r8|glpat|npm|pypi)[_-][A-Za-z0-9_\-]{20,}",
    r"eyJ[A-Za-z0-9_\-]{10,}\.eyJ[A-Za-z0-9_\-]{10,}\.[A-Za-z0-9_\-]{10,}",  # JSON web tokens
)
# In the order in which they count where two of equal length begin at one place.
BUILT_IN: dict[str, Recogniser] = {
    each.kind: each
    for each in (
        Recogniser(
            "EMAIL",
            re.compile(
                r"(?<![\w.%+\-])[\w.%+\-]{1,64}@(?:[^\W_](?:[\w\-]{0,61}[^\W_])?\.)+[^\W\d_]{2,24}(?![\w\-])"
            ),
        ),
        Recogniser("API_KEY", re.compile(rf"(?<![A-Za-z0-9_\-])(?:{'|'.join(_KEYS)})")),
        Recogniser(
            "IBAN",
            re.compile(
                r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?:[ \-]?[A-Z0-9]{4}){2,7}(?:[ \-]?[A-Z0-9]{1,3})?(?![A-Za-z0-9])"
            ),
            iban,
        ),
        Recogniser(
            "CREDIT_CARD", re.compile(r"(?<![\d.\-])\d(?:[ \-]?\d){12,18}(?![\d\-]|\.\d)"), luhn
        ),
        Recogniser(
            "US_SSN", re.compile(r"(?<![\d\-])\d{3}-\d{2}-\d{4}(?![\d\-])"), social_security
        ),
        Recogniser(
            "IP_ADDRESS",
            re.compile(
                r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}(?![\w]|\.\d)"
                r"|(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![\w:]))"
            ),
            address,
        ),
        Recogniser(
            "PHONE",
            re.compile(
                r"(?<![\w+.\-])(?<!\d )(?:\+\d{1,3}[ \-.]?(?:\(\d{1,4}\)[ \-.]?)?\d(?:[ \-./]?\d){5,12}"
                r"|(?:\(\d{2,4}\)[ \-.]?|0?\d{2,4}[ \-./])\d{3,4}[ \-./]\d{3,5})(?![\w\-]|[ .]\d)"
            ),
            phone,
        ),
    )
}


def found(text: str, recognisers: Iterable[Recogniser]) -> Sequence[Span]:
    """What is recognised, in order; of two that overlap the one that begins first, else the longer one."""
    spans: list[tuple[int, int, int, str]] = []
    for rank, each in enumerate(recognisers):
        group = "value" if "value" in each.pattern.groupindex else 0
        for match in each.pattern.finditer(text):
            start, end = match.span(group)
            if start < end and each.holds(text[start:end]):
                spans.append((start, -end, rank, each.kind))
    spans.sort()
    kept: list[Span] = []
    for start, end, _, kind in spans:
        if not kept or start >= kept[-1].end:
            kept.append(Span(start, -end, kind))
    return kept
