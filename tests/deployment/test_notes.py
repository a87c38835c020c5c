"""What is told to whoever installs the chart."""

from tests.support.charts import EXAMPLES, NAMESPACE, example, notes, values_in


class TestNotes:
    def test_warn_of_a_journal_that_ends_with_its_pod(self) -> None:
        assert "journal of sends is kept in the pod" in notes(example("minimal"))
        assert "WARNING" not in notes(example("production"))

    def test_tell_where_the_gateway_is(self) -> None:
        assert f"http://demo-umail-gateway.{NAMESPACE}:80/v1" in notes(example("minimal"))
        assert "https://mail.example.com/v1" in notes(example("ingress"))
        assert "Gateway public at mail.example.com" in notes(example("httproute"))

    def test_quote_no_secret(self) -> None:
        for path in EXAMPLES:
            values = values_in(path)
            for secret in values["secrets"].get("values", {}).values():
                assert secret not in notes(values)
