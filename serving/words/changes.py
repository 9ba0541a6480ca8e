"""Messages of the story of a customer: what happened, why its score moved, what would bring its level down.

Names of what happened begin small, as they stand within sentences; :mod:`serving.story_words` puts them together. A
step goes with a higher or a lower risk, never more than that.
"""

from serving.words.speech import plural, text

#: Lane of the timeline -> kind of :mod:`features.timelines` -> what it is called.
HAPPENINGS: dict[str, dict[str, str]] = {
    "orders": {
        "order": text("order"),
        "return": text("return of goods"),
        "delivery": text("delivery"),
    },
    "contact": {
        "visit": text("visit"),
        "call": text("phone call"),
        "email": text("e-mail"),
        "meeting": text("meeting"),
        "message": text("message"),
        "inquiry": text("inquiry"),
        "event": text("event"),
        "reply": text("reply to us"),
        "contact came": text("new contact person"),
        "contact left": text("contact person left"),
    },
    "service": {
        "complaint": text("complaint"),
        "complaint resolved": text("complaint resolved"),
        "complaint accepted": text("complaint accepted"),
        "complaint refused": text("complaint refused"),
        "repair": text("repair"),
        "repair resolved": text("repair finished"),
        "repair accepted": text("offer of a repair accepted"),
        "repair refused": text("offer of a repair refused"),
        "maintenance": text("maintenance"),
        "maintenance resolved": text("maintenance finished"),
        "maintenance accepted": text("offer of maintenance accepted"),
        "maintenance refused": text("offer of maintenance refused"),
        "training": text("training"),
        "training resolved": text("training finished"),
        "training accepted": text("offer of training accepted"),
        "training refused": text("offer of training refused"),
        "upgrade": text("upgrade"),
        "upgrade resolved": text("upgrade finished"),
        "upgrade accepted": text("offer of an upgrade accepted"),
        "upgrade refused": text("offer of an upgrade refused"),
        "survey": text("survey"),
        "survey resolved": text("survey finished"),
        "survey accepted": text("survey answered"),
        "survey refused": text("survey declined"),
        "feedback": text("rating given"),
    },
    "payments": {
        "invoice": text("invoice"),
        "credit note": text("credit note"),
        "payment": text("payment of an invoice"),
        "dispute": text("disputed invoice"),
    },
    "other": {
        "quote": text("quote"),
        "quote won": text("quote won"),
        "quote lost": text("quote lost"),
        "quote open": text("quote left open"),
        "quote closed": text("quote closed"),
        "strategy meeting": text("strategy meeting"),
        "strategy meeting done": text("strategy meeting held"),
        "roadmap": text("shared roadmap"),
        "roadmap done": text("shared roadmap finished"),
        "joint rnd": text("joint development"),
        "joint rnd done": text("joint development finished"),
        "joint marketing": text("joint marketing"),
        "joint marketing done": text("joint marketing finished"),
        "document request": text("request for documents"),
        "document request done": text("request for documents fulfilled"),
        "other": text("other entry"),
        "other done": text("other joint activity finished"),
        "change": text("change in the customer file"),
        "note": text("note"),
        "next action": text("next action noted"),
        "promotion": text("promotion offered"),
        "promotion used": text("promotion used"),
        "contract": text("contract signed"),
        "absence": text("absence of the sales person"),
        "market event": text("event in the market"),
    },
    "warnings": {
        "warning": text("warning"),
        "warning_opened": text("warning raised"),
        "warning_changed": text("warning changed"),
        "warning_closed": text("warning ended"),
    },
}
LANES: dict[str, str] = {
    "orders": text("Orders"),
    "contact": text("Contact"),
    "service": text("Service"),
    "payments": text("Payments"),
    "other": text("Other"),
    "warnings": text("Warnings"),
}

#: Table -> several of its events that became known together.
SEVERAL = {
    "contacts": plural("{n} change of contact persons", "{n} changes of contact persons"),
    "transactions": plural("{n} order or return", "{n} orders and returns"),
    "deliveries": plural("{n} delivery", "{n} deliveries"),
    "interactions": plural("{n} contact", "{n} contacts"),
    "quotes": plural("{n} entry on quotes", "{n} entries on quotes"),
    "services": plural("{n} entry on service", "{n} entries on service"),
    "finances": plural("{n} entry on invoices", "{n} entries on invoices"),
    "partnerships": plural("{n} joint activity", "{n} joint activities"),
    "account_changes": plural("{n} entry in the customer file", "{n} entries in the customer file"),
    "promotions": plural("{n} entry on promotions", "{n} entries on promotions"),
    "contracts": plural("{n} contract", "{n} contracts"),
    "absences": plural("{n} absence of the sales person", "{n} absences of the sales person"),
    "market_events": plural("{n} event in the market", "{n} events in the market"),
}
SEVERAL_OF_ANY = plural("{n} entry", "{n} entries")
#: Kind -> several of it and nothing else.
SEVERAL_ALIKE = {
    "order": plural("{n} order", "{n} orders"),
    "return": plural("{n} return of goods", "{n} returns of goods"),
    "visit": plural("{n} visit", "{n} visits"),
    "call": plural("{n} phone call", "{n} phone calls"),
    "reply": plural("{n} reply to us", "{n} replies to us"),
    "quote": plural("{n} quote", "{n} quotes"),
    "complaint": plural("{n} complaint", "{n} complaints"),
    "invoice": plural("{n} invoice", "{n} invoices"),
    "payment": plural("{n} payment of an invoice", "{n} payments of invoices"),
}
#: Table -> what its rows are about.
SUBJECTS: dict[str, str] = {
    "customers": text("the customer file"),
    "contacts": text("contact persons"),
    "transactions": text("orders"),
    "deliveries": text("deliveries"),
    "interactions": text("contacts"),
    "quotes": text("quotes"),
    "services": text("service"),
    "finances": text("invoices"),
    "partnerships": text("joint activities"),
    "account_changes": text("the customer file"),
    "promotions": text("promotions"),
    "contracts": text("contracts"),
    "absences": text("absences of the sales person"),
    "market_events": text("the market"),
}
SUBJECT_UNKNOWN = text("the customer")

OF_DAY = text("{what} of {day}")
OF_DAY_AMOUNT = text("{what} of {day}, {amount}")
FROM_DAY_TO_DAY = text("{first} to {last}")
NEWS = text("new data on {subject}, known on {day}")
AND_MORE = text("{first}; {rest}")
AND_THEN = text("{first} {rest}")

#: A step of time: an order came besides, none came, nothing else happened either.
PASSED = plural("{n} more day", "{n} more days")
PASSED_SILENT = plural("{n} more day without an order", "{n} more days without an order")
PASSED_ALONE = plural(
    "{n} more day without an order, and nothing else happened",
    "{n} more days without an order, and nothing else happened",
)
SAME_DAY = text("the passing of time")
MODEL = text("the model was updated")
RESTATED = text("what is known of the earlier date has been corrected since")

LEVEL_CHANCE = text("{level} ({chance})")
MOVED = text("{before} on {day}, {after} on {later}.")
SAME_LEVEL = text("{level} on {day} and on {later}.")
ARROW = text("{before} → {after}")
AS_BEFORE = text("{level} as before")
SHORT = text("{moved}: {steps}")
DIRECTED = text("{direction}: {steps}.")
NOT_COMPARABLE = text(
    "What lies between cannot be told step by step: on at least one of the two days there was no score to compare."
)
NOTHING_MOVED = text("Nothing has moved the score in between.")
CROSSED = text("With that the score reaches the threshold of {level}.")
FELL_SHORT = text("With that the score is below the threshold of {level}.")
PARTS = {
    "new": text("New: {parts}."),
    "other": text("Changed: {parts}."),
    "gone": text("No longer there: {parts}."),
}
PARTS_SHORT = {"new": text("new: {part}"), "other": text("changed: {part}"), "gone": text("no longer: {part}")}

#: What makes a level, and the level that it makes.
PART = text("{source} ({level})")
RULE = text("the rule “{rule}”")

#: Kind of a what-if -> to another level, and to none at all; with an amount, and without.
CLEARS: dict[str, tuple[tuple[str, str], tuple[str, str]]] = {
    "order": (
        (
            text("An order of usual size ({amount}) by {day} would bring this customer to {level}."),
            text("An order of usual size ({amount}) by {day} would end the warning."),
        ),
        (
            text("An order of usual size by {day} would bring this customer to {level}."),
            text("An order of usual size by {day} would end the warning."),
        ),
    ),
    "payment": (
        (
            text("If the overdue invoices ({amount}) were paid by {day}, this customer would be at {level}."),
            text("If the overdue invoices ({amount}) were paid by {day}, the warning would end."),
        ),
        (
            text("If the overdue invoices were paid by {day}, this customer would be at {level}."),
            text("If the overdue invoices were paid by {day}, the warning would end."),
        ),
    ),
    "both": (
        (
            text("An order of usual size and payment of the overdue invoices by {day} would bring this customer "
                 "to {level}."),
            text("An order of usual size and payment of the overdue invoices by {day} would end the warning."),
        ),
    ) * 2,
}  # fmt: skip
#: Of what does not bring the level down, and of what the caller asked about: as it would be with it and without it.
GIVEN: dict[str, tuple[str, str]] = {
    "order": (text("with an order of usual size ({amount}) on {day}"), text("with an order of usual size on {day}")),
    "payment": (
        text("with the overdue invoices ({amount}) paid on {day}"),
        text("with the overdue invoices paid on {day}"),
    ),
    "both": (text("with an order of usual size and the overdue invoices paid on {day}"),) * 2,
    "given": (text("with an order of {amount} on {day}"), text("with an order on {day}")),
}
WITH_AND_WITHOUT = text("On {later}, {what}: {level}. Without it: {otherwise}.")
CAUTION = text(
    "This is how the score would read. It is no promise that the customer stays: what goes with a lower risk need not "
    "bring it about."
)
NOTHING_CLEARS = text("Nothing that was tried brings the level down.")
NOTHING_TO_CLEAR = text("There is no warning to bring down.")

CASES = plural("the most similar past case", "the {n} most similar past cases")
LOST_OF_CASES = text("Of {cases}, {lost}.")
LOST = plural("{n} was lost within its window", "{n} were lost within their windows")
ONE_LOST = text("The most similar past case was lost within its window.")
ONE_KEPT = text("The most similar past case was not lost within its window.")
NO_CASES = text("No past cases are known that could be compared.")
LOOKED_AT = plural("{n} past case was looked at.", "{n} past cases were looked at.")
CASE_LOST_LATER = text("Lost: no order within its window; the next one came after {days}")
CASE_LOST_SINCE = text("Lost: no order within its window, nor since")
CASE_KEPT = text("Not lost")
CASE_KEPT_ORDER = text("Not lost: the next order came after {days}")

NO_REASONS = text("No reasons are on record for this customer at this date.")
NOT_RATED = text("This customer is not rated ({reason}), so no reasons are told.")
NONE_UNUSUAL = text("No single clear reason.")
LOG_ODDS_MEANING = text(
    "Log-odds are the scale on which the model adds up what it sees: 0 means even chances, 0.7 more about doubles the "
    "odds that the orders stop, 0.7 less about halves them. They are no percentage points."
)
NOT_KNOWN = text("not known")
PLACE = text("{place} of {customers}, 1 being the highest risk")
NO_PLACE = text("none; only rated customers are ranked")
NO_HISTORY = text("Too little is known of this customer to tell a risk.")
QUEUES: dict[str, str] = {
    "early": text("There is still time within the customer's usual window."),
    "overdue": text("The customer has been silent for longer than its usual window."),
}
HORIZON = text("{days}: {chance}")
THRESHOLD = text("{level} from {chance} on")

#: Headings and labels of the page, by the names that the templates know.
PAGE: dict[str, str] = {
    "as_of": text("As of"),
    "horizons": text("Chance of no order"),
    "level": text("Level"),
    "risk": text("Risk"),
    "place": text("Place by risk"),
    "value_at_risk": text("Value at risk"),
    "expected_loss": text("Expected loss"),
    "owner": text("In charge"),
    "stage": text("Stage"),
    "made_by": text("What makes the level"),
    "customer": text("Customer"),
    "why": text("Why"),
    "rules": text("Rules that fired"),
    "sum": text("How the score adds up"),
    "group": text("Group"),
    "dimension": text("Dimension"),
    "log_odds": text("Log-odds"),
    "base": text("A customer with nothing unusual"),
    "rest": text("Everything else"),
    "total": text("Score of this customer"),
    "no_sum": text("There is no score that could be added up."),
    "sum_told": text("Bars to the right go with a higher risk, bars to the left with a lower risk."),
    "sum_of": text("How the score of {name} adds up"),
    "change": text("What changed"),
    "change_told": text("What moved the score between {day} and {later}, step by step."),
    "step": text("Step"),
    "before": text("Score on {day}"),
    "after": text("Score on {day}"),
    "threshold": text("Threshold: {level}"),
    "other_steps": text("Other steps"),
    "clearing": text("What would clear it"),
    "timeline": text("What happened"),
    "timeline_told": text("One line for each kind of event. Larger dots are larger orders."),
    "timeline_of": text("Events from {day} to {later}"),
    "newest": text("The newest events"),
    "day": text("Day"),
    "what": text("What"),
    "amount": text("Amount"),
    "detail": text("Details"),
    "no_events": text("Nothing is known to have happened."),
    "health": text("Health"),
    "health_told": text("Each dimension from 0 (worst) to 100 (best), against the customer's own past."),
    "health_past": text("Health score over time"),
    "health_total": text("Health score"),
    "health_reference": text("Usual: {score}"),
    "health_drop": text("Fallen by {share} from the usual"),
    "no_health": text("No health score is known."),
    "points": text("Points of 100"),
    "similar": text("Similar past cases"),
    "distance": text("Distance"),
    "outcome": text("What came of it"),
    "distance_told": text("Distance is counted in log-odds over the groups above; 0 is alike."),
    "small_print": text("Small print"),
    "model_version": text("Model"),
    "completeness": text("Completeness of the data"),
    "completeness_told": text("A is the best grade, D the worst."),
    "thresholds": text("Levels"),
    "goes_with": text(
        "All of this says what goes with a higher or a lower risk, as it was in past cases. None of it is a cause."
    ),
    "level_signs": text("Each level has a sign of its own beside its colour:"),
    "rounded": text("Figures are rounded, so that sums may be off by one in the last place."),
    "title": text("{name}: {level}"),
}
