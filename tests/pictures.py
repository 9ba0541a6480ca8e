"""Pictures of the pages for the documentation: ``make pictures`` takes them of the demonstration.

They are taken through the real server and browser, after some moves of a morning and at a clock that stands still, so
that they are the same each time as long as the pages are.
"""

import argparse
import io
import shutil
import sys
import tempfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from browser import (
    NO_BROWSER,
    Clock,
    Site,
    Window,
    chromium,
    customer_address,
    launched,
    running,
    served_at,
    window_of,
)
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from features.errors import KizashiError, SettingsError
from pipelines import demo
from pipelines.settings import prepare_environment
from serving.access import Caller
from serving.api_data import four_lists
from serving.api_visit import Visit
from serving.list_rows import Choice

WIDE, PHONE = (1280, 860), (390, 780)
#: Bytes of a picture at most.
MOST_BYTES = 250_000
COLOURS = 160


def main(target: Path, folder: Path) -> None:
    """Take all pictures of the demonstration of a folder, which is made there if it is not yet.

    Raises
    ------
    SettingsError
        If no Chromium is installed, or a picture is too large.
    """
    place = chromium()
    if place is None:
        raise SettingsError(f"{NO_BROWSER}.")
    usual = {"customers": 400, "months": 30, "seed": 1}
    prepare_environment(folder)
    if not demo.is_made(folder, **usual):
        demo.run(folder, *usual.values())
    target.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as aside,
        sync_playwright() as playwright,
        launched(playwright, place) as browser,
    ):
        database = shutil.copy(folder / "kizashi.db", aside)
        clock = Clock(datetime.combine(demo.END, demo.OPENED))
        with served_at(folder, Path(database), None, "", clock) as site, running(site.app) as address:
            site.address = address
            customer = live_in(site, browser)
            for name, (who, language, path, look) in wanted(customer).items():
                take(site, browser, target / f"{name}.png", who, language, path, look)
                print(target / f"{name}.png", (target / f"{name}.png").stat().st_size)


def wanted(customer: str) -> dict[str, tuple[str, str, str, str]]:
    """Who looks, in which language, at which address, and how; by the picture's name."""
    there = customer_address(customer)
    return {
        "today-en": ("manager", "en", "/", "wide"),
        "today-ja-dark": ("manager", "ja", "/?list=yellow", "wide dark"),
        "today-zh-phone": ("ann", "zh", "/", "phone"),
        "customer-en": ("manager", "en", there, "wide"),
        "customer-ja": ("manager", "ja", there + "#warning", "wide"),
        "customer-en-phone-dark": ("manager", "en", there, "phone dark"),
        "tasks-zh": ("manager", "zh", "/tasks", "wide"),
        "manager-en": ("manager", "en", "/manager", "wide"),
        "meeting-ja": ("manager", "ja", "/meeting", "wide"),
        "record-en": ("manager", "en", "/record", "wide"),
        "data-zh": ("admin", "zh", "/data", "wide"),
        "settings-en": ("admin", "en", "/settings", "wide"),
    }


def live_in(site: Site, browser: Browser) -> str:
    """An hour of a manager's morning, by the forms of the pages; return the customer that the pictures show."""
    look = Visit(site.service, Caller("", "Mia", "manager"), site.clock(), "")
    warned = set(site.service.store.episodes(is_open=True).rows["customer_id"])
    first, second, *_ = [one for one in four_lists(look, Choice()).lists["red"]["customer_id"] if one in warned]
    with window_of(browser, site, "manager") as window:
        update(window, second, "warm", "low")
        update(window, first, "cool", "high")
        page = window.open(customer_address(first))
        sent(window, lambda: page.locator("#warning form[action$='/acknowledge'] button").click())
        page = window.open("/tasks")
        sent(window, lambda: page.locator("[data-row] button[formaction]").first.click())
    return first


def update(window: Window, customer: str, temperature: str, risk: str) -> None:
    form = window.open(customer_address(customer)).locator("#update form")
    for name, value in (("temperature", temperature), ("risk", risk)):
        form.locator(f"input[name={name}][value={value}]").check()
    sent(window, lambda: form.locator("button").click())


def sent(window: Window, press: Callable[[], None]) -> None:
    """Send a form.

    Raises
    ------
    SettingsError
        If it was refused.
    """
    with window.page.expect_navigation():
        press()
    if not window.page.locator(".notice.good").count():
        raise SettingsError(f"{window.page.url}: a form was refused: {window.content[:200]}")


def take(site: Site, browser: Browser, file: Path, who: str, language: str, path: str, look: str) -> None:
    """Take one picture: what is seen in a window of the usual size, in few colours."""
    width, height = PHONE if "phone" in look else WIDE
    scheme = "dark" if "dark" in look else "light"
    with window_of(browser, site, who, language, width, height, color_scheme=scheme) as window:
        window.open(path).wait_for_load_state("networkidle")
        shot = Image.open(io.BytesIO(window.page.screenshot())).convert("RGB")
    shot.quantize(COLOURS, dither=Image.Dither.NONE).save(file, optimize=True)
    if file.stat().st_size > MOST_BYTES:
        raise SettingsError(f"{file}: {file.stat().st_size} bytes, expected at most {MOST_BYTES}.")


if __name__ == "__main__":
    asked = argparse.ArgumentParser(description="Take pictures of the pages.")
    asked.add_argument("target", type=Path, help="Folder of the pictures.")
    asked.add_argument("--demo", type=Path, default=Path("var/demo"), help="Folder of the demonstration.")
    given = asked.parse_args()
    try:
        main(given.target, given.demo)
    except KizashiError as mistake:
        sys.exit(f"pictures: {mistake}")
