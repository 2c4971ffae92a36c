"""What is shown of an exchange, in the live list and in those of the store."""

import msgspec

from ingress.heads import Head
from ingress.shown import Shown
from schemas.exchange import Exchange
from sinks.document import Document


def test_it_is_named_as_it_is_recorded_and_stored() -> None:
    """Each member is one of the exchange on the log and of the document in a store, under the same name: a
    member that either calls otherwise would be shown as missing."""
    names = {*Shown.__struct_fields__}

    for kind in (Exchange, Document, Head):
        assert names <= {field.encode_name for field in msgspec.structs.fields(kind)}, kind
    assert Head.__struct_fields__.count("request_id") == 1
    assert "_id" in {field.encode_name for field in msgspec.structs.fields(Head)}
