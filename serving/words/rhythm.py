"""The sentences about when a customer orders: silence, rhythm, frequency, season.

Per feature the ways to state it, fullest first; the first whose figures are known and whose conditions hold is said.
``{days}`` in a feature's name stands for any window, and for the same number within its sentences. Near the end stands
a way that needs the feature's own value alone; after it what may be said where even that is unknown.
"""

from serving.words.speech import Sentence, say

Sentences = dict[str, tuple[Sentence, ...]]

_SINCE = "days_since_last_order days"
_CYCLE = "gap_median_days_ever every"
_MEAN = "gap_mean_days_ever every"
_IN_RHYTHM = "days_since_last_order <= gap_median_days_ever"
_ON_DATE = "last_order_on date"

#: What may be said of any feature that needs two order days, where there are not two.
_ONE_ORDER_DAY = say("Has ordered on one day only, so there is no usual rhythm yet.", when="order_days_ever == 1")
#: ... and of one that needs a longer past than there is.
SHORT_PAST = say("Not a customer for long enough to tell what is usual.", when="days_since_first_order < 150")

#: The time within which it nearly always ordered, where that is longer than what is usual.
_LIMIT = "gap_q90_days_ever days"
_RANGED = "gap_q90_days_ever > gap_median_days_ever"

_SILENCE = (
    say(
        "Last order {since} ago, on {date}; usually one {every}, nine times out of ten within {limit}.",
        when=(_IN_RHYTHM, _RANGED),
        since=_SINCE,
        date=_ON_DATE,
        every=_CYCLE,
        limit=_LIMIT,
    ),
    say(
        "No order for {since}, since {date}; usually one {every}, nine times out of ten within {limit}.",
        when=_RANGED,
        since=_SINCE,
        date=_ON_DATE,
        every=_CYCLE,
        limit=_LIMIT,
    ),
    say(
        "Last order {since} ago; usually one {every}, nine times out of ten within {limit}.",
        when=(_IN_RHYTHM, _RANGED),
        since=_SINCE,
        every=_CYCLE,
        limit=_LIMIT,
    ),
    say(
        "No order for {since}; usually one {every}, nine times out of ten within {limit}.",
        when=_RANGED,
        since=_SINCE,
        every=_CYCLE,
        limit=_LIMIT,
    ),
    say(
        "Last order {since} ago, on {date}; usually one {every}.",
        when=_IN_RHYTHM,
        since=_SINCE,
        date=_ON_DATE,
        every=_CYCLE,
    ),
    say("No order for {since}, since {date}; usually one {every}.", since=_SINCE, date=_ON_DATE, every=_CYCLE),
    say("Last order {since} ago; usually one {every}.", when=_IN_RHYTHM, since=_SINCE, every=_CYCLE),
    say("No order for {since}; usually one {every}.", since=_SINCE, every=_CYCLE),
    say("Last order {since} ago, on {date}.", since=_SINCE, date=_ON_DATE),
    say("Last order {since} ago.", since=_SINCE),
)
#: Only the ways that tell what is usual.
_USUAL_SILENCE = _SILENCE[:8]
_TIMES_THE_GAP = say("The time since the last order is {times} the usual time between orders.", times="value times")

_DAYS = "order_days_{days}d on_days"
_ORDER_DAYS_USUAL = (
    say(
        "No order in {window}; usually orders on {usual} in that time.",
        when="order_days_{days}d == 0",
        peer=_DAYS,
        window="{days} window",
        usual="order_days_{days}d_usual about_on_days",
    ),
    say(
        "Ordered on {actual} in {window}; usually on {usual}.",
        actual=_DAYS,
        window="{days} window",
        usual="order_days_{days}d_usual about",
    ),
)
_ORDER_DAYS = (
    say(
        "No order in {window}; usually one {every}.",
        when="order_days_{days}d == 0",
        peer=_DAYS,
        window="{days} window",
        every=_CYCLE,
    ),
    say(
        "Ordered on {actual} in {window}; usually one order {every}.",
        actual=_DAYS,
        window="{days} window",
        every=_CYCLE,
    ),
    say("No order in {window}.", when="order_days_{days}d == 0", peer=_DAYS, window="{days} window"),
    say("Ordered on {actual} in {window}.", actual=_DAYS, window="{days} window"),
)

SENTENCES: Sentences = {
    "btyd": (
        *_SILENCE,
        say(
            "Judging only by when this customer has ordered so far, "
            "the chance of no order in the next {days} is {chance}.",
            days="window_days days",
            chance="value chance",
        ),
    ),
    "days_since_last_order": _SILENCE,
    "days_since_last_order_vs_median_gap": (*_USUAL_SILENCE, _TIMES_THE_GAP, _ONE_ORDER_DAY),
    "days_since_last_order_vs_mean_gap": (
        say("No order for {since}; on average one {every}.", when="value > 1", since=_SINCE, every=_MEAN),
        say("Last order {since} ago; on average one {every}.", since=_SINCE, every=_MEAN),
        _TIMES_THE_GAP,
        _ONE_ORDER_DAY,
    ),
    "days_since_last_order_vs_q90_gap": (
        say(
            "No order for {since}; nine times out of ten the next one came within {limit}.",
            when="value > 1",
            since=_SINCE,
            limit="gap_q90_days_ever days",
        ),
        say(
            "Last order {since} ago; nine times out of ten the next one came within {limit}.",
            since=_SINCE,
            limit="gap_q90_days_ever days",
        ),
        say(
            "The time since the last order is {times} the time within which it nearly always ordered.",
            times="value times",
        ),
        _ONE_ORDER_DAY,
    ),
    "days_since_last_order_vs_max_gap": (
        say(
            "No order for {since}; the longest pause before was {longest}.",
            when="value > 1",
            since=_SINCE,
            longest="gap_max_days_ever days",
        ),
        say(
            "Last order {since} ago; the longest pause before was {longest}.",
            since=_SINCE,
            longest="gap_max_days_ever days",
        ),
        say("The time since the last order is {times} the longest pause before.", times="value times"),
        _ONE_ORDER_DAY,
    ),
    "days_since_last_order_z": (
        *_USUAL_SILENCE,
        say("No order for longer than usual.", when="value > 0"),
        say("The time since the last order is within what is usual.", when="value <= 0"),
        _ONE_ORDER_DAY,
    ),
    "longer_gap_probability": (
        say(
            "No order for {since}; in this customer's usual rhythm, "
            "{chance} of the pauses between orders last that long.",
            when="days_since_last_order > gap_median_days_ever",
            since=_SINCE,
            chance="value chance",
        ),
        say(
            "Last order {since} ago; in this customer's usual rhythm, "
            "{chance} of the pauses between orders last longer.",
            since=_SINCE,
            chance="value chance",
        ),
        say(
            "In this customer's usual rhythm, {chance} of the pauses between orders last as long as this one.",
            chance="value chance",
        ),
        _ONE_ORDER_DAY,
    ),
    "days_since_first_order": (say("First ordered {time} ago.", time="value duration"),),
    "order_days_ever": (say("Has ordered on {actual} so far.", actual="value on_days"),),
    "days_since_last_order_vs_tenure": (
        say(
            "Last order {since} ago, first order {time} ago.",
            since=_SINCE,
            time="days_since_first_order duration",
        ),
        say("No order for {share} of the time since the first.", share="value share"),
    ),
    "order_days_{days}d": (*_ORDER_DAYS_USUAL, *_ORDER_DAYS),
    "order_days_{days}d_usual": (
        say("Usually orders on {usual} out of {span}.", usual="value about_on_days", span="{days} number"),
        SHORT_PAST,
    ),
    "order_days_{days}d_vs_usual": (
        *_ORDER_DAYS_USUAL,
        say("Ordered {share} as often as usual in {window}.", share="value about_share", window="{days} window"),
        *_ORDER_DAYS,
    ),
    "order_days_prior_90d": (
        say(
            "Ordered on {actual} in the 90 days before the last 90; usually on {usual}.",
            actual="value on_days",
            usual="order_days_90d_usual about",
        ),
        say("Ordered on {actual} in the 90 days before the last 90.", actual="value on_days"),
    ),
    "order_days_90d_vs_prior_90d": (
        say(
            "No order in the last 90 days, after orders on {before} in the 90 days before.",
            when="order_days_90d == 0",
            before="order_days_prior_90d on_days",
        ),
        say(
            "Ordered on {actual} in the last 90 days, after {before} in the 90 days before.",
            actual="order_days_90d on_days",
            before="order_days_prior_90d on_days",
        ),
        say("Ordered {share} as often in the last 90 days as in the 90 days before.", share="value about_share"),
    ),
    "order_days_per_90d_ever": (
        say("On average since the first order, ordered on {usual} out of 90.", usual="value about_on_days"),
    ),
    "order_days_90d_vs_ever": (
        say(
            "No order in the last 90 days; on average since the first order, orders on {usual} in that time.",
            when="order_days_90d == 0",
            usual="order_days_per_90d_ever about_on_days",
        ),
        say(
            "Ordered on {actual} in the last 90 days; on average since the first order, on {usual}.",
            actual="order_days_90d on_days",
            usual="order_days_per_90d_ever about",
        ),
        say("Ordered {share} as often in the last 90 days as since the first order.", share="value about_share"),
    ),
    "active_months_{days}d": (
        say("Ordered in {months} of the last 12 months.", when="value > 0", months="value months_of_year"),
        say("No order in {window}.", when="value <= 0", window="{days} window"),
    ),
    "gap_mean_days_ever": (say("On average one order {every}.", every="value every"), _ONE_ORDER_DAY),
    "gap_median_days_ever": (say("Usually one order {every}.", every="value every"), _ONE_ORDER_DAY),
    "gap_q90_days_ever": (
        say("Nine times out of ten the next order came within {limit}.", limit="value days"),
        _ONE_ORDER_DAY,
    ),
    "gap_max_days_ever": (
        say("The longest pause between orders was {longest}; usually one {every}.", longest="value days", every=_CYCLE),
        say("The longest pause between orders was {longest}.", longest="value days"),
        _ONE_ORDER_DAY,
    ),
    "gap_sd_days_ever": (
        say("On average one order {every}, give or take {spread}.", every=_MEAN, spread="value days"),
        say("The time between orders varies by about {spread}.", spread="value days"),
        _ONE_ORDER_DAY,
    ),
    "gap_cv_ever": (
        say(
            "Orders in a steady rhythm: on average one {every}, give or take {spread}.",
            when="value < 0.5",
            every=_MEAN,
            spread="gap_sd_days_ever days",
        ),
        say(
            "Orders irregularly: on average one {every}, give or take {spread}.",
            when="value <= 1.2",
            every=_MEAN,
            spread="gap_sd_days_ever days",
        ),
        say(
            "Orders in bursts with long pauses between them: on average one {every}, give or take {spread}.",
            every=_MEAN,
            spread="gap_sd_days_ever days",
        ),
        say("Orders in a steady rhythm.", when="value < 0.5"),
        say("Orders irregularly.", when="value <= 1.2"),
        say("Orders in bursts with long pauses between them.", when="value > 1.2"),
        _ONE_ORDER_DAY,
    ),
    "gap_log_mean_ever": (
        say("A typical pause between orders lasts {typical}.", typical="value typical_days"),
        _ONE_ORDER_DAY,
    ),
    "last_gap_days": (
        say("The last two orders came {gap} apart; usually one {every}.", gap="value days", every=_CYCLE),
        say("The last two orders came {gap} apart.", gap="value days"),
        _ONE_ORDER_DAY,
    ),
    "last_3_gaps_mean_days": (
        say("The latest orders came {gap} apart; usually one {every}.", gap="value days", every=_CYCLE),
        say("The latest orders came {gap} apart.", gap="value days"),
        _ONE_ORDER_DAY,
    ),
    "gap_before_last_3_mean_days": (
        say("Earlier orders came {gap} apart on average.", gap="value days"),
        say("Too few orders yet to tell an earlier rhythm from the latest.", when="order_days_ever <= 4"),
    ),
    "last_3_gaps_vs_usual": (
        say(
            "The latest orders came {gap} apart; those before {before} apart.",
            gap="last_3_gaps_mean_days days",
            before="gap_before_last_3_mean_days days",
        ),
        say("The time between the latest orders is {times} what it was before.", times="value times"),
        say("Too few orders yet to tell an earlier rhythm from the latest.", when="order_days_ever <= 4"),
    ),
    "last_gap_vs_usual": (
        say("The last two orders came {gap} apart; on average one {every}.", gap="last_gap_days days", every=_MEAN),
        say("The time between the last two orders is {times} the usual.", times="value times"),
        _ONE_ORDER_DAY,
    ),
    "order_days_next_90d_last_year": (
        say(
            "A year ago, ordered on {actual} in the 90 days that now lie ahead; usually on {usual}.",
            actual="value on_days",
            usual="order_days_90d_usual about",
        ),
        say("A year ago, ordered on {actual} in the 90 days that now lie ahead.", actual="value on_days"),
        say("Not a customer for long enough to compare with last year.", when="days_since_first_order <= 275"),
    ),
    "order_days_same_90d_last_year": (
        say(
            "In the same 90 days a year ago, ordered on {actual}; usually on {usual}.",
            actual="value on_days",
            usual="order_days_90d_usual about",
        ),
        say("In the same 90 days a year ago, ordered on {actual}.", actual="value on_days"),
        say("Not a customer for long enough to compare with last year.", when="days_since_first_order <= 365"),
    ),
    "order_days_90d_vs_last_year": (
        say(
            "No order in the last 90 days; on {before} in the same 90 days a year ago.",
            when="order_days_90d == 0",
            before="order_days_same_90d_last_year on_days",
        ),
        say(
            "Ordered on {actual} in the last 90 days; on {before} in the same 90 days a year ago.",
            actual="order_days_90d on_days",
            before="order_days_same_90d_last_year on_days",
        ),
        say("Ordered {share} as often in the last 90 days as a year ago.", share="value about_share"),
        say("Not a customer for long enough to compare with last year.", when="days_since_first_order <= 365"),
    ),
    "season_ahead_vs_season_past": (
        say(
            "A year ago, ordered on {ahead} in the 90 days that now lie ahead, after {past} in the 90 days before.",
            ahead="order_days_next_90d_last_year on_days",
            past="order_days_same_90d_last_year on_days",
        ),
        say(
            "A year ago, ordered {share} as often in the 90 days that now lie ahead as in the 90 days before.",
            share="value about_share",
        ),
        say("Not a customer for long enough to compare with last year.", when="days_since_first_order <= 365"),
    ),
    "revenue_next_90d_last_year_share": (
        say("A year ago, the 90 days that now lie ahead brought {share} of a year's purchases.", share="value share"),
        say("Not a customer for long enough to compare with last year.", when="days_since_first_order <= 275"),
    ),
    "busiest_quarter_share_365d": (
        say("The busiest three months brought {share} of the past year's purchases.", share="value share"),
    ),
    "time_of_year_cos": (
        say("Time of the year: it is {month}.", month="as_of month"),
        say("The time of the year counts."),
    ),
    "time_of_year_sin": (
        say("Time of the year: it is {month}.", month="as_of month"),
        say("The time of the year counts."),
    ),
}
