"""Who is who: the owner of an account, the manager above, the teams, and who stands in where nobody is named."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Person:
    """Whoever a task or a notice goes to; `missing` names the gap in the data where somebody stands in."""

    name: str | None
    missing: str | None = None


@dataclass(frozen=True)
class OrgChart:
    """The company's own people, by name as in `customers.owner`.

    Attributes
    ----------
    managers
        Owner -> manager, where the customers' file names none.
    regions
        Region -> regional manager.
    director, top
        The sales director; the top management.
    teams
        ``service``, ``technical``, ``product``, ``operations`` -> who takes their tasks.
    fallback
        Who gets what belongs to nobody.
    """

    managers: Mapping[str, str] = field(default_factory=dict)
    regions: Mapping[str, str] = field(default_factory=dict)
    director: str = ""
    top: str = ""
    teams: Mapping[str, str] = field(default_factory=dict)
    fallback: str = ""

    def owner_of(self, row: Mapping[str, Any]) -> Person:
        """The owner of an account, else whoever stands in, with ``no_owner``."""
        return self._named(row.get("owner"), "no_owner")

    def of_team(self, team: str, row: Mapping[str, Any]) -> Person:
        """Who takes a team's tasks; the account's owner where the chart names nobody, with ``no_<team>``."""
        name = self.top if team == "management" else self.teams.get(team, "")
        return Person(name) if name else Person(self.owner_of(row).name, f"no_{team}")

    def role(self, role: str, row: Mapping[str, Any]) -> Person:
        """The person in a role for a customer: ``owner``, ``manager``, ``regional_manager``, ``director``, ``top``.

        Where nobody is named, the next above, at last the fallback, with ``no_<role>``.
        """
        if role == "owner":
            return self.owner_of(row)
        manager = _name(row.get("manager")) or self.managers.get(_name(row.get("owner")) or "", "")
        regional = self.regions.get(_name(row.get("region")) or "", "")
        line = {"manager": manager, "regional_manager": regional, "director": self.director, "top": self.top}
        above = list(line)[list(line).index(role) :]
        stands_in = next((line[one] for one in above if line[one]), self.fallback)
        return Person(line[role]) if line[role] else Person(stands_in or None, f"no_{role}")

    def _named(self, value: Any, missing: str) -> Person:
        name = _name(value)
        return Person(name) if name else Person(self.fallback or None, missing)


def _name(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
