"""Judges the JSON report of a run of the Autobahn cases.

usage: check_report.py REPORT-DIRECTORY [--whole-suite CASES] [--expected-failures FILE]

Stricter than the suite itself, which passes NON-STRICT: every case must behave
OK and close OK, except those that FILE lists, which must fail. Exit status 0
means that each case did what was expected of it.
"""

import argparse
import json
import pathlib
import sys

# The suite reports INFORMATIONAL for these, whatever the server does.
INFORMATIONAL = {"7.1.6", "7.13.1", "7.13.2"}


def load(directory):
    """Returns all (case id, entry) pairs of the report, in the suite's order."""
    index = json.loads((directory / "index.json").read_text())
    # Cases are grouped by the Server header of the reply. A server that fails the handshake sends none, so one run can
    # have several groups.
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


def read_expected_failures(path):
    """Returns the case ids of a file, which has several per line, and a comment after a "#"."""
    lines = path.read_text().splitlines()
    ids = [case_id for line in lines for case_id in line.partition("#")[0].split()]
    if len(ids) != len(set(ids)):
        raise SystemExit(f"{path} lists a case twice")
    return set(ids)


def parse_arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("report", type=pathlib.Path)
    parser.add_argument("--whole-suite", type=int, metavar="CASES")
    parser.add_argument("--expected-failures", type=pathlib.Path, metavar="FILE")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    file = arguments.expected_failures
    expected_failures = read_expected_failures(file) if file else set()

    counts = {"OK": 0, "INFORMATIONAL": 0, "failed": 0}
    good = True
    cases = load(arguments.report)
    for case_id, entry in cases:
        result = outcome(case_id, entry)
        counts[result] += 1
        if result == "failed" and case_id not in expected_failures:
            good = False
            explain(arguments.report, case_id, entry)
        elif result != "failed" and case_id in expected_failures:
            good = False
            print(f"FAIL {case_id}: passes, and {file} says that it fails")

    if arguments.whole_suite:
        expected = (arguments.whole_suite, len(INFORMATIONAL))
        if (len(cases), counts["INFORMATIONAL"]) != expected:
            good = False
            print("FAIL expected %d cases, %d of them INFORMATIONAL" % expected)
        for case_id in sorted(expected_failures - {case_id for case_id, _ in cases}):
            good = False
            print(f"FAIL {case_id}: {file} lists it, and the suite has no such case")

    print(
        f"autobahn: {len(cases)} cases, {counts['OK']} OK, "
        f"{counts['INFORMATIONAL']} INFORMATIONAL, {counts['failed']} failed"
        + (f", {len(expected_failures)} are expected to fail" if file else "")
    )
    return 0 if good and cases else 1


sys.exit(main())
