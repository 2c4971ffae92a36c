"""What a request's head must look like before anything of it is believed.

Sanic's parser splits at CR LF and at the first colon and is lenient about the rest; where it and a
proxy in front disagree about a byte, one request can be smuggled inside another. One expression
over the raw head refuses everything that RFC 9112 does not allow.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sanic.compat import Header
from sanic.request import Request as SanicRequest

from ingress.dialects import dialect_of
from schemas.errors import InvalidRequest
from schemas.requests import Dialect
from schemas.tracing import Span

if TYPE_CHECKING:
    from ingress.draft import Draft

# Possessive quantifiers: each byte is looked at once, also in a head that does not match.
_HEAD = re.compile(
    rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++ [\x21-\x7e]++ HTTP/1\.[01]"
    rb"(?:\r\n[!#$%&'*+\-.^_`|~0-9A-Za-z]++:[\t\x20-\x7e\x80-\xff]*+)*+"
)
_LINE = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++ [\x21-\x7e]++ HTTP/1\.[01]")
_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


def check_head(head: bytes, headers: Header, version: str) -> None:
    """InvalidRequest says what is wrong with the request line and the headers of `head`."""
    if _HEAD.fullmatch(head) is None:
        raise InvalidRequest(_reason(head))
    hosts = headers.getall("host", ())
    if len(hosts) != 1 and (hosts or version == "1.1"):
        raise InvalidRequest("Send exactly one `Host` header.")
    length = headers.get("content-length")
    if length is not None and not (length.isascii() and length.rstrip(" \t").isdigit()):
        raise InvalidRequest("`Content-Length` must be a decimal number.")
    coding = headers.get("transfer-encoding")
    if coding is not None and (coding != "chunked" or version == "1.0"):
        raise InvalidRequest("The only `Transfer-Encoding` understood is `chunked`, in HTTP/1.1.")


def explain_head(head: bytes) -> str:
    """The reason why a head was refused that Sanic's parser itself gave up on."""
    if _HEAD.fullmatch(head) is None:
        return _reason(head)
    names = [line.partition(b":")[0].lower() for line in head.split(b"\r\n")[1:]]
    if names.count(b"content-length") + names.count(b"transfer-encoding") > 1:
        return "Send `Content-Length` or `Transfer-Encoding`, and only once."
    return "The request's path is not a valid URL."


def _reason(head: bytes) -> str:
    line, *fields = head.split(b"\r\n")
    bare = head.replace(b"\r\n", b"")
    if b"\0" in head:
        return "A header holds a NUL byte."
    if b"\r" in bare or b"\n" in bare:
        return "A header holds a bare CR or LF."
    if _LINE.fullmatch(line) is None:
        return "The request line must be a method, a path and HTTP/1.1, with one space between."
    for field in fields:
        if (reason := _field_reason(field)) is not None:
            return reason
    return "A header's value holds a control character."


def _field_reason(field: bytes) -> str | None:
    name, colon, _ = field.partition(b":")
    if field[:1] in (b" ", b"\t"):
        return "A header is folded over several lines; write it on one."
    if not colon:
        return "A header has no colon."
    if name != name.rstrip(b" \t"):
        return "There is white space before a header's colon."
    if _NAME.fullmatch(name) is None:
        return "A header's name holds a character that is not allowed there."
    return None


class IncomingRequest(SanicRequest):
    """A request whose head was checked; Sanic makes one for each, and an empty one to report errors.

    Raising here reaches the error handler while the connection is in its request stage, and Sanic
    then closes it: nothing that follows a doubtful head is read as another request.
    """

    __slots__ = ("client_request_id", "dialect", "draft", "gateway_id", "json_array", "span")

    dialect: Dialect  # in which its sender understands an answer
    json_array: bool  # it wants a stream's events as the elements of one JSON array
    gateway_id: str | None
    client_request_id: str | None
    span: Span | None  # while it is traced
    draft: (
        Draft | None
    )  # what is recorded if it is refused; None: nobody has said who asks, or the log has it
    stream: Any  # Sanic's Http while the request is being answered
    transport: Any

    def __init__(
        self, url_bytes: bytes, headers: Header, version: str, head: bytes = b"", **rest: Any
    ) -> None:
        if head:
            check_head(head, headers, version)
        else:
            url_bytes = b"*"  # an empty one may be made because of the URL
        super().__init__(url_bytes, headers, version, head=head, **rest)
        base_path: bytes = getattr(self.app.ctx, "base_path", b"")
        self.dialect = dialect_of(url_bytes.removeprefix(base_path), headers)
        self.json_array = False
        self.gateway_id = None
        self.client_request_id = None
        self.span = None
        self.draft = None
