"""Short names of the kinds of tasks, of what their end has to tell, and of what is missing to find their people."""

from collections.abc import Mapping

from serving.words.speech import text

#: Kind -> what one chooses it by.
KIND_NAMES: Mapping[str, str] = {
    "order_late": text("Order is late"),
    "temperature_down": text("Temperature went down"),
    "risk_high": text("Risk became high"),
    "orders_stopped": text("Orders have stopped"),
    "contact_changed": text("New contact"),
    "follow_up_a": text("Contact due, rank A"),
    "follow_up_b": text("Contact due, rank B"),
    "follow_up_c": text("Contact due, rank C"),
    "restart": text("Contact due, rank D"),
    "attention": text("Blue warning"),
    "call_back": text("Yellow warning"),
    "case_sales": text("Case: sales"),
    "case_service": text("Case: service"),
    "case_product": text("Case: product"),
    "case_operations": text("Case: operations"),
    "executive_visit": text("Visit by the top management"),
    "slump": text("Slump"),
    "service_rating_low": text("Low ratings"),
    "loss_review": text("Why a customer was lost"),
}
#: What must be told at the end -> the label of its field.
NEEDS: Mapping[str, str] = {"cause": text("The cause")}
#: What ended a task without anybody closing it.
ENDED_BY: Mapping[str, str] = {
    "contact": text("A contact with the customer ended it."),
    "rule": text("What set it off holds no more."),
    "episode": text("The warning that asked for it ended."),
}
#: Who is named nowhere, so that somebody else stands in.
MISSING: Mapping[str, str] = {
    "no_owner": text("The customer has no sales person."),
    "no_manager": text("No manager is named for this customer."),
    "no_regional_manager": text("No manager is named for this region."),
    "no_director": text("No sales director is named."),
    "no_top": text("Nobody is named for the top management."),
    "no_management": text("Nobody is named for the top management."),
    "no_service": text("Nobody is named for service."),
    "no_technical": text("Nobody is named for technical support."),
    "no_product": text("Nobody is named for products."),
    "no_operations": text("Nobody is named for operations."),
}
SUPERSEDED = text("The day was corrected; the task was made anew where it still holds.")
