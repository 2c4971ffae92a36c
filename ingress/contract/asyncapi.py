"""AsyncAPI 3.0 of the topics: https://www.asyncapi.com/docs/reference/specification/v3.0.0"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from ingress.contract.about import JSON, VERSION
from ingress.contract.components import Schemas
from ingress.contract.records import CONTROL, DEAD, EXCHANGE, OBJECT, OWN, REPLY, REQUEST, Headers
from ingress.contract.shapes import RoutingTables
from schemas.control import Cancellation, Handled, Heartbeat, Purge
from schemas.exchange import REDELIVERED_TYPE, SHOWN_TYPES, Exchange
from schemas.idempotency import Kept
from schemas.kinds import KINDS
from schemas.replies import TYPES as REPLY_TYPES
from schemas.routing_sets import RoutingSet
from schemas.topics import Retention, Topic, Topics, table

Json = dict[str, Any]
Way = Literal["send", "receive"]
_ABOUT = (
    "What stands on the topics of a Sluice gateway, as the gateway sees it: it receives requests and sends"
    " answers and outcomes. A service that asks by Kafka sends to `requests` and reads the topic that it"
    " names in `kafka_replyTopic`. All headers of a request are optional."
)
_KEPT = ("cleanup.policy", "max.message.bytes")


class Message(Struct, frozen=True):
    """One kind of record. `payload`: what its JSON is, None if the value is somebody's bytes."""

    name: str
    about: str
    key: str
    headers: Headers
    payload: object = None


_REQUEST = Message(
    "request",
    "A request: the client's body, byte for byte, in the dialect that `sluice-dialect` names.",
    "The request id, or any key of yours.",
    REQUEST | OWN,
)
_REPLY = Message(
    "reply",
    "A piece of the answer: those of one attempt, one after the other, are the HTTP body.",
    "The request id.",
    REPLY,
)
_EXCHANGE = Message(
    "exchange",
    "One request's one outcome, with both bodies.",
    "The request id.",
    EXCHANGE,
    Exchange,
)
_KEY = Message("idempotencyKey", "Which outcome answers a key.", "Hash of owner and key.", {}, Kept)
_CONTROL = tuple(
    Message(name, kind.__doc__ or "", "None.", CONTROL, kind)
    for name, kind in (
        ("cancellation", Cancellation),
        ("heartbeat", Heartbeat),
        ("purge", Purge),
        ("handled", Handled),
    )
)
_SHAPES: dict[type, object] = {RoutingSet: RoutingTables}
_OBJECTS = tuple(
    Message(
        each.name,
        each.type.__doc__ or "",
        f"`{each.name}/<name>`.",
        OBJECT,
        _SHAPES.get(each.type, each.type),
    )
    for each in KINDS
)
_LETTER = Message(
    "deadLetter",
    "The original bytes and headers, with those that say why it died.",
    "As it was.",
    DEAD,
)
# Channel: its messages and what the gateway does with them.
_CHANNELS: dict[str, tuple[tuple[Message, ...], tuple[Way, ...]]] = {
    "requests": ((_REQUEST,), ("receive",)),
    "batch": ((_REQUEST,), ("receive",)),
    "replies": ((_REPLY,), ("send",)),
    "exchanges": ((_EXCHANGE,), ("send",)),
    "idempotency": ((_KEY,), ("send", "receive")),
    "control": (_CONTROL, ("send", "receive")),
    "config": (_OBJECTS, ("send", "receive")),
    "dead_letters": ((_LETTER,), ("send",)),
}
_TYPES = {
    "request": REQUEST["ce_type"][1]["enum"],
    "reply": sorted(each.decode() for each in REPLY_TYPES.values()),
    "exchange": sorted(each.decode() for each in (*SHOWN_TYPES, REDELIVERED_TYPE)),
}


def document(topics: Topics) -> Json:
    """The document of these topics. What settings say of them, partitions and retention, is left out."""
    known = {topic.name: topic for topic in table(topics, 1, 1, Retention())}
    messages = {each.name: each for found, _ in _CHANNELS.values() for each in found}
    schemas = Schemas(each.payload for each in messages.values())
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Sluice", "version": VERSION, "description": _ABOUT},
        "defaultContentType": JSON,
        "channels": {
            name: _channel(known[getattr(topics, name)], found)
            for name, (found, _) in _CHANNELS.items()
        },
        "operations": _operations(),
        "components": {
            "messages": {name: _message(each, schemas) for name, each in messages.items()},
            "schemas": schemas.components,
        },
    }


def _channel(topic: Topic, messages: tuple[Message, ...]) -> Json:
    config: Json = {name: topic.config[name] for name in _KEPT if name in topic.config}
    if "cleanup.policy" in config:
        config["cleanup.policy"] = config["cleanup.policy"].split(",")
    config["max.message.bytes"] = int(config["max.message.bytes"])
    return {
        "address": topic.name,
        "description": topic.summary,
        "messages": {
            each.name: {"$ref": f"#/components/messages/{each.name}"} for each in messages
        },
        "bindings": {"kafka": {"topicConfiguration": config, "bindingVersion": "0.5.0"}},
    }


def _operations() -> Json:
    found: Json = {}
    for name, (messages, ways) in _CHANNELS.items():
        for way in ways:
            found[f"{way}_{name}"] = {
                "action": way,
                "channel": {"$ref": f"#/channels/{name}"},
                "messages": [
                    {"$ref": f"#/channels/{name}/messages/{each.name}"} for each in messages
                ],
            }
            if way == "receive" and messages == (_REQUEST,):
                found[f"{way}_{name}"]["reply"] = _reply()
    return found


def _reply() -> Json:
    return {
        "address": {
            "location": "$message.header#/kafka_replyTopic",
            "description": "A topic that KAFKA_REPLY_TOPICS allows.",
        },
        "channel": {"$ref": "#/channels/replies"},
        "messages": [{"$ref": "#/channels/replies/messages/reply"}],
    }


def _message(message: Message, schemas: Schemas) -> Json:
    headers: Json = {
        name: {"description": about, **schema} for name, (about, schema) in message.headers.items()
    }
    if message.name in _TYPES:
        headers["ce_type"] = headers["ce_type"] | {"enum": _TYPES[message.name]}
    found: Json = {
        "name": message.name,
        "summary": " ".join(message.about.split()),
        "headers": {"type": "object", "properties": headers},
        "bindings": {
            "kafka": {
                "key": {"type": "string", "description": message.key},
                "bindingVersion": "0.5.0",
            }
        },
    }
    if message.payload is None:
        # Any bytes: JSON of a dialect, text of a stream, or what was no request at all.
        return found | {"contentType": "application/octet-stream", "payload": {}}
    return found | {"contentType": JSON, "payload": schemas.of(message.payload)}
