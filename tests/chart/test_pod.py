"""The container that is rendered, run: what the kubelet asks is answered, users are led to the sign-in, and it ends when it is told to."""

import signal
import tempfile
import unittest

import chart
import invariants
import pod


class Containers(unittest.TestCase):
    def serve(self, name):
        """Runs the container of a combination on free ports, and has a kubelet's look at it."""
        public, admin = pod.free_ports(2)
        values = chart.values_of(chart.CHART / "ci" / name) | {"ports": {"public": public, "admin": admin}}
        rendered = chart.render_combination(chart.CHART, values)
        self.assertEqual(rendered.error, "")
        with tempfile.TemporaryDirectory() as folder, pod.IdentityServer() as identity_server:
            one = pod.Pod(rendered, folder)
            with one.running(identity_server.of(invariants.adapter(rendered))) as process:
                for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                    answered = pod.wait_for(lambda: one.probe(probe) == 200, process)
                    self.assertTrue(answered, f"{probe}: {one.log()}")
                scheme = "https" if "tls" in invariants.adapter(rendered)["sidecar"] else "http"
                self.assertEqual(pod.get(f"{scheme}://127.0.0.1:{public}/page"), 302)
                process.send_signal(signal.SIGTERM)
                self.assertEqual(process.wait(pod.PATIENCE), 0)

    def test_a_changed_configmap_is_taken_in_while_the_container_runs_and_a_faulty_one_is_not(self):
        public, admin = pod.free_ports(2)
        values = chart.values_of(chart.CHART / "ci/sidecar-keycloak-values.yaml") | {"ports": {"public": public, "admin": admin}}

        def with_rules(rules):
            return chart.render(chart.CHART, values | {"config": {"sidecar": {"reload-interval": "200ms", "rules": rules}}})

        first, faulty = with_rules([]), with_rules([{"path": "/*", "access": "everybody"}])
        second = with_rules([{"path": "/*", "access": "public"}])
        with tempfile.TemporaryDirectory() as folder, pod.IdentityServer() as identity_server:
            one = pod.Pod(first, folder)
            with one.running(identity_server.of(invariants.adapter(first))) as process:
                page = lambda: pod.get(f"http://127.0.0.1:{public}/page")  # noqa: E731
                self.assertTrue(pod.wait_for(lambda: one.probe("readinessProbe") == 200, process), one.log())
                self.assertEqual(page(), 302)
                one.configure(faulty)
                self.assertTrue(pod.wait_for(lambda: "everybody" in one.log() or "rules[0].access" in one.log(), process), one.log())
                self.assertEqual(page(), 302)
                one.configure(second)
                # Nobody needs to sign in now, and there is no application here.
                self.assertTrue(pod.wait_for(lambda: page() == 502, process), one.log())

    def test_the_native_sidecar_serves_and_its_probes_are_answered(self):
        self.serve("sidecar-keycloak-values.yaml")

    def test_the_sidecar_with_tls_on_both_listeners_serves_and_its_probes_are_answered(self):
        self.serve("sidecar-given-secrets-values.yaml")

    def test_the_proxy_serves_and_its_probes_are_answered(self):
        self.serve("proxy-keycloak-values.yaml")

    def test_the_sidecar_in_the_chart_of_somebody_else_serves_and_its_probes_are_answered(self):
        self.serve("include-values.yaml")


if __name__ == "__main__":
    unittest.main()
