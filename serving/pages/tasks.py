"""Tasks: what is to be done until when, and one task with its end: done, put off or dropped."""

import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import pandas as pd
from fastapi import APIRouter, Query
from fastapi.responses import Response, StreamingResponse

from serving import api_loop
from serving.access import ACT
from serving.api_models import TaskAsleepBody, TaskDoneBody, TaskWaivedBody
from serving.api_visit import Id, Visit, Word
from serving.exports import MEDIA_TYPES, Sheet, written
from serving.ledger import Event, append
from serving.list_rows import as_records
from serving.pages.forms import offer
from serving.pages.task_parts import (
    GROUPS,
    Asked,
    Found,
    found,
    grouped,
    others_of,
    owners_among,
    planned,
    set_off_by,
    standing_of,
    task_row,
    told_end,
    warning_line,
)
from serving.pages.today import MOST, NOBODY, PageNumber
from serving.pages.view import HEADERS, Exporting, Reading, View, redirected
from serving.sessions import local_path
from serving.task_kinds import KINDS
from serving.words.choices import CHOICES, choice_name, options
from serving.words.speech import text
from serving.words.task_words import KIND_NAMES, NEEDS

router = APIRouter()

State = Annotated[Literal["open", "done", "waived"], Query()]
Due = Annotated[Literal["overdue", "today", "week", "later", ""], Query()]


def asked_of(
    owner: Word = None,
    team: Word = None,
    kind: Word = None,
    due: Due = "",
    state: State = "open",
    asleep: bool = False,
    everything: Annotated[bool, Query(alias="all")] = False,
) -> Asked:
    """What the address of the tasks asks for."""
    return Asked(owner, team, kind, due, state, asleep, everything)
