"""Warnings in money: a backtest's predictions beside the value of the customers, under the company's own numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from features.errors import SettingsError
from features.labels import HORIZONS
from features.snapshots import Progress, silent
from models import economics as money
from models.earliness import RANDOM
from models.economics import CompanyNumbers, Measure
from models.figures import InvalidPredictions
from models.folds import CHAMPION
from models.plots import portfolio_plot
from models.portfolio import Portfolio, capacity_table, threshold_table
from models.rules import RULES
from pipelines.intake import Intake
from pipelines.settings import Settings

#: The champion, and what it has to beat at the same effort.
COMPARED = (CHAMPION, *(rule.name for rule in RULES), RANDOM)
#: The champion's probability times the value at risk: whom to call first where calls are few and customers differ.
BY_LOSS = "expected_loss"
OWN = "own"
#: Names of horizons as the command takes them.
CHOICES = (OWN, *(str(days) for days in HORIZONS))
THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 20))
#: Shares of the warnings that may be left alone, for what that would prove.
HOLDOUT_SHARES = (0.1, 0.3, 0.5)
#: Rates of saving that the profit is shown for, whatever the company's own is.
SAVE_RATES = (0.05, 0.1, 0.2, 0.4)
REPEATS = 300
_CURVE_POINTS = 10
_KEYS = ["customer_id", "as_of"]


@dataclass(frozen=True)
class Economics:
    """What the warnings of a backtest would have cost and caught.

    Attributes
    ----------
    horizon
        ``own`` or the days of a fixed horizon: what counts as lost.
    measure
        What values are counted in.
    numbers
        The company's own.
    asked
        The capacities that were asked for, in new warnings a month; `capacities` has more of them, for the curve.
    customers
        The newest date: one row per customer of the cohort, most to lose first.
    capacities, thresholds
        Of :mod:`models.portfolio`.
    sensitivity
        Profit of the champion per capacity asked for, a column per save rate; empty where a cost or margin is
        missing.
    holdout
        Per capacity asked for and share left alone: ``warnings_a_year``, ``lost`` (the champion's precision) and
        ``provable_save_rate`` (NaN where nothing could be proven).
    first, last
        The dates after the run-in whose outcomes are known.
    """

    horizon: str
    measure: Measure
    numbers: CompanyNumbers
    asked: tuple[int, ...]
    customers: pd.DataFrame
    capacities: pd.DataFrame
    thresholds: pd.DataFrame
    sensitivity: pd.DataFrame
    holdout: pd.DataFrame
    first: pd.Timestamp
    last: pd.Timestamp


def numbers_of(settings: Settings) -> CompanyNumbers:
    """The company's own numbers as they are set."""
    given = settings.economics
    ends = given.replacement_multiple
    return CompanyNumbers(
        contact_cost=None if given.contact_cost == "" else given.contact_cost,
        offer_cost=given.offer_cost,
        save_rate=None if given.save_rate == "" else given.save_rate,
        margin_share=None if given.margin_share == "" else given.margin_share,
        replacement_multiple=(min(ends), max(ends)) if ends else None,
    )


def columns_of(horizon: str) -> tuple[str, str]:
    """The columns of a predictions file that hold the probability and the outcome of a horizon.

    Raises
    ------
    SettingsError : an unknown horizon.
    """
    if horizon not in CHOICES:
        raise SettingsError(f"--horizon {horizon}: expected one of {', '.join(CHOICES)}.")
    return ("churn_probability", "churned") if horizon == OWN else (f"p_no_order_{horizon}", f"no_order_{horizon}")


def read_predictions(path: Path, horizon: str) -> pd.DataFrame:
    """The champion, the rules, their probability and the outcome (NaN where not known yet) out of a backtest's file.

    Returns
    -------
    DataFrame
        ``contestant``, ``customer_id``, ``as_of``, ``probability``, ``outcome``.

    Raises
    ------
    SettingsError, InvalidPredictions
        If the file cannot be read or is not what `kizashi backtest` writes.
    """
    probability, outcome = columns_of(horizon)
    if not path.is_file():
        raise SettingsError(f"--predictions {path}: there is no such file. Write it with `kizashi backtest`.")
    wanted = ["contestant", *_KEYS, probability, outcome]
    try:
        found = pd.read_parquet(path)
    except (OSError, ValueError):  # what Arrow says of a file that is none of its own
        raise SettingsError(f"--predictions {path}: is no Parquet file. Write it with `kizashi backtest`.") from None
    absent = [name for name in wanted if name not in found]
    dated = "as_of" in found and pd.api.types.is_datetime64_any_dtype(found["as_of"])
    if absent or not dated or CHAMPION not in set(found["contestant"]):
        wrong = f"missing are {absent}" if absent else "`as_of` must be dates and one contestant the champion"
        raise InvalidPredictions(
            f"--predictions {path}: expected a file of `kizashi backtest`; {wrong}. Found {list(found)}."
        )
    kept = found.loc[found["contestant"].isin(COMPARED), wanted].astype({"customer_id": "str", "contestant": "str"})
    return kept.rename(columns={probability: "probability", outcome: "outcome"}).reset_index(drop=True)


def values(intake: Intake, predictions: pd.DataFrame, *, progress: Progress = silent) -> tuple[pd.Series, Measure]:
    """The value at risk of every prediction, as known at its date, on its index; and what it is counted in.

    Raises
    ------
    SettingsError : the predictions are of other data.
    """
    dates = sorted(day.date() for day in predictions["as_of"].unique())
    if dates[-1] > intake.as_of:
        raise SettingsError(
            f"the predictions reach to {dates[-1]}, the data only to {intake.as_of}: give newer --data."
        )
    frame = intake.snapshots(dates, progress=progress).frame
    known = frame[_KEYS].assign(value=money.value_at_risk(frame))
    joined = predictions[_KEYS].merge(known, on=_KEYS, how="left", validate="many_to_one")
    strangers = joined.loc[joined["value"].isna(), "customer_id"].unique()
    if len(strangers):
        raise SettingsError(
            f"{len(strangers)} customers of the predictions are not known in the data at their dates, such as "
            f"{list(strangers[:3])}: give the --data that the backtest was made of."
        )
    return joined["value"].set_axis(predictions.index), money.measure_of(frame)


def economics(
    intake: Intake,
    predictions: pd.DataFrame,
    *,
    horizon: str,
    capacities: Sequence[int],
    progress: Progress = silent,
) -> Economics:
    """Everything that the command prints and writes.

    Parameters
    ----------
    predictions
        Of :func:`read_predictions`.
    capacities
        New warnings a month.

    Raises
    ------
    TooLittleData
        If too few outcomes are known.
    """
    numbers, asked = numbers_of(intake.settings), tuple(sorted(set(capacities)))
    value, measure = values(intake, predictions, progress=progress)
    valued = predictions.assign(value=value)
    matured = _with_expected_loss(valued.dropna(subset="outcome"))
    if matured.empty:
        raise InvalidPredictions(
            f"No outcome of --horizon {horizon} is known yet. Give a shorter one, or predictions of earlier dates."
        )
    progress("what warnings would have cost and caught", 0.95)
    portfolio = Portfolio.read(matured)
    rng = np.random.default_rng(intake.settings.training.seed)
    scores = [name for name in portfolio.contestants if name != BY_LOSS]
    compared = [name for name in (BY_LOSS, *COMPARED) if name in {*portfolio.contestants, RANDOM}]
    curve = np.geomspace(1, max(1.0, portfolio.most_a_month(CHAMPION)), _CURVE_POINTS)
    table = capacity_table(
        portfolio, compared, sorted({*asked, *curve.round().tolist()}), numbers, measure, repeats=REPEATS, rng=rng
    )
    by_threshold = threshold_table(portfolio, scores, THRESHOLDS, numbers, measure, repeats=REPEATS, rng=rng)
    champion = table[(table["contestant"] == CHAMPION) & table["capacity"].isin(asked)].reset_index(drop=True)
    days = pd.to_datetime(np.unique(portfolio.day[portfolio.counted]), unit="D")
    return Economics(
        horizon,
        measure,
        numbers,
        asked,
        _customers(valued, numbers, measure),
        table,
        by_threshold,
        _sensitivity(champion, numbers, measure),
        _holdout(champion),
        days[0],
        days[-1],
    )


def _with_expected_loss(valued: pd.DataFrame) -> pd.DataFrame:
    """The predictions with one contestant more, which ranks by expected loss."""
    champion = valued[valued["contestant"] == CHAMPION]
    ranked = champion.assign(contestant=BY_LOSS, probability=champion["probability"] * champion["value"])
    return pd.concat([valued, ranked], ignore_index=True)


def _customers(valued: pd.DataFrame, numbers: CompanyNumbers, measure: Measure) -> pd.DataFrame:
    newest = valued[(valued["contestant"] == CHAMPION) & (valued["as_of"] == valued["as_of"].max())]
    lost = money.expected_loss(newest["probability"], newest["value"])
    paid = (1.0, newest["probability"], lost, numbers, measure)
    table = newest[[*_KEYS, "probability"]].assign(
        value_at_risk=newest["value"],
        expected_loss=lost,
        break_even_save_rate=money.break_even_save_rate(*paid),
        expected_profit=money.profit(*paid),
    )
    return table.sort_values(["expected_loss", "customer_id"], ascending=[False, True], ignore_index=True)


def _sensitivity(champion: pd.DataFrame, numbers: CompanyNumbers, measure: Measure) -> pd.DataFrame:
    if numbers.contact_cost is None or numbers.margin_of(measure) is None:
        return pd.DataFrame()
    paid = (champion["warnings"], champion["right"], champion["caught_value"], numbers, measure)
    rates = {str(rate): money.profit(*paid, save_rate=rate) for rate in SAVE_RATES}
    return champion[["capacity"]].assign(**rates)


def _holdout(champion: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for row in champion.to_dict("records"):
        a_year, lost = 12 * row["warnings_a_month"], row["precision"]
        for share in HOLDOUT_SHARES:
            known = a_year > 0
            proven = money.smallest_provable_save_rate(a_year, lost, holdout_share=share) if known else float("nan")
            rows.append((row["capacity"], share, a_year, lost, proven))
    return pd.DataFrame(rows, columns=["capacity", "holdout_share", "warnings_a_year", "lost", "provable_save_rate"])


def write(result: Economics, folder: Path) -> list[Path]:
    """Write the tables as CSV and the curve as PNG; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name in ("capacities", "thresholds", "customers"):
        written.append(folder / f"{name}.csv")
        opened_safely(getattr(result, name)).to_csv(written[-1], index=False)
    written.append(folder / "portfolio.png")
    portfolio_plot(result.capacities, title=f"{result.first:%Y-%m-%d} to {result.last:%Y-%m-%d}").savefig(written[-1])
    return written


def opened_safely(table: pd.DataFrame) -> pd.DataFrame:
    """The table with an apostrophe before every text that a spreadsheet would run as a formula."""
    texts = table.select_dtypes(include=["str", "object", "category"])
    return table.assign(
        **{str(name): texts[name].astype("str").str.replace(r"^(?=[=+\-@\t\r\n])", "'", regex=True) for name in texts}
    )
