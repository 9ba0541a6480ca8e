"""Numbers in words: days, counts, money, shares and dates as a salesman reads them.

Every kind takes one finite figure and returns a phrase. Whole days, money to three figures (what is usual to two),
shares in per cent. A phrase never claims more than is known: a chance is never 0 or 100 %.
"""

import decimal
import math
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any

from babel import Locale, dates, numbers

from serving.words.speech import Figure, Language, Plural, plural, text

#: Digits of the largest float: Babel rounds in the current decimal context.
_PRECISION = 340
#: Usual numbers of days or products are whole from here on, averages per order day from here on.
_WHOLE_FROM = 3.0
_WHOLE_AVERAGE_FROM = 10.0
_DAYS_FROM_HOURS = 72.0
_SMALLEST_SHARE = 0.0005
_DAYS_A_MONTH = 365.25 / 12

COUNTS: dict[str, Plural] = {
    "plain": plural("{n}", "{n}"),
    "days": plural("{n} day", "{n} days"),
    "order days": plural("{n} order day", "{n} order days"),
    "months": plural("{n} month", "{n} months"),
    "years": plural("{n} year", "{n} years"),
    "products": plural("{n} different product", "{n} different products"),
    "new products": plural("{n} new product", "{n} new products"),
    "main products": plural("{n} product", "{n} products"),
    "product lines": plural("{n} product line", "{n} product lines"),
    "lines": plural("{n} line", "{n} lines"),
    "units": plural("{n} unit", "{n} units"),
    "orders": plural("{n} order", "{n} orders"),
    "times": plural("{n} times", "{n} times"),
    "hours": plural("{n} hour", "{n} hours"),
}
_NONE = {
    "plain": text("none"),
    "days": text("no day"),
    "products": text("no products"),
    "product lines": text("no product lines"),
}
_EVERY = plural("every day", "every {n} days")
_LAST_DAYS = plural("the last day", "the last {n} days")
_LAST_YEAR = text("the last 12 months")
_YEAR = text("12 months")
_ABOUT = text("about {amount}")
_LESS = text("less than {amount}")
_MORE = text("more than {amount}")
_NOTHING = text("nothing")


#: So many numbers and amounts are remembered as they were written: pages say the same ones again and again.
REMEMBERED = 8192


@dataclass(frozen=True)
class Speaker:
    """A language together with the currency that amounts are in ("" = unnamed)."""

    language: Language
    currency: str = ""

    def phrase(self, kind: str, value: Figure) -> str:
        """The figure in words.

        Raises
        ------
        KeyError
            If there is no such kind; :data:`KINDS` has them.
        """
        with decimal.localcontext(prec=_PRECISION):
            return KINDS[kind](self, value)

    def number(self, value: float, decimals: int = 0) -> str:
        """The number with the locale's separators, zeros at its end left out."""
        return _in_numbers(value, decimals, self.language.locale)

    def counted(self, value: float, kind: str, whole_from: float = _WHOLE_FROM) -> str:
        """A count with its noun; a small average keeps one decimal."""
        decimals = 0 if abs(value) >= whole_from else 1
        shown = _rounded(value, decimals)
        if value > 0 and not shown:
            return self.language.words(_LESS, amount=self.counted(0.1, kind))
        # a fraction takes the form of many
        number = int(shown) if shown == int(shown) else max(2, math.ceil(abs(shown)))
        return self.language.count(COUNTS[kind], number, self.number(value, decimals))

    def about(self, value: float, kind: str) -> str:
        """A usual count, called "about" where it was rounded."""
        if 0 < value < 1:
            return self.language.words(_LESS, amount=self.counted(1, kind))
        words = self.none_or(value, kind)
        return words if value == round(value) else self.language.words(_ABOUT, amount=words)

    def none_or(self, value: float, kind: str) -> str:
        """A count that says in words that there is none."""
        return self.language.words(_NONE[kind]) if value == 0 else self.counted(value, kind)

    def money(self, value: float, figures: int = 3) -> str:
        """An amount, whole from 10 on, to that many figures."""
        return _in_money(value, figures, self.currency, self.language.locale)

    def share(self, value: float) -> str:
        """A share in per cent; below 1 % with a decimal, and 100 % only where nothing is left over."""
        if 0.995 <= value < 1:
            return self.language.words(_MORE, amount=self.share(0.99))
        pattern = self.language.locale.percent_formats[None].pattern
        if 0 < abs(value) < 0.01:
            if abs(value) < _SMALLEST_SHARE:
                return self.language.words(_LESS, amount=self.share(0.001)) if value > 0 else self.share(0.0)
            pattern = pattern.replace("##0", "##0.0")
        return numbers.format_percent(Decimal(str(value)), format=pattern, locale=self.language.locale)

    def about_share(self, value: float) -> str:
        """How much of the usual, from figures that were smoothed."""
        if value < _SMALLEST_SHARE:
            return self.share(value)
        return self.language.words(_ABOUT, amount=self.share(float(_rounded(value, 2 if value >= 0.01 else 3))))

    def chance(self, value: float) -> str:
        """A probability in per cent, never quite 0 or 100."""
        if value < 0.01:
            return self.language.words(_LESS, amount=self.share(0.01))
        if value > 0.99:
            return self.language.words(_MORE, amount=self.share(0.99))
        return self.share(value)

    def duration(self, days: float) -> str:
        """A long time: days, from four months on months, from two years on half years."""
        months = days / _DAYS_A_MONTH
        if months < 4:
            return self.days(days)
        if months < 24:
            return self.counted(round(months), "months")
        return self.counted(math.floor(months / 6) / 2, "years", _WHOLE_AVERAGE_FROM)

    def days(self, value: float) -> str:
        """Whole days."""
        return self.counted(float(_rounded(value, 0)), "days")

    def every(self, value: float) -> str:
        """How often, from the days between."""
        shown = max(1, int(_rounded(value, 0)))
        return self.language.count(_EVERY, shown, self.number(shown))

    def window(self, days: float) -> str:
        """The days before the cutoff; a year is 12 months."""
        if days == 365:
            return self.language.words(_LAST_YEAR)
        return self.language.count(_LAST_DAYS, int(days), self.number(days))

    def span(self, days: float) -> str:
        """As many days, wherever they lie; a year is 12 months."""
        return self.language.words(_YEAR) if days == 365 else self.days(days)

    def wait(self, hours: float) -> str:
        """How long something took: hours, from three days on days."""
        return self.days(hours / 24) if hours >= _DAYS_FROM_HOURS else self.counted(hours, "hours")

    def amount(self, value: float, figures: int = 3) -> str:
        """An amount, or "nothing"."""
        return self.language.words(_NOTHING) if value == 0 else self.money(value, figures)

    def about_amount(self, value: float) -> str:
        """A usual amount."""
        return self.amount(0) if value == 0 else self.language.words(_ABOUT, amount=self.money(value, 2))


@lru_cache(maxsize=REMEMBERED)
def _in_numbers(value: float, decimals: int, locale: Locale) -> str:
    pattern = "#,##0" + ("." + "#" * decimals if decimals else "")
    return numbers.format_decimal(_rounded(value, decimals), format=pattern, locale=locale)


@lru_cache(maxsize=REMEMBERED)
def _in_money(value: float, figures: int, currency: str, locale: Locale) -> str:
    small = abs(value) < 10 and value != round(value)
    shown = _rounded(value, 2) if small else _to_figures(value, figures)
    pattern = "#,##0.00" if small else "#,##0"
    if not currency:
        return numbers.format_decimal(shown, format=pattern, locale=locale)
    standard = locale.currency_formats["standard"].pattern
    return numbers.format_currency(
        shown, currency, format=standard.replace("#,##0.00", pattern), locale=locale, currency_digits=False
    )


def _rounded(value: float, decimals: int) -> Decimal:
    """The nearest decimal number, halves away from 0, never a negative 0."""
    shown = Decimal(str(value)).quantize(Decimal(1).scaleb(-decimals), rounding=decimal.ROUND_HALF_UP)
    return shown or Decimal(0)


def _to_figures(value: float, figures: int) -> Decimal:
    """The nearest whole number that has at most so many figures other than 0 at its end."""
    places = max(0, _rounded(value, 0).adjusted() + 1 - figures)
    return _rounded(value, -places).quantize(Decimal(1))


Kind = Callable[[Speaker, Any], str]

#: How a figure may be put into words. `on_` counts days, `about_` marks what is usual.
KINDS: dict[str, Kind] = {
    "number": lambda s, v: s.number(v, 0 if abs(v) >= _WHOLE_AVERAGE_FROM else 1),
    "about": lambda s, v: s.about(v, "plain"),
    "count": lambda s, v: s.none_or(v, "plain"),
    "days": Speaker.days,
    "size_days": lambda s, v: s.days(abs(v)),
    "wait": Speaker.wait,
    "span": Speaker.span,
    "every": Speaker.every,
    "typical_days": lambda s, v: s.days(math.exp(min(v, _LARGEST_LOGARITHM))),
    "duration": Speaker.duration,
    "window": Speaker.window,
    "on_days": lambda s, v: s.none_or(v, "days"),
    "about_on_days": lambda s, v: s.about(v, "days"),
    "order_days": lambda s, v: s.counted(v, "order days"),
    "months_of_year": lambda s, v: s.number(min(v, 12)),
    "products": lambda s, v: s.none_or(v, "products"),
    "about_products": lambda s, v: s.about(v, "products"),
    "product_lines": lambda s, v: s.none_or(v, "product lines"),
    "about_product_lines": lambda s, v: s.about(v, "product lines"),
    "new_products": lambda s, v: s.counted(v, "new products"),
    "main_products": lambda s, v: s.counted(_even_parts(v), "main products"),
    "main_product_lines": lambda s, v: s.counted(_even_parts(v), "product lines"),
    "lines": lambda s, v: s.counted(v, "lines", _WHOLE_AVERAGE_FROM),
    "units": lambda s, v: s.counted(v, "units", _WHOLE_AVERAGE_FROM),
    "orders": lambda s, v: s.counted(v, "orders", _WHOLE_AVERAGE_FROM),
    "times": lambda s, v: s.counted(v, "times", _WHOLE_AVERAGE_FROM),
    "money": Speaker.money,
    "size": lambda s, v: s.money(abs(v)),
    "amount": Speaker.amount,
    "about_amount": Speaker.about_amount,
    "share": Speaker.share,
    "size_share": lambda s, v: s.share(abs(v)),
    "about_share": Speaker.about_share,
    "chance": Speaker.chance,
    "date": lambda s, v: dates.format_date(v, "medium", locale=s.language.locale),
    "month": lambda s, v: dates.format_date(v, "LLLL", locale=s.language.locale),
}

#: exp() of more than this is no float.
_LARGEST_LOGARITHM = 700.0


def _even_parts(concentration: float) -> float:
    """As many equal parts would give this Herfindahl index; at least one."""
    return 1.0 if concentration >= 1 else round(1 / max(concentration, 1e-9))
