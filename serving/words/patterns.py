"""The general patterns: one set of sentences for every quantity that has a plain name, whatever it counts.

A family of features - a quantity, the customer's usual, and the comparisons of the two - needs its name alone, such as
"Visits". Its sentences tell the quantity and what is usual, whichever of the family's features is the reason; only
where neither is known do they say what the feature itself does: more or less than usual.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from serving.words.rhythm import SHORT_PAST
from serving.words.speech import Sentence, say, text

#: Ends of a feature's name that compare a quantity; ``usual`` is what it is compared with.
VIEWS = ("vs_usual", "vs_peers", "usual", "z")

_WINDOW = "{days} window"
#: How the usual of a kind is told, where it is told otherwise than the quantity itself.
_USUAL_KINDS = {"count": "about", "money": "about_amount", "amount": "about_amount"}
#: Closer to the usual than this, a ratio, a difference or a number of usual variations is no more and no less.
_RATIO, _DIFFERENCE, _VARIATIONS = 0.05, 0.005, 0.5


@dataclass(frozen=True)
class Quantity:
    """What a family of features measures.

    Attributes
    ----------
    name
        English name that stands before a colon: "Visits".
    kind
        How the quantity is put into words.
    usual
        The column of what is usual; "" for the family's own.
    since
        Whether it counts the days since an event: the name is that of the newest, "Last visit".
    level
        Whether it is compared by a difference, as a share is, and does not add up over time.
    span
        Whether its usual is that of the window's length: "about 5 in 90 days".
    direct
        Whether it is compared with similar customers as it stands, and not by how far it is from the usual.
    alone
        Whether its value at similar customers means nothing, as it counts from an event of the account's own.
    """

    name: str
    kind: str
    usual: str = ""
    since: bool = False
    level: bool = False
    span: bool = False
    direct: bool = False
    alone: bool = False


def quantity(name: str, kind: str = "count", *, level: bool = False, usual: str = "", direct: bool = False) -> Quantity:
    """Declare a family by its name; shares are levels, counts and sums of money are told per window."""
    return Quantity(
        name, kind, usual, level=level or kind == "share", span=kind in ("count", "money", "amount"), direct=direct
    )


def since(name: str, usual: str = "", *, alone: bool = False) -> Quantity:
    """Declare a family of days since an event; `usual` is the column of the usual days between two of them.

    `alone` is an event that says nothing of other customers, such as the end of a contract.
    """
    return Quantity(name, "days", usual, since=True, alone=alone)


def flag(yes: str, no: str) -> tuple[Sentence, ...]:
    """Both answers to a question of yes or no."""
    return (Sentence(yes, when=("value >= 0.5",)), Sentence(no, when=("value < 0.5",)))


def change(name: str) -> tuple[Sentence, ...]:
    """The change of something, as a share of what it was."""
    named = {"name": name}
    return (
        say("{name}: down {change}.", when="value <= -0.005", phrases=named, change="value size_share"),
        say("{name}: up {change}.", when="value >= 0.005", phrases=named, change="value size_share"),
        say("{name}: unchanged.", when="value > -0.005", phrases=named),
    )


def trend(name: str) -> tuple[Sentence, ...]:
    """The change of a number of days per quarter of a year."""
    named = {"name": name}
    return (
        say(
            "{name}: {change} longer every quarter over the last 12 months.",
            when="value >= 0.5",
            phrases=named,
            change="value size_days",
        ),
        say(
            "{name}: {change} shorter every quarter over the last 12 months.",
            when="value <= -0.5",
            phrases=named,
            change="value size_days",
        ),
        say("{name}: unchanged over the last 12 months.", when="value < 0.5", phrases=named),
    )


def every(name: str) -> tuple[Sentence, ...]:
    """The usual days between two events."""
    return (say("{name}: usually {every}.", phrases={"name": name}, every="value every"),)


#: What -> the message with a window, and without one.
_MESSAGES = {
    "usual": (
        text("{name} in {window}: {actual}; usually {usual}."),
        text("{name}: {actual}; usually {usual}."),
    ),
    "bare": (text("{name} in {window}: {actual}."), text("{name}: {actual}.")),
    "share": (text("{name} in {window}: {share} of the usual."), text("{name}: {share} of the usual.")),
    "above": (text("{name} in {window}: above the usual."), text("{name}: above the usual.")),
    "below": (text("{name} in {window}: below the usual."), text("{name}: below the usual.")),
    "as_usual": (text("{name} in {window}: about as usual."), text("{name}: about as usual.")),
    "above_peers": (
        text("{name} in {window}: above similar customers."),
        text("{name}: above similar customers."),
    ),
    "below_peers": (
        text("{name} in {window}: below similar customers."),
        text("{name}: below similar customers."),
    ),
    "as_peers": (
        text("{name} in {window}: much the same as similar customers."),
        text("{name}: much the same as similar customers."),
    ),
}
_AGAINST_USUAL = {
    "above_peers": (
        text("{name} in {window}, against the usual: above similar customers."),
        text("{name}, against the usual: above similar customers."),
    ),
    "below_peers": (
        text("{name} in {window}, against the usual: below similar customers."),
        text("{name}, against the usual: below similar customers."),
    ),
    "as_peers": (
        text("{name} in {window}, against the usual: much the same as similar customers."),
        text("{name}, against the usual: much the same as similar customers."),
    ),
}
_OWN_USUAL = text("{name}: usually {usual}.")
_OWN_USUAL_IN = text("{name}: usually {usual} in {span}.")
_AGO_USUAL = text("{name}: {since} ago; usually one {every}.")
_AGO = text("{name}: {since} ago.")
_TIMES_AGO = text("{name}: {times} the usual time ago.")
_AGO_PEERS = {
    "above": text("{name}: longer ago, against the usual, than at similar customers."),
    "below": text("{name}: less long ago, against the usual, than at similar customers."),
    "as": text("{name}: about as long ago, against the usual, as at similar customers."),
}


def ways(of: Quantity, family: str, view: str = "") -> tuple[Sentence, ...]:
    """The ways to state a feature of a family, fullest first.

    Parameters
    ----------
    of
        What the family measures.
    family
        Column of the quantity, any window in it written ``{days}``.
    view
        One of `VIEWS`, or "" for the quantity itself. Sentences about a view cite its own value as ``own``.
    """
    if of.since:
        return tuple(_ago(of, family, view))
    usual = of.usual or f"{family}_usual"
    usual_kind = _USUAL_KINDS.get(of.kind, of.kind)
    if view == "usual":
        return (*_own_usual(of, family, usual_kind), SHORT_PAST)
    actual = f"{family} {of.kind}"
    told = {"actual": actual, "peer": actual}
    bare = _way("bare", of, family, **told)
    # more or less than usual says more than the bare quantity; the value of similar customers can follow the quantity
    rest = (bare, *comparison(of, family, view)) if view == "vs_peers" else (*comparison(of, family, view), bare)
    return (_way("usual", of, family, **told, usual=f"{usual} {usual_kind}"), *rest)


def comparison(of: Quantity, family: str, view: str) -> tuple[Sentence, ...]:
    """What can be said of a comparison by its own value alone; nothing of the quantity itself."""
    if view == "vs_usual" and not of.level:
        return (_way("share", of, family, share="own about_share"),)
    if view == "z":
        return _sides(("above", "below", "as_usual"), of, family, 0.0, _VARIATIONS)
    if view == "vs_usual":
        return _sides(("above", "below", "as_usual"), of, family, 0.0, _DIFFERENCE)
    if view == "vs_peers":
        middle, margin = (0.0, _DIFFERENCE) if of.level else (1.0, _RATIO)
        return _sides(("above_peers", "below_peers", "as_peers"), of, family, middle, margin)
    return ()


def _sides(
    whats: tuple[str, str, str], of: Quantity, family: str, middle: float, margin: float
) -> tuple[Sentence, ...]:
    """More, less, or neither, by the feature's own value."""
    above, below, neither = whats
    return (
        _way(above, of, family, when=f"own > {middle + margin}"),
        _way(below, of, family, when=f"own < {middle - margin}"),
        _way(neither, of, family, when=f"own >= {middle - margin}"),
    )


def _way(what: str, of: Quantity, family: str, when: str = "", peer: str = "", **slots: str) -> Sentence:
    """One pattern with the family's name and window."""
    windowed = "{days}" in family
    messages = _MESSAGES[what] if of.direct else _AGAINST_USUAL.get(what, _MESSAGES[what])
    message = messages[0 if windowed else 1]
    if windowed:
        slots["window"] = _WINDOW
    return Sentence(message, slots, (when,) if when else (), {"name": of.name}, peer)


def _own_usual(of: Quantity, family: str, kind: str) -> tuple[Sentence, ...]:
    """The usual by itself."""
    named = {"name": of.name}
    if of.span and "{days}" in family:
        return (Sentence(_OWN_USUAL_IN, {"usual": f"own {kind}", "span": "{days} span"}, phrases=named),)
    return (Sentence(_OWN_USUAL, {"usual": f"own {kind}"}, phrases=named),)


def _ago(of: Quantity, family: str, view: str) -> Iterator[Sentence]:
    """How long ago something happened last."""
    named = {"name": of.name}
    days = f"{family} days"
    if of.usual:
        yield Sentence(_AGO_USUAL, {"since": days, "every": f"{of.usual} every"}, (), named, days)
    if view == "vs_usual":
        yield Sentence(_TIMES_AGO, {"times": "own times"}, phrases=named)
    if view == "vs_peers":
        yield Sentence(_AGO_PEERS["above"], when=(f"own > {1 + _RATIO}",), phrases=named)
        yield Sentence(_AGO_PEERS["below"], when=(f"own < {1 - _RATIO}",), phrases=named)
        yield Sentence(_AGO_PEERS["as"], when=(f"own >= {1 - _RATIO}",), phrases=named)
    yield Sentence(_AGO, {"since": days}, (), named, "" if of.alone else days)
