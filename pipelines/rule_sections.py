"""The section ``[rules]`` of the settings, and the rules and thresholds that it makes."""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from pipelines.sections import Section
from pipelines.setting_words import Allowed

if TYPE_CHECKING:
    from features.options import Value
    from models.warning_rules import WarningRule

OwnRules = Annotated[
    tuple[dict[str, Any], ...],
    Field(strict=False),
    Allowed("tables [[rules.own]], as docs/rules.md shows them"),
]


class Rules(Section):
    """What a company wants of the rules that warn."""

    own: OwnRules = ()
    options: dict[str, Any] = Field(default_factory=dict)


def company_rules(
    section: Rules, further: Collection[str] = ()
) -> tuple[tuple["WarningRule", ...], Mapping[str, "Value"]]:
    """The shipped rules and the company's own after them, and every threshold's value.

    Parameters
    ----------
    section
        Of the settings.
    further
        Columns of `customers` beyond the contract, which own rules may read.

    Raises
    ------
    SettingsError
        If an own rule or an option cannot be used: one line with the place and the mend.
    """
    # settings are read before numpy may be imported, which takes the number of its threads from the environment
    from models.own_warning_rules import known_columns, own_rules
    from models.warning_rule_list import WARNING_RULES
    from models.warning_rules import rule_options

    rules = (*WARNING_RULES, *own_rules(section.own, known_columns(further)))
    return rules, rule_options(section.options, rules)
