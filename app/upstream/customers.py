"""For whom a call is made (manual, chapter 7): a manager's login names the customer it acts for."""


def on_behalf_of(customer_id: int | None) -> dict[str, str]:
    """Return the query parameters that make a manager's call one for a customer; none for one's own account."""
    return {} if customer_id is None else {"customer_id": str(customer_id), "user_type": "manager"}
