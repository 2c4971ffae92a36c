"""Checks of the providers: address and key."""

from __future__ import annotations

import asyncio

from providers.base import Endpoint
from providers.discovery import list_request, parse_list
from providers.instances import Instance
from providers.transport import Transport
from schemas.errors import GatewayError
from sluice.doctor.finding import Finding
from sluice.settings import Settings, configs

TIMEOUT = 14.0  # seconds for one provider
MAX_LIST = 16 << 20  # bytes of a model list


async def check_providers(settings: Settings) -> list[Finding]:
    """Each instance's list of models, which asks for the key."""
    found = configs.instances(settings)
    if not found:
        detail = "no instance: `sluice serve` will start the simulated provider"
        mend = "Set a provider's key, OPENAI_API_KEY for example, to get real answers."
        return [Finding("providers", "note", detail, mend)]
    transport = Transport(configs.transport_config(settings))
    await transport.open()
    try:
        checks = (
            _check_provider(transport, instance, endpoint)
            for instance in found
            for endpoint in instance.endpoints
        )
        return await asyncio.gather(*checks)
    finally:
        await transport.close()


async def _check_provider(transport: Transport, instance: Instance, endpoint: Endpoint) -> Finding:
    subject = f"provider {instance.name}"
    if len(instance.endpoints) > 1:
        subject += f", key {endpoint.key + 1}"
    if not endpoint.models_url:
        return Finding(
            subject, "note", "it has no list of models, so that nothing can be asked", ""
        )
    prefix = instance.name.replace("-", "_").upper()
    try:
        async with asyncio.timeout(TIMEOUT):
            async with transport.send(list_request(endpoint)) as response:
                body = await response.read(MAX_LIST)
        if response.status in (401, 403):
            detail = f"HTTP {response.status}: it does not take this key"
            return Finding(subject, "wrong", detail, f"Check {prefix}_API_KEY.")
        if response.status != 200:
            detail = f"HTTP {response.status} at {endpoint.models_url}"
            return Finding(subject, "wrong", detail, f"Check {prefix}_BASE_URL.")
        models = parse_list(body)
    except (GatewayError, TimeoutError) as error:
        detail = f"{endpoint.models_url}: {str(error) or 'no answer'}"
        mend = f"Check {prefix}_BASE_URL and the way there (proxy, firewall)."
        return Finding(subject, "wrong", detail, mend)
    return Finding(subject, "ok", f"{len(models)} models")
