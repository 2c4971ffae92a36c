"""Settings as operators are shown them: all of them, with their places and without a secret."""

from __future__ import annotations

from importlib import metadata
from urllib.parse import urlsplit

from providers.instances import Instance
from schemas.configured import Configuration, ProviderShown, SettingShown
from sluice.settings import Settings, gateway, gomodel, near_misses
from sluice.settings.render import shown
from sluice.settings.table import GROUPS

# Of these nobody sets anything for what it does.
_LEFT_OUT = (gateway.INTERNAL_GROUP,)


def version() -> str:
    """The installed version; a source tree that is not installed has none."""
    try:
        return metadata.version("sluice")
    except metadata.PackageNotFoundError:
        return "(not installed)"


def configuration(settings: Settings) -> Configuration:
    """What a process of these settings was started with."""
    rows = [
        SettingShown(
            row.name,
            group.title,
            shown(settings, row),
            settings.origins.get(row.name, "default"),
            row.summary,
        )
        for group in GROUPS
        if group not in _LEFT_OUT
        for row in group.settings
        # GoModel's that mean nothing here are told of where they are set.
        if group is not gomodel.GROUP or row.name in settings.origins
    ]
    return Configuration(
        version(),
        tuple(rows),
        tuple(map(_provider, settings.providers.instances)),
        (*settings.notes, *near_misses(settings)),
    )


def _provider(instance: Instance) -> ProviderShown:
    endpoint = instance.endpoint
    return ProviderShown(
        instance.name,
        instance.vendor,
        _address(endpoint.base_url),
        len(instance.endpoints),
        len(instance.models),
        tuple(endpoint.routes),
    )


def _address(url: str) -> str:
    """Without the user and the query, in which a secret may stand."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"
