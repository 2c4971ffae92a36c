"""Does a server answer in its own protocol? An open port alone says little while it still starts."""

import socket
import struct

from deploy.services.ports import HOST

SECONDS = 2.0


def kafka_has_broker(port: int) -> bool:
    """A Metadata request (version 1, no topics): true once the answer lists a broker."""
    body = struct.pack(">hhih", 3, 1, 1, -1) + struct.pack(">i", 0)
    answer = _kafka(port, body)
    return len(answer) >= 8 and struct.unpack_from(">i", answer, 4)[0] > 0


def kafka_speaks(port: int) -> bool:
    """An ApiVersions request (version 0), which a listener answers before authentication, too."""
    answer = _kafka(port, struct.pack(">hhih", 18, 0, 1, -1))
    return len(answer) >= 6 and struct.unpack_from(">h", answer, 4)[0] == 0


def redis_answers(port: int) -> bool:
    """PING; a server that still loads its file answers -LOADING."""
    try:
        with socket.create_connection((HOST, port), SECONDS) as peer:
            peer.sendall(b"PING\r\n")
            return peer.recv(64).startswith(b"+PONG")
    except OSError:
        return False


def mongodb_answers(port: int) -> bool:
    """An `isMaster` in an OP_MSG: mongo-java-server does not know its newer name, `hello`."""
    document = (
        b"\x10isMaster\0" + struct.pack("<i", 1) + b"\x02$db\0" + struct.pack("<i", 6) + b"admin\0"
    )
    document = struct.pack("<i", len(document) + 5) + document + b"\0"
    message = struct.pack("<iiiiI", 16 + 5 + len(document), 1, 0, 2013, 0) + b"\0" + document
    try:
        with socket.create_connection((HOST, port), SECONDS) as peer:
            peer.sendall(message)
            size = struct.unpack("<i", _exactly(peer, 4))[0]
            return b"maxWireVersion" in _exactly(peer, size - 4)
    except OSError:
        return False


def postgres_answers(port: int, user: str, database: str) -> bool:
    """A startup message: a server that still recovers answers with an error, one that is up lets in."""
    names = b"".join(part.encode() + b"\0" for part in ("user", user, "database", database)) + b"\0"
    try:
        with socket.create_connection((HOST, port), SECONDS) as peer:
            peer.sendall(struct.pack(">ii", len(names) + 8, 3 << 16) + names)
            return peer.recv(1) == b"R"
    except OSError:
        return False


def weaviate_answers(port: int) -> bool:
    """Its own probe of readiness."""
    try:
        with socket.create_connection((HOST, port), SECONDS) as peer:
            peer.sendall(b"GET /v1/.well-known/ready HTTP/1.0\r\nHost: localhost\r\n\r\n")
            return b" 200 " in peer.recv(64)
    except OSError:
        return False


def _kafka(port: int, request: bytes) -> bytes:
    """The answer without its length; empty while there is none."""
    try:
        with socket.create_connection((HOST, port), SECONDS) as peer:
            peer.sendall(struct.pack(">i", len(request)) + request)
            return _exactly(peer, struct.unpack(">i", _exactly(peer, 4))[0])
    except OSError:
        return b""


def _exactly(peer: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = peer.recv(size - len(data))
        if not piece:
            raise ConnectionError("closed in the middle of an answer")
        data += piece
    return data
