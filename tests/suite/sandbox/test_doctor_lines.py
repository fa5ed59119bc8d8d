"""What `finchmark doctor` says of the sandbox."""

from finchmark.suite.doctor import examine
from finchmark.suite.sandbox import available


def test_the_doctor_names_both_tiers():
    found = {finding.area: finding for finding in examine() if finding.area.startswith("sandbox")}
    assert set(found) == {"sandbox bubblewrap", "sandbox process", "sandbox python"}
    for tier in available():
        assert (found[f"sandbox {tier.kind}"].state == "ok") == tier.usable
        assert tier.detail in found[f"sandbox {tier.kind}"].text


def test_the_doctor_says_what_code_runs_on(tmp_path):
    def said(python):
        return next(finding for finding in examine(python) if finding.area == "sandbox python")

    assert said(None).state == "ok"
    assert "numpy " in said(None).text
    assert said(str(tmp_path)).state == "broken"
    assert "no Python interpreter" in said(str(tmp_path)).text
