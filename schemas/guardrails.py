"""Guardrails as `llm.config` and `config.yaml` have them, and what one says of a request."""

from __future__ import annotations

import re
from typing import Any, Literal, get_args

import msgspec
from msgspec import Raw, Struct

from schemas.errors import InvalidRequest
from schemas.objects import Kind
from schemas.usage import Usage

Phase = Literal["input", "output"]
OnError = Literal["open", "closed"]
Verb = Literal["block", "flag"]
Role = Literal["system", "user", "assistant", "tool"]
Action = Literal[
    "passed", "changed", "masked", "flagged", "blocked", "failed_open", "failed_closed"
]
TypeName = Literal[
    "system_prompt",
    "llm_based_altering",
    "pii",
    "block_list",
    "regex",
    "json_schema",
    "moderation",
    "webhook",
]
TYPES: tuple[TypeName, ...] = get_args(TypeName)
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
# The kinds of personal data that are known by themselves.
Recognised = Literal["EMAIL", "PHONE", "CREDIT_CARD", "IBAN", "IP_ADDRESS", "US_SSN", "API_KEY"]
RECOGNISED: tuple[Recognised, ...] = get_args(Recognised)
_LABEL = re.compile(r"[A-Z][A-Z0-9_]{0,30}")


class _Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all types say, or do without."""

    apply_to: tuple[Phase, ...] = ("input",)
    action: Verb = "block"
    on_error: OnError = "closed"
    message: str = ""  # for the caller who is refused


class SystemPrompt(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A system prompt: where there is none (inject), instead of all (override), in front (decorator)."""

    mode: Literal["inject", "override", "decorator"] = "inject"
    content: str


class Altering(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Texts are written anew by a model."""

    model: str
    provider: str = ""
    prompt: str = ""  # empty: one that takes personal data out
    roles: tuple[Role, ...] = ("user",)
    skip_content_prefix: str = ""
    max_tokens: int = 4096
    on_error: OnError = "open"


class Pattern(Struct, frozen=True, forbid_unknown_fields=True):
    """One more kind of personal data. The group `value` is what is masked, if there is one."""

    name: str  # in capitals: EMPLOYEE
    pattern: str


class Pii(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Personal data is masked in the question, and stands in the answer again."""

    entities: tuple[Recognised, ...] = RECOGNISED
    patterns: tuple[Pattern, ...] = ()
    roles: tuple[Role, ...] = get_args(Role)
    restore: bool = True
    store: Literal["masked", "original"] = "masked"  # which text the exchange holds


class BlockList(_Config, frozen=True, kw_only=True):
    """Words and phrases, whole ones unless said otherwise; case does not matter."""

    words: tuple[str, ...]
    whole_words: bool = True
    case_sensitive: bool = False
    roles: tuple[Role, ...] = ("user",)


class Regex(_Config, frozen=True, kw_only=True):
    """Patterns of which none may be found, or, `require`, of which one must be."""

    patterns: tuple[str, ...]
    require: bool = False
    roles: tuple[Role, ...] = ("user",)


class JsonSchema(_Config, frozen=True, kw_only=True):
    """A schema that the answer's text must satisfy as JSON; on `input` the body of the request."""

    schema: Raw
    apply_to: tuple[Phase, ...] = ("output",)


class Moderation(_Config, frozen=True, kw_only=True):
    """OpenAI's moderation, or one that speaks like it."""

    provider: str = "openai"  # an instance
    model: str = "omni-moderation-latest"
    categories: tuple[str, ...] = ()  # empty: all
    threshold: float | None = None  # of a score; None: as the model decides
    mode: Literal["sync", "parallel"] = "parallel"
    timeout: float = 5.0  # seconds
    on_error: OnError = "open"
    roles: tuple[Role, ...] = ("user",)


class Webhook(_Config, frozen=True, kw_only=True):
    """A service of one's own that decides."""

    url: str
    headers: dict[str, str] = {}
    mode: Literal["sync", "parallel"] = "sync"
    timeout: float = 5.0  # seconds
    roles: tuple[Role, ...] = get_args(Role)


Config = SystemPrompt | Altering | Pii | BlockList | Regex | JsonSchema | Moderation | Webhook
CONFIGS: dict[TypeName, type[Any]] = {
    "system_prompt": SystemPrompt,
    "llm_based_altering": Altering,
    "pii": Pii,
    "block_list": BlockList,
    "regex": Regex,
    "json_schema": JsonSchema,
    "moderation": Moderation,
    "webhook": Webhook,
}


class Guardrail(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One as it stands on `llm.config`."""

    type: TypeName
    config: Raw
    description: str = ""
    user_path: str = ""  # only of requests of that path, or below; empty: of all
    created_at: str = ""  # RFC 3339
    updated_at: str = ""


GUARDRAILS: Kind[Guardrail] = Kind("guardrails", Guardrail)


class Verdict(Struct, frozen=True, omit_defaults=True):
    """What one guardrail said of a request, as the exchange holds it."""

    name: str
    type: str
    action: Action
    phase: Phase = "input"
    reason: str | None = None
    count: int | None = None  # what was masked or changed
    seconds: float | None = None  # of one that asked somebody
    store: str | None = None  # of masked text: `original` if the exchange holds that
    restore: bool | None = None  # False: placeholders stay in the answer
    usage: Usage | None = None  # of a model that it called, which is part of no other count
    model: str | None = None


def config_of(type_: TypeName, raw: bytes) -> Config:
    """The configuration of a guardrail; InvalidRequest with what is wrong with it."""
    try:
        found: Config = msgspec.json.decode(raw, type=CONFIGS[type_])
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidRequest(f"`config` of a {type_}: {error}.", param="config") from error
    _checked(found)
    return found


def _checked(config: Config) -> None:
    if isinstance(config, Pii):
        for each in config.patterns:
            if not _LABEL.fullmatch(each.name):
                raise _wrong(f"`{each.name}` must be in capitals, digits and underscores")
    for pattern in _patterns(config):
        _compiled(pattern)
    if isinstance(config, BlockList) and not (config.words and all(map(str.strip, config.words))):
        raise _wrong("`words` must hold words")
    if isinstance(config, JsonSchema):
        _schema(config)
    if isinstance(config, Moderation | Webhook):
        _outside(config)


def _patterns(config: Config) -> tuple[str, ...]:
    if isinstance(config, Pii):
        return tuple(each.pattern for each in config.patterns)
    return config.patterns if isinstance(config, Regex) else ()


def _outside(config: Moderation | Webhook) -> None:
    if not 0 < config.timeout <= 600:
        raise _wrong("`timeout` must be between 0 and 600 seconds")
    if isinstance(config, Webhook) and not re.match(r"https?://[^/\s]", config.url):
        raise _wrong("`url` must be an http or https URL")


def _compiled(pattern: str) -> None:
    try:
        re.compile(pattern)
    except re.error as error:
        raise _wrong(f"the pattern `{pattern[:100]}` cannot be used: {error}") from error


def _schema(config: JsonSchema) -> None:
    import jsonschema  # only who checks by a schema pays for it

    try:
        schema = msgspec.json.decode(config.schema)
        jsonschema.validators.validator_for(schema).check_schema(schema)
    except jsonschema.SchemaError as error:
        raise _wrong(f"`schema` is no JSON schema: {error.message}") from error


def _wrong(what: str) -> InvalidRequest:
    return InvalidRequest(f"`config`: {what}.", param="config")
