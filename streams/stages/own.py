"""Files that the gateway keeps itself, and batches that it runs: what providers answer elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence

import msgspec
from msgspec import Raw

from providers.resources import lines, uploads
from providers.resources.asked import Asked
from providers.resources.shelf import Item
from schemas.batch_folder import BatchFolder
from schemas.batch_lines import is_batch_id
from schemas.batches import MAX_WINDOW, Batch, batch_id, window_of
from schemas.clock import Clock
from schemas.errors import Conflict, InvalidRequest, NotFound, Overloaded
from schemas.files import KEEPER, Files, StoredFile, file_id, is_file_id, uploaded_id
from streams.batches.config import Runner
from streams.batches.lines import ENDPOINTS

PURPOSES = ("assistants", "batch", "evals", "fine-tune", "user_data", "vision")
_encode = msgspec.json.Encoder().encode


class Own:
    """Answers for the gateway. Errors are GatewayErrors."""

    def __init__(
        self,
        files: Files,
        batches: BatchFolder,
        runner: Runner,
        clock: Clock,
    ) -> None:
        self._files = files
        self._batches = batches
        self._runner = runner
        self._clock = clock
        self.wake: Callable[[], None] = lambda: None

    def takes(self, asked: Asked, others: Callable[[], bool]) -> bool:
        """Whether it is the gateway's own matter. `others`: whether a provider has that, too."""
        if asked.id:
            return is_file_id(asked.id) or is_batch_id(asked.id)
        if asked.provider is not None:
            return asked.provider == KEEPER
        if asked.verb == "list":
            return not others()
        if asked.resource == "batches" and is_file_id(_input(asked) or ""):
            return True
        return self._runner == "sluice" or (self._runner == "auto" and not others())

    async def answer(self, asked: Asked) -> bytes:
        """The body of the answer."""
        try:
            if asked.verb == "list":
                return await self._list(asked)
            if asked.resource == "files":
                return _encode(await asyncio.to_thread(self._of_files, asked))
            found = _encode(await asyncio.to_thread(self._of_batches, asked))
            if asked.verb == "create":
                self.wake()
            return found
        except OSError as error:
            reason = error.strerror or str(error)
            raise Overloaded(f"SPOOL_DIR cannot be used: {reason}.", retry_after=60) from error

    async def items(self, asked: Asked) -> AsyncGenerator[Item, None]:
        """The caller's own, newest first."""
        for item in await asyncio.to_thread(lambda: list(self._items(asked))):
            yield item

    def _items(self, asked: Asked) -> Iterator[Item]:
        client, path = asked.request.client, asked.request.user_path
        found: Iterable[StoredFile | Batch]
        if asked.resource == "files":
            purpose = asked.query.get("purpose")
            listed = self._files.listed(client, path, self._clock.time())
            found = (each for each in listed if purpose in (None, each.purpose))
        else:
            found = self._batches.listed(client, path)
        for each in found:
            yield Item(each.id, each.created_at, Raw(_encode(each.shown())))

    async def _list(self, asked: Asked) -> bytes:
        limit, after = asked.limit, asked.query.get("after")
        found = [item async for item in self.items(asked)]
        if asked.resource == "files" and asked.query.get("order") == "asc":
            found.reverse()
        if after is not None:
            names = [item.id for item in found]
            if after not in names:
                raise InvalidRequest(f"There is no {after!r} in the list.", param="after")
            found = found[names.index(after) + 1 :]
        page = found[:limit]
        return listed(page, more=len(found) > limit)

    # -- files

    def _of_files(self, asked: Asked) -> dict[str, object]:
        if asked.verb == "create":
            return self._kept(asked).shown()
        found = self._file(asked, asked.id)
        if asked.verb == "delete":
            self._files.delete(found)
            return {"id": found.id, "object": "file", "deleted": True}
        if asked.verb == "content":
            raise Conflict("The content of this file is read from an ingress.")
        return found.shown()

    def _file(self, asked: Asked, name: str) -> StoredFile:
        request = asked.request
        found = self._files.find(name, request.client, request.user_path, self._clock.time())
        if found is None:
            raise NotFound(f"No such File object: {name[:100]}")
        return found

    def _kept(self, asked: Asked) -> StoredFile:
        upload = uploads.read(asked.request)
        if upload.purpose not in PURPOSES:
            raise InvalidRequest(
                f"`purpose` must be one of {', '.join(PURPOSES)}.", param="purpose"
            )
        now = int(self._clock.time())
        about = self._about(asked, uploaded_id(asked.request.request_id), upload.filename, now)
        expires_at = None if upload.expires_after is None else now + upload.expires_after
        about = msgspec.structs.replace(about, purpose=upload.purpose, expires_at=expires_at)
        return self._files.keep(about, upload.pieces)

    def _about(self, asked: Asked, name: str, filename: str, now: int) -> StoredFile:
        return StoredFile(
            id=name,
            filename=filename,
            purpose="batch",
            bytes=0,
            created_at=now,
            client=asked.request.client,
            user_path=asked.request.user_path,
        )

    # -- batches

    def _of_batches(self, asked: Asked) -> dict[str, object]:
        if asked.verb == "create":
            return self._created(asked).shown()
        request = asked.request
        found = self._batches.find(asked.id, request.client, request.user_path)
        if found is None:
            raise NotFound(f"No batch found with id '{asked.id[:100]}'.")
        if asked.verb == "cancel":
            if found.ended:
                raise Conflict(f"Cannot cancel a batch with status '{found.status}'.")
            self._batches.cancel(found.id, int(self._clock.time()))
            again = self._batches.find(found.id, request.client, request.user_path)
            found = again or found
        return found.shown()

    def _created(self, asked: Asked) -> Batch:
        given = lines.parse(asked.request.body)
        endpoint = given.endpoint
        if endpoint is None and given.requests is not None:
            endpoint = given.requests[0].url or lines.DEFAULT_URL
        if endpoint not in ENDPOINTS:
            raise InvalidRequest(
                f"`endpoint` must be one of {', '.join(ENDPOINTS)}.", param="endpoint"
            )
        window = window_of(given.completion_window)
        if window is None:
            raise InvalidRequest(
                "`completion_window` must be '24h', or less in hours, minutes or seconds:"
                f" '90m', at most {MAX_WINDOW} seconds.",
                param="completion_window",
            )
        now = int(self._clock.time())
        source = self._source(asked, given, endpoint, now)
        request = asked.request
        batch = Batch(
            without_bodies=request.without_bodies,
            id=batch_id(request.request_id),
            endpoint=endpoint,
            input_file_id=source.id,
            completion_window=given.completion_window,
            created_at=now,
            expires_at=now + window,
            client=request.client,
            user_path=request.user_path,
            client_ip=request.client_ip,
            models=request.models,
            metadata=Raw(_encode(given.metadata)),
        )
        return self._batches.create(batch, self._files.content(source))

    def _source(self, asked: Asked, given: lines.Batch, endpoint: str, now: int) -> StoredFile:
        """The input file; requests that stand in the body become one."""
        if given.requests is None:
            name = given.input_file_id or ""
            try:
                found = self._file(asked, name)
            except NotFound as error:
                raise InvalidRequest(
                    f"Invalid 'input_file_id': {error.message}", param="input_file_id"
                ) from error
            if found.purpose != "batch":
                raise InvalidRequest(
                    "Invalid 'input_file_id': the purpose of the file must be 'batch'.",
                    param="input_file_id",
                )
            return found
        content = (
            _encode(
                {
                    "custom_id": line.custom_id or f"req-{number}",
                    "method": line.method,
                    "url": line.url or endpoint,
                    "body": line.body,
                }
            )
            + b"\n"
            for number, line in enumerate(given.requests)
        )
        name = file_id(asked.request.request_id, "requests")
        return self._files.keep(self._about(asked, name, "batch.jsonl", now), content)


def _input(asked: Asked) -> str | None:
    try:
        return lines.parse(asked.request.body).input_file_id
    except InvalidRequest:
        return None


def listed(items: Sequence[Item], *, more: bool) -> bytes:
    """A page of them, as OpenAI has it."""
    return _encode(
        {
            "object": "list",
            "data": [item.raw for item in items],
            "first_id": items[0].id if items else None,
            "last_id": items[-1].id if items else None,
            "has_more": more,
        }
    )
