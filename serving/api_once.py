"""Requests that change something: done once, wholly or not at all, and answered the same when they come again."""

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel

from features.errors import KizashiError, StoreError
from serving.api_data import plainly
from serving.api_errors import Refused
from serving.api_visit import Visit
from serving.idempotency import Answer, KeyReused, answered, forget, keep
from serving.projection import Stale

#: What is done in the transaction that it is given; what it returns is the answer.
Work = Callable[[Any], Mapping[str, Any]]

#: For so long a request that comes again is known.
REMEMBERED = timedelta(days=1)


def once(
    visit: Visit,
    key: str,
    body: BaseModel | None,
    work: Work,
    status: int = 200,
) -> Response:
    """Do what a request asks in one transaction and answer with what came of it.

    Raises
    ------
    Refused
        409 if somebody else was faster (`stale`), if the rules of the loop forbid it (`conflict`), or if the key was
        used for another request (`key_reused`). Nothing was written then.
    """
    said = "" if body is None else body.model_dump_json()
    request_hash = hashlib.sha256(f"{visit.doing}\n{said}".encode()).hexdigest()
    actor = visit.caller.token_id
    with visit.service.store.writing() as connection:
        forget(connection, visit.now - REMEMBERED)
        try:
            before = answered(connection, actor, key, request_hash)
        except KeyReused as reused:
            raise Refused(409, "key_reused", error=reused) from None
        if before is None:
            text = json.dumps(plainly(_done(connection, work)), ensure_ascii=False)
            before = Answer(status, text)
            keep(connection, actor, key, request_hash, before, visit.now)
    return Response(before.text, before.status, media_type=JSONResponse.media_type)


def _done(connection: Any, work: Work) -> Mapping[str, Any]:
    try:
        return work(connection)
    except Stale as stale:
        raise Refused(409, "stale", error=stale) from None
    except (StoreError, KizashiError) as refusal:
        raise Refused(409, "conflict", error=refusal) from None
