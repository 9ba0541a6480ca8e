"""The company as a whole: runs, reports, plays, settings, and who one is."""

from typing import Annotated, Any

from fastapi import APIRouter, Path
from fastapi.responses import Response

from features.errors import SettingsError
from serving.access import EVERYONE, ROLES
from serving.api_data import page, plainly
from serving.api_errors import Refused, documented
from serving.api_models import One, Page, SettingBody
from serving.api_once import once
from serving.api_visit import Id, Key, Limit, Offset, Overseer, Reader, Setter
from serving.ledger import Event, append
from serving.loop_rows import found, frame
from serving.migrations.loop_tables import SETTING

router = APIRouter(responses=documented(400, 401, 403, 404, 413, 422, 429, 500, 503))
