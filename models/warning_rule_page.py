"""The page ``docs/rules.md``, made from the declarations of the rules; a test asserts that it is current."""

from collections.abc import Iterator

from features.options import Option
from models.warning_rule_list import WARNING_RULES
from models.warning_rules import WarningRule

_HEAD = """\
# The rules that warn

<!-- Written by `python -m models.warning_rules > docs/rules.md`; change models/warning_rule_list.py instead. -->

Every day each rule is asked of each customer. A rule that fires is a *signal*: the rule, its level and the evidence,
that is the values and thresholds that fired it. The customer's level is the loudest of what the score, the health and
the rules say; a rule with the level `none` only marks, sets a task or puts the customer on a working list. A rule has a
level of its own only where its source names one.

- **Unknown fires nothing.** A rule that reads a table, column or value that is not there stays silent, and says so once
  for the company.
- **Boundaries** are as written: `>=` includes the limit, `>` does not. `days_since_...` are whole days at the midnight
  that begins the date: an order of yesterday is 1 day ago.
- **Churned and about to churn** exclude each other: who is beyond the own cycles is churned, whatever the time limit
  says. A customer without a known cycle can only be about to churn.
- **Overdue** is also who is churned or dormant: the expected day has passed for them, too.
- **Red and grey overlap** for an important customer who is dormant. Each signal stands; the customer is on the more
  urgent list: red before yellow before grey. An account without a rank on file earns D when dormant, and so is grey.
- **Of old** is a customer from the third order day on, or half a year after the first where there was a second.
- **Temperature**: a fall to cool counts on the day after it was put on file, whatever it fell from; a rise from cold to
  cool, and staying cool, do not.
- **Contacts below the curve** are told by `contacts_..._period`: a period is 90 days; expected is the customer's own
  year before the two periods, by season and age, and for the young the curve of all customers. A period without an
  expectation breaks the row.
- **A competitor in the region** makes the level of a customer who has one by one step louder, red at most, for as long
  as the act counts; it makes no level where there is none.
- **No contact** is asked of accounts with a first contact; one that was never contacted has no days since the last."""

_OWN = """\

## Rules of your own

A rule of your own is a table in `kizashi.toml`, in the same language, over any feature ([list](features.md)), fact of
the customer or further column of your `customers`:

```toml
[[rules.own]]
id = "fewer_follow_ups"
when = ["follow_ups_60d <= 0.5 * follow_ups_60d_before"]
level = "yellow"
team = "service"
words = "Half as many follow-ups as in the 60 days before."

[[rules.own]]
id = "key_account_without_order"
when = ["segment_code in [K1, K2]", "days_since_last_order > 60"]
any_of = ["temperature in [cool, cold]", "open_problems >= 1"]
working_list = "yellow"
words = "A key account has not ordered for two months."
```

- A condition is `column >= number` (or `>`, `<=`, `<`, `=`), `column in [A, B]` or `column is true`. The number may be
  an option of the list above or another column, or a product of two of them, with a minus before it. A text may join
  several by `and`. A column with a space in its name stands in double quotes.
- All of `when` have to be met, one of `any_of`, `at_least` (a number) of the texts in `of`, and none of `none_of`.
  `shows` names further columns for the evidence.
- `level` is none, blue, yellow, orange or red; `working_list` red, yellow or grey; `team` sales, service or management.
- `words` is the sentence that people read, in the language of your company."""


def rules_page() -> str:
    """The text of ``docs/rules.md``."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield _HEAD
    yield from ("", "## The rules", "", "| row | rule | fires when | level | list | team | mark | meaning |")
    yield "|---|---|---|---|---|---|---|---|"
    for rule in WARNING_RULES:
        yield (
            f"| {rule.id} ({rule.source}) | `{rule.code}` | {_fires_when(rule)} | {_level(rule)} | "
            f"{rule.working_list or ''} | {rule.team} | {rule.tag or rule.stage or ''} | {rule.meaning} |"
        )
    yield from ("", "## Options", "", "Write what you change under `[rules.options]` in `kizashi.toml`. The value")
    yield '`"off"` switches off each condition that reads it, and so the rule where it cannot do without.'
    yield from ("", "| option | default | unit | meaning |", "|---|---|---|---|")
    options = sorted((one for rule in WARNING_RULES for one in rule.options), key=lambda one: one.name)
    for one in options:
        yield f"| `{one.name}` | {_default(one)} | {one.unit} | {one.meaning} |"
    yield _OWN


def _level(rule: WarningRule) -> str:
    return "one up" if rule.escalates else rule.level


def _fires_when(rule: WarningRule) -> str:
    parts = [_joined(rule.when, "and")] if rule.when else []
    if rule.any_of:
        parts.append(f"one of: {_joined(rule.any_of, 'or')}")
    if rule.at_least:
        parts.append(f"{rule.at_least[0]} of: {_joined(rule.at_least[1], 'or')}")
    if rule.none_of:
        parts.append(f"not: {_joined(rule.none_of, 'or')}")
    return "; ".join(parts)


def _joined(texts: tuple[str, ...], how: str) -> str:
    return f" {how} ".join(f"`{text}`" for text in texts)


def _default(one: Option) -> str:
    return ", ".join(one.default) if isinstance(one.default, tuple) else f"`{one.default}`"
