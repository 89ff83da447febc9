"""Judges the JSON report of a run of the Autobahn cases.

usage: check_report.py REPORT-DIRECTORY [--whole-suite]

Stricter than the suite itself, which passes NON-STRICT: every case must behave
OK and close OK. Exit status 0 means that they all did.
"""

import json
import pathlib
import sys

# The suite calls these INFORMATIONAL whatever the server does.
INFORMATIONAL = {"7.1.6", "7.13.1", "7.13.2"}
WHOLE_SUITE = 301


def load(directory):
    """All (case id, entry) pairs of the report, in the suite's order."""
    index = json.loads((directory / "index.json").read_text())
    # Cases are grouped by the Server header of the answer. A server that fails
    # the handshake sends none, so one run can have several groups.
    cases = [case for group in index.values() for case in group.items()]
    return sorted(cases, key=lambda case: [int(part) for part in case[0].split(".")])


def outcome(case_id, entry):
    verdict = (entry["behavior"], entry["behaviorClose"])
    if verdict == ("OK", "OK"):
        return "OK"
    if case_id in INFORMATIONAL and verdict == ("INFORMATIONAL", "INFORMATIONAL"):
        return "INFORMATIONAL"
    return "failed"


def explain(directory, case_id, entry):
    detail = json.loads((directory / entry["reportfile"]).read_text())
    page = directory / pathlib.Path(entry["reportfile"]).with_suffix(".html")
    print(f"FAIL {case_id}: behaves {entry['behavior']}, closes {entry['behaviorClose']}")
    print(f"     {detail['result']} {detail['resultClose']}")
    print(f"     {page}")


def main():
    directory = pathlib.Path(sys.argv[1])
    whole_suite = "--whole-suite" in sys.argv[2:]

    counts = {"OK": 0, "INFORMATIONAL": 0, "failed": 0}
    cases = load(directory)
    for case_id, entry in cases:
        result = outcome(case_id, entry)
        counts[result] += 1
        if result == "failed":
            explain(directory, case_id, entry)

    good = counts["failed"] == 0 and len(cases) > 0
    if whole_suite:
        expected = (WHOLE_SUITE, len(INFORMATIONAL))
        if (len(cases), counts["INFORMATIONAL"]) != expected:
            good = False
            print("FAIL expected %d cases, %d of them INFORMATIONAL" % expected)

    print(
        f"autobahn: {len(cases)} cases, {counts['OK']} OK, "
        f"{counts['INFORMATIONAL']} INFORMATIONAL, {counts['failed']} failed"
    )
    return 0 if good else 1


sys.exit(main())
