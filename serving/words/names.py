"""Names of what the product tells apart: concepts, dimensions, levels, cohorts, directions, units."""

from serving.words.speech import Plural, plural, text

CONCEPTS: dict[str, str] = {
    "order_rhythm": text("Order rhythm"),
    "background": text("Season and history"),
    "spending": text("Spending"),
    "breadth": text("Range of products"),
    "prices": text("Prices and quotes"),
    "deliveries": text("Deliveries and returns"),
    "contact": text("Contact"),
    "responsiveness": text("Responses to us"),
    "people": text("People at the account"),
    "conversation": text("What is said"),
    "signs": text("Signs taken together"),
    "problems": text("Problems and satisfaction"),
    "service_use": text("Maintenance and training"),
    "payment": text("Payments"),
    "partnership": text("Partnership"),
    "market": text("Market and competition"),
}
DIMENSIONS: dict[str, str] = {
    "transaction": text("Orders"),
    "interaction": text("Contact"),
    "service": text("Service"),
    "finance": text("Payments"),
    "strategy": text("Partnership"),
}
LEVELS: dict[str, str] = {
    "none": text("No warning"),
    "blue": text("Blue"),
    "yellow": text("Yellow"),
    "orange": text("Orange"),
    "red": text("Red"),
}

#: How far a customer is on the way out.
STAGES: dict[str, str] = {
    "none": text("No sign"),
    "cooling": text("Cooling"),
    "comparison": text("Comparing offers"),
    "decision": text("Deciding"),
    "lost": text("Lost"),
}

#: Level -> the risk in words, where no percentage may be said.
RISKS: dict[str, str] = {
    "none": text("risk of no order in {days} below every warning level"),
    "blue": text("slightly raised risk of no order in {days}"),
    "yellow": text("raised risk of no order in {days}"),
    "orange": text("high risk of no order in {days}"),
    "red": text("very high risk of no order in {days}"),
}
#: The risk of whoever gets no level.
NOT_RATED = text("risk of no order in {days} not rated, as no level is given outside the cohort")
UNPROVED = text("{risk} (no percentage: its calibration is not proved)")
CHANCE = text("{chance} chance of no order in {days}")
BETWEEN = text("{chance} ({low} to {high})")

#: The sentence of all reasons that are not told one by one.
REST = text("Everything else taken together.")

DIRECTIONS: dict[str, str] = {
    "raises": text("Goes with a higher risk"),
    "lowers": text("Goes with a lower risk"),
}

#: Role of a reason -> the heading above it.
ROLES: dict[str, str] = {
    "reason": text("What goes with a higher risk"),
    "against": text("What speaks against it"),
    "small": text("Small changes"),
    "rest": text("Everything else"),
}
NO_CLEAR_REASON = text("No single clear reason; small changes in several areas:")

#: Source of a level -> its words; a rule is told by its name.
LEVEL_PARTS: dict[str, str] = {
    "model": text("the model"),
    "health": text("the health score"),
    "raised": text("one level higher while a competitor is active in the region"),
}
RULE_PART = text("the rule: {rule}")
A_RULE = text("a rule")

#: Cohort code -> without its number, and with it where it has one.
COHORTS: dict[str, tuple[str, Plural | None]] = {
    "eligible": (text("eligible"), None),
    "no_order": (text("no order yet"), None),
    "few_order_days": (text("too few order days"), plural("fewer than {n} order day", "fewer than {n} order days")),
    "dormant": (
        text("no order for too long"),
        plural("no order for more than {n} day", "no order for more than {n} days"),
    ),
    "closed": (text("account closed"), None),
    "project": (text("orders for projects, far apart"), None),
    "off_season": (text("outside its season"), None),
}

UNITS: dict[str, str] = {
    "days": text("days"),
    "order days": text("order days"),
    "order days per 90 days": text("order days per 90 days"),
    "months": text("months"),
    "cycles": text("times the usual time between orders"),
    "log days": text("logarithm of days"),
    "standard deviations": text("usual variations"),
    "money": text("money"),
    "ratio": text("times"),
    "share": text("share"),
    "probability": text("chance"),
    "index": text("share of a single one"),
    "cosine": text("time of the year"),
    "sine": text("time of the year"),
    "lines": text("lines"),
    "units": text("units"),
    "orders": text("orders"),
    "products": text("products"),
    "product lines": text("product lines"),
    "products per order day": text("products per order day"),
    "people": text("people"),
    "roles": text("roles"),
    "interactions": text("interactions"),
    "quotes": text("quotes"),
    "signs": text("signs"),
    "events": text("events"),
    "level": text("level"),
    "flag": text("yes or no"),
    "tickets": text("tickets"),
    "offers": text("offers"),
    "points": text("points"),
    "surveys": text("surveys"),
    "disputes": text("disputes"),
    "levels": text("levels"),
    "activities": text("activities"),
    "meetings": text("meetings"),
    "inquiries": text("inquiries"),
    "visits": text("visits"),
    "calls": text("calls"),
    "hours": text("hours"),
    "attempts": text("attempts"),
    "talks": text("talks"),
    "change": text("change"),
    "bursts": text("bursts of orders"),
    "lapses": text("earlier silences"),
}
#: Unit -> how a bare value is put into words, see `serving.words.quantities.KINDS`; the others are plain numbers.
KIND_OF_UNIT: dict[str, str] = {
    "days": "days",
    "order days": "order_days",
    "money": "money",
    "ratio": "times",
    "cycles": "times",
    "share": "share",
    "probability": "chance",
    "lines": "lines",
    "units": "units",
    "orders": "orders",
    "products": "products",
    "product lines": "product_lines",
    "change": "share",
}
