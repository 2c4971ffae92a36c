"""What is said of instances, in the environment and in `config.yaml`, before it is understood."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from providers.fields import BadVariable, listed
from providers.vendors import VENDORS, Vendor
from schemas.prices import Metadata

__all__ = ["BadVariable", "Given", "fields_of", "from_environment", "overlaid"]

_SUFFIX = re.compile(r"[A-Za-z0-9]+(_[A-Za-z0-9]+)*")
# Further keys are numbered from 2, as GoModel has it; or a list, as others have it.
_NUMBERED = re.compile(r"_(API_KEY_(?:[2-9]|[1-9][0-9]+))$")
_COMMON = (
    *("API_KEY", "API_KEYS", "BASE_URL", "MODELS", "PROXY_URL", "MAX_CONCURRENCY"),
    "DIALECT",
)


class Given(Struct, frozen=True, kw_only=True):
    """One instance as it is said: fields are named as the ends of their variables are."""

    name: str
    vendor: str
    fields: dict[str, str]
    names: dict[str, str]  # field to where it stands: a variable, or a key of config.yaml
    prefix: str = ""  # of its variables; empty if it is only in config.yaml
    metadata: dict[str, Metadata] = {}

    def called(self, field: str) -> str:
        """What to call a field in a message, also one that is missing."""
        if field in self.names:
            return self.names[field]
        return f"{self.prefix}_{field}" if self.prefix else f"providers.{self.name}.{field.lower()}"

    @property
    def keys(self) -> list[tuple[str, str]]:
        """Keys and where they stand: the first, those of the list, the numbered ones."""
        found: dict[str, str] = {}
        if key := self.fields.get("API_KEY"):
            found[key] = self.called("API_KEY")
        for key in listed(self.fields.get("API_KEYS", "")):
            found.setdefault(key, self.called("API_KEYS"))
        numbered = (field for field in self.fields if field.startswith("API_KEY_"))
        for field in sorted(numbered, key=lambda field: int(field.rpartition("_")[2])):
            found.setdefault(self.fields[field], self.called(field))
        return list(found.items())


def fields_of(vendor: Vendor) -> tuple[str, ...]:
    """What may be said of an instance of this vendor; its further keys may be numbered."""
    more = ["API_VERSION"] if vendor.api_versions else []
    return (*_COMMON, *more, *_of_all(vendor))


def _of_all(vendor: Vendor) -> Iterator[str]:
    """What the environment says of all instances of a vendor at once."""
    yield from (tail for tail, _ in vendor.header_variables)
    if vendor.default_max_tokens is not None:
        yield "DEFAULT_MAX_TOKENS"


def from_environment(
    environment: Mapping[str, str], problems: list[BadVariable]
) -> dict[tuple[str, str], Given]:
    """By vendor and suffix."""
    found = {}
    for vendor in VENDORS.values():
        for suffix, given in _grouped(vendor, environment, problems).items():
            # A list or a version alone configures nothing: Ollama's server has an OLLAMA_MODELS, too.
            if suffix or any(field == "BASE_URL" or "API_KEY" in field for field in given.fields):
                found[vendor.name, suffix] = given
    return found


def overlaid(
    environment: Mapping[tuple[str, str], Given], table: Sequence[Given], notes: list[str]
) -> Iterator[Given]:
    """The table's instances with the environment's fields over them, and those only the latter has.

    Bare variables belong to the instance of the vendor's name, else to the only one of that vendor.
    """
    rest = dict(environment)
    by_name = {given.name: given for given in table}
    for (vendor, suffix), given in environment.items():
        of_vendor = [one for one in table if one.vendor == vendor]
        under = by_name.get(given.name)
        if under is None and not suffix and len(of_vendor) == 1:
            under = of_vendor[0]
        if under is None:
            if not suffix and of_vendor:
                names = " and ".join(one.name for one in of_vendor)
                notes.append(f"{given.prefix}_… is left out: it may mean {names} in config.yaml")
                del rest[vendor, suffix]
            continue
        by_name[under.name] = replace(
            under,
            fields=under.fields | given.fields,
            names=under.names | given.names,
            prefix=given.prefix,
        )
        del rest[vendor, suffix]
    yield from by_name.values()
    yield from rest.values()


def _grouped(
    vendor: Vendor, environment: Mapping[str, str], problems: list[BadVariable]
) -> dict[str, Given]:
    """By suffix, in capitals and with its underscore; values that say nothing are not there."""
    prefix = vendor.name.upper()
    values = {
        variable: value
        for variable, raw in sorted(environment.items())
        # A value that still holds `${` is a template that nobody filled in.
        if (value := raw.strip()) and "${" not in value and variable.startswith(prefix + "_")
    }
    groups: dict[str, Given] = {}
    for variable, value in values.items():
        if (found := _field(vendor, variable)) is None:
            continue
        suffix, field = found
        if suffix and not _SUFFIX.fullmatch(suffix[1:]):
            reason = "names no instance: letters, digits, single underscores"
            problems.append(BadVariable(variable, reason))
            continue
        name = (vendor.name + suffix.replace("_", "-")).lower()
        group = groups.setdefault(
            suffix.upper(),
            Given(name=name, vendor=vendor.name, fields={}, names={}, prefix=prefix + suffix),
        )
        if field in group.fields:
            reason = "differs from another variable only in its letters' case"
            problems.append(BadVariable(variable, reason))
            continue
        group.fields[field] = value
        group.names[field] = variable
    for field in _of_all(vendor):
        variable = f"{prefix}_{field}"
        if variable in values:
            for group in groups.values():
                group.fields.setdefault(field, values[variable])
                group.names.setdefault(field, variable)
    return groups


def _field(vendor: Vendor, variable: str) -> tuple[str, str] | None:
    """Suffix, with its underscore, and field."""
    rest = variable.removeprefix(vendor.name.upper())
    if match := _NUMBERED.search(rest):
        return rest[: match.start()], match[1]
    more = ("API_VERSION",) if vendor.api_versions else ()
    for field in (*_COMMON, *more):
        if rest.endswith("_" + field):
            return rest.removesuffix("_" + field), field
    return None
