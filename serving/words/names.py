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
}
