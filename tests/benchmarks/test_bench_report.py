"""A report as JSON."""

import json

from benchmarks.report import Report, machine_facts


def test_json_has_what_a_reader_needs_to_judge_a_number() -> None:
    report = Report("some", {"k": 3}, [{"way": "a", "p50_ms": 1.5}], {"ratio": 0.5}).as_json()
    assert json.loads(json.dumps(report)) == report
    assert (report["benchmark"], report["settings"], report["found"]) == ("some", {"k": 3}, {"ratio": 0.5})
    assert report["rows"] == [{"way": "a", "p50_ms": 1.5}]
    assert report["machine"]["cores"] >= 1
    assert report["versions"]["adi-retrieval"]


def test_facts_are_known_or_none() -> None:
    facts = machine_facts()
    assert set(facts) == {"processor", "cores", "memory_gb", "system", "python"}
    assert all(value is None or isinstance(value, str | int | float) for value in facts.values())
