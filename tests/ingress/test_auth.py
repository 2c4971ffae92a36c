"""The master key and the managed ones."""

import hashlib

import msgspec
import pytest
from sanic.compat import Header

from ingress.auth import Auth, must_be
from ingress.keys import OPEN, Keys, Principal
from schemas.errors import LogUnavailable, ModelAccessDenied, PermissionDenied, Unauthorized
from schemas.keys import (
    KEYS,
    ROLES,
    Former,
    ManagedKey,
    Role,
    new_secret,
    redacted,
    secret_hash,
)
from schemas.objects import Table

AUTH = Auth("sk-1")


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer sk-1"},
        {"Authorization": "bearer sk-1"},
        {"authorization": "BEARER  sk-1 "},
        {"x-api-key": "sk-1"},
        {"X-API-Key": "sk-1", "authorization": ""},
        {"x-goog-api-key": "sk-1"},
        {"api-key": "sk-1"},
        {"authorization": "Bearer other", "x-api-key": "sk-1"},
        {"authorization": "Basic other", "x-api-key": "sk-1"},
    ],
)
def test_the_key_is_known_as_master(headers: dict[str, str]) -> None:
    """In any SDK's header, the scheme in any case; an SDK that sends two keys needs one that is valid."""
    assert AUTH.who(Header(headers), ip=None).name == "master"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer"},
        {"authorization": "Bearer sk-2"},
        {"authorization": "Bearer sk-1x"},
        {"authorization": "sk-1"},
        {"authorization": "Basic sk-1"},
        {"x-api-key": ""},
        {"x-api-key": "\udcff"},
        {"authorization": "Bearer wrong", "x-api-key": "sk-2"},
    ],
)
def test_anything_else_is_refused(headers: dict[str, str]) -> None:
    """A missing, wrong or unreadable key."""
    with pytest.raises(Unauthorized):
        AUTH.who(Header(headers), ip=None)


def test_a_key_in_the_query() -> None:
    """As Google's API takes it; a wrong one is refused."""
    assert AUTH.who(Header({}), "alt=sse&key=sk-1", ip=None).name == "master"
    with pytest.raises(Unauthorized):
        AUTH.who(Header({}), "key=sk-2", ip=None)


def test_without_a_key_the_gateway_is_open() -> None:
    """Nobody is asked, and nobody has a name."""
    assert Auth(None).open
    assert Auth(None).who(Header({"authorization": "Bearer anything"}), ip=None) == OPEN


# -- managed keys

NOW = 1_800_000_000.0
SOON, PAST = "2030-01-01T00:00:00Z", "2020-01-01T00:00:00Z"


class World:
    """Keys as `llm.config` has them, and an ingress that follows it."""

    def __init__(self, master: str | None = None) -> None:
        self.table = Table(KEYS)
        self.keys = Keys(self.table)
        self.keys.read = True
        self.auth = Auth(master, self.keys)
        self._version = 0

    def key(self, name: str = "k", **fields: object) -> str:
        """Make a key, or change it; its value."""
        value = new_secret()
        hashed = secret_hash(value)
        assert hashed
        made = ManagedKey(
            **{
                "id": name,
                "name": name,
                "secret_hash": hashed,
                "redacted_value": redacted(value),
                "created_at": PAST,
                "updated_at": PAST,
                **fields,
            }
        )
        self.write(name, made)
        return value

    def write(self, name: str, made: ManagedKey | None) -> None:
        self._version += 1
        value = None if made is None else msgspec.json.encode(made)
        assert self.table.take(name, value, self._version, 1) == "applied"

    def who(
        self, value: str, path: str = "/v1/chat/completions", ip: str = "10.1.2.3"
    ) -> Principal:
        headers = Header({"authorization": f"Bearer {value}"})
        return self.auth.who(headers, now=NOW, path=path, ip=ip)


def test_a_managed_key_is_known_by_its_value_alone() -> None:
    """Its id is its holder's name; another value, an unknown prefix and its hash are refused."""
    world = World()
    value = world.key()
    assert world.who(value).name == "k"
    for wrong in (
        new_secret(),
        value[:-1],
        value.upper(),
        value.removeprefix("sk-sluice-"),
        "sk_gom_x",
    ):
        with pytest.raises(Unauthorized):
            world.who(wrong)
    key = world.table.get("k")
    assert key is not None
    assert value not in str(key)
    with pytest.raises(Unauthorized):
        world.who(key.secret_hash)


def test_keys_of_gomodel_are_taken() -> None:
    """The hash that GoModel stores, of what follows `sk_gom_`, makes its key known here."""
    world = World()
    secret = "A" * 43
    world.key(secret_hash=hashlib.sha256(secret.encode()).hexdigest())

    assert world.who(f"sk_gom_{secret}").name == "k"
    assert redacted(f"sk_gom_{secret}") == "sk_gom_...AAAA"


@pytest.mark.parametrize("fields", [{"expires_at": PAST}, {"deactivated_at": PAST}])
def test_what_has_ended_is_refused(fields: dict[str, str]) -> None:
    """Expired and deactivated keys; and a key that is gone."""
    world = World()
    value = world.key(**fields)
    with pytest.raises(Unauthorized):
        world.who(value)
    alive = world.key("other", expires_at=SOON)
    assert world.who(alive).name == "other"
    world.write("other", None)
    with pytest.raises(Unauthorized):
        world.who(alive)


def test_a_former_value_is_taken_until_its_end() -> None:
    """Rotation: both values in the overlap, then the new one; never longer than the key itself."""
    former = new_secret()
    hashed = secret_hash(former)
    assert hashed
    for end, expires, taken in ((SOON, None, True), (PAST, None, False), (SOON, PAST, False)):
        world = World()
        value = world.key(former=(Former(hashed, end),), expires_at=expires)
        if taken:
            assert world.who(former).name == world.who(value).name == "k"
            continue
        with pytest.raises(Unauthorized):
            world.who(former)


def test_one_managed_key_closes_the_gateway() -> None:
    """Without a master key it is open until there is a key, and stays closed if that is deactivated."""
    world = World()
    assert world.auth.open
    assert world.who("anything") == OPEN
    world.key(deactivated_at=PAST)
    assert not world.auth.open
    with pytest.raises(Unauthorized):
        world.who("anything")


def test_nobody_is_judged_before_the_keys_are_known() -> None:
    """At the start, with the log away: the master key is known, an unknown one may yet be a key."""
    world = World("sk-1")
    world.keys.read = False
    assert world.who("sk-1").name == "master"
    with pytest.raises(LogUnavailable):
        world.who(new_secret())
    without = World()
    without.keys.read = False
    with pytest.raises(LogUnavailable):
        without.who("anything")


def test_from_where_and_for_what() -> None:
    """Addresses, paths and models outside of a key's lists are refused; empty lists allow everything."""
    world = World()
    value = world.key(
        ips=("10.0.0.0/8", "fd00::/8"),
        endpoints=("/v1/chat/*", "/v1/models"),
        models=("gpt-*", "x/y"),
    )
    assert world.who(value, ip="fd00::1").name == "k"
    for ip in ("11.0.0.1", ""):
        with pytest.raises(Unauthorized):
            world.who(value, ip=ip)
    with pytest.raises(PermissionDenied):
        world.who(value, path="/v1/embeddings")
    principal = world.who(value, path="/v1/models")
    principal.check_model("gpt-5")
    principal.check_model("y", "x/y")
    with pytest.raises(ModelAccessDenied):
        principal.check_model("y", "z/y")
    OPEN.check_model("anything")


@pytest.mark.parametrize(
    ("own", "given", "path"),
    [
        (None, "/a", "/a"),
        ("/", "/a", "/a"),
        ("/a", "/", "/a"),
        ("/a", "/a", "/a"),
        ("/a", "/a/b", "/a/b"),
        ("/a", "/ab", "/a"),
        ("/a/b", "/a", "/a/b"),
    ],
)
def test_a_key_of_a_path_speaks_for_it_and_those_below(
    own: str | None, given: str, path: str
) -> None:
    """What a request says of its path counts as far as it lies below the key's."""
    world = World()

    assert world.who(world.key(user_path=own)).path(given) == path


def test_roles_include_those_below() -> None:
    """An admin may what an analyst may, and an analyst what a client may; nobody more."""
    allowed = {(has, needs) for has in ROLES for needs in ROLES if _may(has, needs)}

    assert allowed == {
        ("admin", "admin"),
        ("admin", "analyst"),
        ("admin", "client"),
        ("analyst", "analyst"),
        ("analyst", "client"),
        ("client", "client"),
    }


def _may(has: Role, needs: Role) -> bool:
    try:
        must_be(Principal("k", has), needs)
    except PermissionDenied:
        return False
    return True


def test_before_the_keys_are_read_nobody_is_refused_for_good() -> None:
    """Without a master key it is not known yet whether a key is needed: who has none is told to ask again."""
    auth = Auth(None, Keys(Table(KEYS)))

    with pytest.raises(LogUnavailable):
        auth.who(Header(), ip=None)
    with pytest.raises(Unauthorized):
        Auth("sk-master", Keys(Table(KEYS))).who(Header(), ip=None)
