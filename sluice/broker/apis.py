"""The table of APIs: key, name, versions offered, and the shapes of request and response."""

from __future__ import annotations

from dataclasses import dataclass

from sluice.broker.wire import Schema, schema

PRODUCE, FETCH, API_VERSIONS = 0, 1, 18


@dataclass(frozen=True, slots=True)
class Api:
    """One row; `advertised` is the lowest version named to clients, `low` the lowest answered."""

    name: str
    advertised: int
    low: int
    high: int
    request: Schema
    response: Schema


_PART = "index:i32 offset:i64"
_CONFIGS = "throttle:i32 results:[error:i16 message:?str type:i8 name:str"

# Produce and fetch have hand-written codecs. Produce is advertised from 0 although 3 is the lowest
# that works, as Kafka 4 does: old librdkafka takes its absence for a broker without the feature.
_ROWS: list[tuple[int, str, int, int, str, str]] = [
    (PRODUCE, "produce", 0, 8, "", ""),
    (FETCH, "fetch", 4, 11, "", ""),
    (
        2,
        "list_offsets",
        1,
        5,
        "replica:i32 isolation@2:i8 "
        "topics:[name:str partitions:[index:i32 epoch@4:i32 timestamp:i64]]",
        "throttle@2:i32 topics:[name:str partitions:[index:i32 error:i16 timestamp:i64 offset:i64 "
        "epoch@4:i32]]",
    ),
    (
        3,
        "metadata",
        0,
        8,
        "topics:?[str] auto@4:bool cluster_ops@8:bool topic_ops@8:bool",
        "throttle@3:i32 brokers:[node:i32 host:str port:i32 rack@1:?str] cluster@2:?str "
        "controller@1:i32 topics:[error:i16 name:str internal@1:bool partitions:[error:i16 "
        "index:i32 leader:i32 epoch@7:i32 replicas:[i32] isr:[i32] offline@5:[i32]] ops@8:i32] "
        "ops@8:i32",
    ),
    (
        8,
        "offset_commit",
        2,
        7,
        "group:str generation:i32 member:str instance@7:?str retention@2-4:i64 "
        f"topics:[name:str partitions:[{_PART} epoch@6:i32 metadata:?str]]",
        "throttle@3:i32 topics:[name:str partitions:[index:i32 error:i16]]",
    ),
    (
        9,
        "offset_fetch",
        1,
        5,
        "group:str topics:?[name:str partitions:[i32]]",
        f"throttle@3:i32 topics:[name:str partitions:[{_PART} epoch@5:i32 metadata:?str "
        "error:i16]] error@2:i16",
    ),
    (
        10,
        "find_coordinator",
        0,
        2,
        "key:str type@1:i8",
        "throttle@1:i32 error:i16 message@1:?str node:i32 host:str port:i32",
    ),
    (
        11,
        "join_group",
        0,
        5,
        "group:str session:i32 rebalance@1:i32 member:str instance@5:?str type:str "
        "protocols:[name:str metadata:bytes]",
        "throttle@2:i32 error:i16 generation:i32 protocol:str leader:str member:str "
        "members:[member:str instance@5:?str metadata:bytes]",
    ),
    (
        12,
        "heartbeat",
        0,
        3,
        "group:str generation:i32 member:str instance@3:?str",
        "throttle@1:i32 error:i16",
    ),
    (
        13,
        "leave_group",
        0,
        3,
        "group:str member@0-2:str members@3:[member:str instance:?str]",
        "throttle@1:i32 error:i16 members@3:[member:str instance:?str error:i16]",
    ),
    (
        14,
        "sync_group",
        0,
        3,
        "group:str generation:i32 member:str instance@3:?str "
        "assignments:[member:str assignment:bytes]",
        "throttle@1:i32 error:i16 assignment:bytes",
    ),
    (
        15,
        "describe_groups",
        0,
        4,
        "groups:[str] ops@3:bool",
        "throttle@1:i32 groups:[error:i16 group:str state:str type:str protocol:str "
        "members:[member:str instance@4:?str client:str host:str metadata:bytes assignment:bytes] "
        "ops@3:i32]",
    ),
    (16, "list_groups", 0, 2, "", "throttle@1:i32 error:i16 groups:[group:str type:str]"),
    (
        API_VERSIONS,
        "api_versions",
        0,
        3,
        "",
        "error:i16 apis:[key:i16 low:i16 high:i16] throttle@1:i32",
    ),
    (
        19,
        "create_topics",
        0,
        4,
        "topics:[name:str partitions:i32 replication:i16 assignments:[index:i32 brokers:[i32]] "
        "configs:[name:str value:?str]] timeout:i32 validate@1:bool",
        "throttle@2:i32 topics:[name:str error:i16 message@1:?str]",
    ),
    (
        20,
        "delete_topics",
        0,
        3,
        "topics:[str] timeout:i32",
        "throttle@1:i32 topics:[name:str error:i16]",
    ),
    (
        21,
        "delete_records",
        0,
        1,
        f"topics:[name:str partitions:[{_PART}]] timeout:i32",
        "throttle:i32 topics:[name:str partitions:[index:i32 low:i64 error:i16]]",
    ),
    (
        22,
        "init_producer_id",
        0,
        1,
        "transaction:?str timeout:i32",
        "throttle:i32 error:i16 producer:i64 epoch:i16",
    ),
    (
        32,
        "describe_configs",
        0,
        3,
        "resources:[type:i8 name:str keys:?[str]] synonyms@1:bool docs@3:bool",
        f"{_CONFIGS} configs:[name:str value:?str read_only:bool default@0-0:bool source@1:i8 "
        "sensitive:bool synonyms@1:[name:str value:?str source:i8] type@3:i8 docs@3:?str]]",
    ),
    (
        33,
        "alter_configs",
        0,
        1,
        "resources:[type:i8 name:str configs:[name:str value:?str]] validate:bool",
        f"{_CONFIGS}]",
    ),
    (
        37,
        "create_partitions",
        0,
        1,
        "topics:[name:str count:i32 assignments:?[[i32]]] timeout:i32 validate:bool",
        "throttle:i32 topics:[name:str error:i16 message:?str]",
    ),
    (42, "delete_groups", 0, 1, "groups:[str]", "throttle:i32 groups:[group:str error:i16]"),
    (
        44,
        "incremental_alter_configs",
        0,
        0,
        "resources:[type:i8 name:str configs:[name:str op:i8 value:?str]] validate:bool",
        f"{_CONFIGS}]",
    ),
]

APIS: dict[int, Api] = {
    key: Api(name, low, 3 if key == PRODUCE else low, high, schema(request), schema(response))
    for key, name, low, high, request, response in _ROWS
}
