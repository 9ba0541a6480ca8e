"""Every page in a real browser: accessible, quiet, and asking nobody else."""

import pytest
from browser import LANGUAGES, Server, Site, too_wide, violations, window_of

pytest_plugins = ["trained", "browsed"]


def test_x(online: Server, browser) -> None:
    with online.site() as site, window_of(browser, site, "manager") as w:
        w.open("/")
        print(w.content[:300], w.complaints, w.elsewhere, violations(w.page), too_wide(w.page))
        assert 0
