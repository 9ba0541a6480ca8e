"""Names of what the product tells apart: concepts, dimensions, levels, cohorts, directions, units."""

from serving.words.speech import Plural, plural, text

CONCEPTS: dict[str, str] = {
    "order_rhythm": text("Order rhythm"),
    "order_frequency": text("Order frequency"),
    "cycle": text("Time between orders"),
    "regularity": text("Regularity"),
    "season": text("Season"),
    "tenure": text("Length of the relationship"),
    "revenue": text("Spending"),
    "order_value": text("Order value"),
    "order_size": text("Order size"),
    "returns": text("Returns"),
    "margin": text("Margin"),
    "discount": text("Discount"),
    "urgency": text("Urgent orders"),
    "breadth": text("Range of products"),
    "lapsed_products": text("Products no longer bought"),
    "concentration": text("Reliance on few products"),
    "contacts": text("People at the account"),
    "temperature": text("Relationship temperature"),
    "stated_risk": text("Risk on file"),
    "owner": text("Sales person in charge"),
    "competition": text("Competition"),
    "growth": text("The account's own business"),
    "market": text("Market"),
    "quotes": text("Quotes"),
    "promotions": text("Promotions"),
    "contracts": text("Contracts"),
    "problems": text("Problems"),
    "resolution": text("Time to resolve a problem"),
    "worst_problem": text("Worst recent problem"),
    "service_offers": text("Maintenance and training"),
    "refusals": text("Refused offers of service"),
    "ratings": text("Ratings"),
    "survey_silence": text("Unanswered surveys"),
    "payment": text("Time to payment"),
    "receivables": text("Receivables"),
    "overdue": text("Overdue invoices"),
    "credit": text("Use of the credit limit"),
    "confirmation": text("Confirmation of invoices"),
    "disputes": text("Disputed invoices"),
    "terms": text("Terms of payment"),
    "information_sharing": text("Shared information"),
    "joint_activities": text("Joint activities"),
    "strategy_meetings": text("Strategy meetings"),
    "roadmap": text("Shared roadmaps"),
    "milestones": text("Milestones"),
    "contact_frequency": text("Contact frequency"),
    "responsiveness": text("Responses to us"),
    "visits": text("Visits"),
    "roles": text("Who is in touch"),
    "conversation": text("What is said"),
    "price_talks": text("Talks about price and terms"),
    "price": text("Prices"),
    "delivery": text("Deliveries"),
    "trials": text("Trial orders"),
    "signs": text("Signs taken together"),
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
