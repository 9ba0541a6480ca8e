"""The templates of all pages, those of the service and the one that stands alone."""

import hashlib
from functools import lru_cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from serving.charts import legible

TEMPLATES = Path(__file__).parent / "templates"
#: Files that pages load.
STATIC = Path(__file__).parent / "static"


@lru_cache(maxsize=1)
def templates() -> Environment:
    """The environment: everything is escaped, and a name that is not given is an error."""
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        finalize=lambda value: legible(value) if type(value) is str else value,
    )


@lru_cache(maxsize=1)
def version() -> str:
    """A word that changes with any of the files that pages load."""
    files = sorted([*STATIC.iterdir(), TEMPLATES / "kizashi.css"])
    return hashlib.sha256(b"".join(file.read_bytes() for file in files if file.is_file())).hexdigest()[:12]
