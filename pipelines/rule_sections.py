"""The section ``[rules]`` of the settings: thresholds that differ, and rules of the company's own."""

from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from features.errors import SettingsError
from models.own_warning_rules import own_rules
from models.warning_rule_list import WARNING_RULES
from models.warning_rules import rule_options
from pipelines.sections import Section
from pipelines.setting_words import Allowed

OwnRules = Annotated[
    tuple[dict[str, Any], ...],
    Field(strict=False),
    Allowed("tables [[rules.own]], as docs/rules.md shows them"),
]


class Rules(Section):
    """What a company wants of the rules that warn."""

    own: OwnRules = ()
    options: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _usable(self) -> Self:
        try:
            own_rules(self.own)
            rule_options(self.options, WARNING_RULES)
        except SettingsError as error:
            # pydantic takes nothing but a ValueError for a refusal
            raise ValueError(str(error).removeprefix("rules.")) from None
        return self
