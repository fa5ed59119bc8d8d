"""What `finchmark doctor` says of the sandbox."""

from finchmark.suite.doctor import examine
from finchmark.suite.sandbox import available


def test_the_doctor_names_both_tiers():
    found = {finding.area: finding for finding in examine() if finding.area.startswith("sandbox")}
    assert set(found) == {"sandbox bubblewrap", "sandbox process"}
    for tier in available():
        assert (found[f"sandbox {tier.kind}"].state == "ok") == tier.usable
        assert tier.detail in found[f"sandbox {tier.kind}"].text
