"""The commands of the analyst: ``kizashi explain | what-if``."""

import json
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from pipelines.cli_options import DEFAULT_OUT, AsOf, Config, Data, Layout, Out, day_of, request_of

Customer = Annotated[str, typer.Argument(help="Id of the customer.")]
Language = Annotated[
    str | None, typer.Option("--language", help="Language of the words: en, ja or zh; default: that of the settings.")
]


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module to an application."""
    app.command(epilog="Example: kizashi explain C0042 --data orders/ --as-of 2026-10-01 --since 2026-09-01")(explain)
    app.command("what-if", epilog="Example: kizashi what-if C0042 --data orders/ --order 2026-10-05")(what_if)


def explain(
    customer: Customer,
    data: Data,
    as_of: AsOf = None,
    since: Annotated[
        Any,
        typer.Option(
            "--since", parser=day_of, metavar="DATE", help="An earlier date: also tell why it stands otherwise now."
        ),
    ] = None,
    language: Language = None,
    html: Annotated[Path | None, typer.Option("--html", help="Also write the story as one page to this file.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Also write everything to this file.")] = None,
    interventional: Annotated[
        bool, typer.Option("--interventional", help="Hold the trees' part against 100 customers of the date.")
    ] = False,
    config: Config = None,
    out: Out = DEFAULT_OUT,
    layout: Layout = "",
) -> None:
    """Tell the story of one customer: why it was flagged, what changed, what would clear it, and how others ended."""
    request = request_of(data, out, as_of, config, layout)
    from pipelines import console, console_story
    from pipelines.engines import engine_of
    from pipelines.files import with_folder
    from pipelines.intake import take_in
    from pipelines.story import explain as tell
    from serving.story_page import story_page

    locale = language_of(language or request.settings().project.language)
    with console.bar() as report, engine_of(request.settings(), progress=report) as engine:
        intake = take_in(request, engine=engine)
        story = tell(intake, customer, since=since, interventional=interventional, progress=report)
    if html is not None:
        with_folder(html).write_text(story_page(story, locale), encoding="utf-8")
    if json_file is not None:
        text = json.dumps(story.to_dict(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        with_folder(json_file).write_text(text, encoding="utf-8")
    console_story.story(story, locale)
    if html is not None:
        console.out.print(str(html), markup=False)


def what_if(
    customer: Customer,
    data: Data,
    order: Annotated[
        Any, typer.Option("--order", parser=day_of, metavar="DATE", help="Suppose an order on this day.")
    ] = None,
    amount: Annotated[
        float | None, typer.Option("--amount", help="Amount of the order; default: that of a usual one.")
    ] = None,
    paid: Annotated[bool, typer.Option("--paid", help="Suppose that all overdue invoices are paid.")] = False,
    as_of: AsOf = None,
    language: Language = None,
    config: Config = None,
    out: Out = DEFAULT_OUT,
    layout: Layout = "",
) -> None:
    """Tell how a customer would stand had it ordered, or paid: re-scored, nothing stored, and no promise."""
    request = request_of(data, out, as_of, config, layout)
    from pipelines import console
    from pipelines.dated import dated
    from pipelines.engines import engine_of
    from pipelines.intake import take_in
    from pipelines.what_if import Supposed
    from pipelines.what_if import what_if as suppose
    from serving.story_words import caution, what_if_text

    locale = language_of(language or request.settings().project.language)
    with console.bar() as report, engine_of(request.settings(), progress=report) as engine:
        intake = take_in(request, engine=engine)
        day = dated(intake, progress=report)
        found = suppose(day, customer, Supposed(_day(order), amount, paid))
    score = day.score(customer)
    percent = score is not None and score["shown"] == "percent"
    console.out.print(what_if_text(found, percent, locale, intake.settings.project.currency), markup=False)
    console.out.print(caution(locale), markup=False)


def _day(value: Any) -> date | None:
    return value if isinstance(value, date) else None


def language_of(name: str) -> str:
    """A language that there are words for: ``ja`` of ``ja-JP``.

    Raises
    ------
    SettingsError
        If there are none.
    """
    from babel import negotiate_locale

    from features.errors import SettingsError
    from serving.words.speech import LANGUAGES

    found = negotiate_locale([name.replace("_", "-")], LANGUAGES, sep="-")
    if found is None:
        raise SettingsError(f"--language {name!r}: there are words for {', '.join(LANGUAGES)}; name one of them.")
    return found
