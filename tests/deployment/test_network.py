"""Who reaches the gateway in a cluster, and whom it reaches."""

from tests.support.charts import Manifest, example, only, render


def test_admin_and_metrics_stay_inside() -> None:
    (rule,) = only(render(example("httproute")), "HTTPRoute")["spec"]["rules"]
    routed = [each["path"]["value"] for each in rule["matches"]]
    ingress = only(render(example("ingress")), "Ingress")["spec"]["rules"]
    for paths in (routed, *([path["path"] for path in each["http"]["paths"]] for each in ingress)):
        assert "/v1" in paths
        assert not {"/", "/admin", "/metrics"} & set(paths)


class TestNetworkPolicy:
    def test_lets_in_those_who_are_named_and_the_test(self) -> None:
        values = example("production")
        clients, monitoring = only(render(values), "NetworkPolicy")["spec"]["ingress"]
        assert [next(iter(each)) for each in clients["from"]] == ["namespaceSelector", "podSelector"]
        assert clients["from"][-1]["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "test"
        assert monitoring["ports"] == [{"protocol": "TCP", "port": "management"}]
        assert monitoring["from"] == values["networkPolicy"]["ingress"]["monitoring"]
        values["networkPolicy"]["ingress"]["monitoring"] = []
        # An empty list would let everybody in.
        assert len(only(render(values), "NetworkPolicy")["spec"]["ingress"]) == 1

    def test_lets_out_to_what_there_is(self) -> None:
        assert self.ports(example("production")) == [
            *([53, 53], [80, 443, 8080], [25, 465, 587, 2525], [6379], [5432, 6432], [4318], [8443])
        ]
        assert self.ports({**example("minimal"), "networkPolicy": {"enabled": True}}) == [
            *([53, 53], [80, 443], [25, 465, 587, 2525])
        ]

    def test_never_lets_out_to_the_metadata_of_clouds_unless_told(self) -> None:
        policy = only(render(example("httproute")), "NetworkPolicy")["spec"]
        for rule in policy["egress"][1:3]:
            assert [each["ipBlock"]["except"] for each in rule["to"]] == [
                ["169.254.0.0/16"],
                ["fe80::/10", "fd00:ec2::254/128"],
            ]

    @staticmethod
    def ports(values: Manifest) -> list[list[int]]:
        policy = only(render(values), "NetworkPolicy")["spec"]
        return [[port["port"] for port in rule["ports"]] for rule in policy["egress"]]
