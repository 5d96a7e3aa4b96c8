"""A few hundred of the requests that tests/reliability/test_server_fuzz.py sends a hundred thousand of."""

from tests.reliability import server_attacks
from tests.reliability.test_server_fuzz import ROOT, TOY


def test_what_strangers_send_is_not_the_servers_failure(toy, toy_versions):
    secrets = ("root:x:0", str(ROOT), str(toy_versions[1].parent))
    target = server_attacks.Target(toy.server.rest_port, toy.server.grpc_port, "toy", TOY, secrets)
    outcomes = server_attacks.attack([target], 200)
    assert outcomes["json", "200"] > 5 and outcomes["json", "400"] > 5
    assert server_attacks.ask(target, "well", server_attacks.http("GET", b"/ready")) == "200"
    target.close()
