"""One customer's story on the terminal, in the reader's language; :mod:`serving.story_words` has the sentences."""

from rich.markup import escape
from rich.table import Table

from pipelines.console import STYLES, out
from serving.story import Change, Story
from serving.story_words import (
    change_text,
    clearing_texts,
    day_text,
    happening_detail,
    happening_name,
    horizon_texts,
    log_odds,
    log_odds_meaning,
    money,
    outlook_text,
    part_text,
    place_text,
    reason_line_text,
    similar_text,
    stage_text,
    step_text,
    told,
)
from serving.wording import concept_name, dimension_name, level_name, quantity
from serving.words import changes
from serving.words.speech import language

#: Events of the timeline that are shown; the page and the JSON hold all.
EVENTS_SHOWN = 10
#: Cells of the longest bar.
BAR = 12


def story(one: Story, locale: str = "en") -> None:
    """Why one customer stands as it does."""
    standing = one.standing
    level = f"[{STYLES[standing.level]}]{level_name(standing.level, locale)}[/]"
    out.print(f"[bold]{escape(f'{one.customer_id} {one.name}'.strip())}[/] {standing.as_of}: {level}")
    risk = outlook_text(standing, locale)
    _say(f"{risk[:1].upper()}{risk[1:]}; {place_text(standing, locale)}")
    if chances := horizon_texts(standing, locale):
        _say(f"{_label('horizons', locale)}: {'; '.join(chances)}")
    if standing.level_parts:
        _say("; ".join(part_text(part, locale) for part in standing.level_parts))
    if standing.stage is not None:
        _say(f"{_label('stage', locale)}: {stage_text(standing.stage, locale)}")
    if standing.value_at_risk is not None:
        value = quantity(standing.value_at_risk, "money", locale, one.currency)
        _say(f"{_label('value_at_risk', locale)}: {value}")
    _reasons(one, locale)
    _waterfall(one, locale)
    if one.change is not None:
        _change(one.change, locale, one.currency)
    _say("")
    for text in clearing_texts(one, locale):
        _say(text)
    _say(similar_text(one.similar, locale))
    out.print(f"\n[bold]{escape(_label('newest', locale))}[/]")
    for event in one.timeline[: -EVENTS_SHOWN - 1 : -1]:
        amount = [] if event.amount is None else [money(event.amount, locale, one.currency)]
        what = ", ".join([happening_name(event.kind, locale), *amount])
        detail = happening_detail(event, locale)
        _say(f"  {day_text(event.on, locale)}  {what}{f' ({detail})' if detail else ''}")
    _say(f"{_label('model_version', locale)}: {standing.model_version}")


def _say(text: str) -> None:
    out.print(text, markup=False)


def _label(name: str, locale: str) -> str:
    """A label, as the page has it."""
    return language(locale).words(changes.PAGE[name])


def _reasons(one: Story, locale: str) -> None:
    """The sentences: what goes with the risk, and what speaks against it."""
    for heading, lines in told(one, locale):
        out.print(f"\n[bold]{escape(heading)}[/]")
        for line in lines:
            words = reason_line_text(line, one, locale)
            _say(f"  {log_odds(line.contribution, locale)}  {concept_name(line.concept, locale)}: {words}")


def _waterfall(one: Story, locale: str) -> None:
    """How all concepts add up from the base to the log-odds."""
    standing = one.standing
    if standing.base_margin is None or standing.margin is None or not one.concepts:
        return
    table = Table(title=_label("sum", locale), title_justify="left")
    for heading in ("", "group", "dimension", "log_odds"):
        table.add_column(heading and _label(heading, locale), justify="right" if heading == "log_odds" else "left")
    strongest = max(abs(share.contribution) for share in one.concepts) or 1.0
    table.add_row("", _label("base", locale), "", log_odds(standing.base_margin, locale))
    for share in one.concepts:
        bar = ("+" if share.contribution > 0 else "-") * max(1, round(BAR * abs(share.contribution) / strongest))
        names = (concept_name(share.concept, locale), dimension_name(share.dimension, locale))
        table.add_row(bar, *names, log_odds(share.contribution, locale))
    table.add_section()
    table.add_row("", _label("total", locale), "", log_odds(standing.margin, locale), style="bold")
    out.print(table)
    _say(log_odds_meaning(locale))


def _change(change: Change, locale: str, currency: str) -> None:
    """Why it stands otherwise than before, with every step."""
    out.print(f"\n[bold]{escape(_label('change', locale))}[/]")
    _say(change_text(change, locale, currency))
    for step in change.steps:
        _say(f"  {log_odds(step.contribution, locale)}  {step_text(step, change, locale, currency)}")
