"""Checks of this machine: settings, data folder, port."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from sluice import ports
from sluice.doctor.finding import Finding
from sluice.settings import Settings, gateway, near_misses


async def check_settings(settings: Settings) -> list[Finding]:
    """Values that are right but perhaps not meant."""
    count = len(settings.origins)
    found = [Finding("settings", "ok", f"{count} set, the others have their defaults")]
    mend = "Correct its name or remove it."
    found += [Finding("settings", "note", problem, mend) for problem in near_misses(settings)]
    mend = "Remove it, or see docs/gomodel.md."
    found += [Finding("settings", "note", note, mend) for note in settings.notes]
    if settings[gateway.MASTER_KEY] is None:
        mend = "Set GOMODEL_MASTER_KEY, unless nobody else reaches the address."
        found.append(Finding("settings", "note", "the gateway is open: no master key", mend))
    return found


async def check_data_dir(settings: Settings) -> list[Finding]:
    """Whether the folder can be made and written."""
    problem = await asyncio.to_thread(unwritable, settings.data_dir)
    if problem:
        mend = "Set SLUICE_DATA_DIR to a folder that this user may write."
        return [Finding("data folder", "wrong", f"{settings.data_dir}: {problem}", mend)]
    return [Finding("data folder", "ok", f"{settings.data_dir} can be written")]


def unwritable(folder: Path) -> str | None:
    """The first folder above that exists decides, so that nothing is made here."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"x")
    except OSError as error:
        return error.strerror or str(error)
    return None


async def check_port(settings: Settings) -> list[Finding]:
    """Whether the ingress could listen, or does."""
    host, port = settings[gateway.HOST], settings[gateway.PORT]
    address = f"{host}:{port}"
    problem = await asyncio.to_thread(ports.problem, host, port)
    if problem is None:
        return [Finding("port", "ok", f"{address} is free")]
    if await _gateway_answers(host, port):
        return [Finding("port", "ok", f"a gateway answers at {address}")]
    return [Finding("port", "wrong", f"{address}: {problem}", "Set PORT or HOST to what is free.")]


async def _gateway_answers(host: str, port: int) -> bool:
    try:
        reader, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    try:
        writer.write(b"GET /health HTTP/1.1\r\nHost: doctor\r\nConnection: close\r\n\r\n")
        async with asyncio.timeout(2):
            return (await reader.readline()).startswith(b"HTTP/1.1 200")
    except (OSError, TimeoutError):
        return False
    finally:
        writer.close()
