"""What the tables show of each signal: the way back from the rows to the declarations, for the oracle."""

from dataclasses import dataclass

from features.simulate.arrays import Floats, Integers


@dataclass(frozen=True)
class Observations:
    """Observations of one signal as parallel arrays, in any order.

    Attributes
    ----------
    signal
        Name in `SIGNALS`.
    account
        Number of the customer.
    day
        Day on which the fact was known: a payment on the day on which it was made.
    value
        `share`: 1 for yes, 0 for no. `value`, `count`: the number. `rate`: 1 per event.
    usual
        What would be usual in this observation, on the scale of the family, where that is not the same for all
        observations of a customer; else None.
    """

    signal: str
    account: Integers
    day: Integers
    value: Floats
    usual: Floats | None = None
