"""Runs checkov over terraform/: `checkov.py CHECKOV`. No finding may be left, and each skip has to say why."""

import json
import re
import subprocess
import sys

import tools

SKIP = re.compile(r"#checkov:skip=(CKV2?_AWS_\d+)(?::(.*))?$")
# Characters of a reason, below which it is none.
SHORTEST = 15


def main(checkov):
    wrong = []
    skips = 0
    for file in sorted((tools.ROOT / "terraform").rglob("*.tf")):
        for number, line in enumerate(file.read_text().splitlines(), 1):
            if "checkov:skip" not in line:
                continue
            skips += 1
            match = SKIP.search(line.strip())
            if not match or len((match.group(2) or "").strip()) < SHORTEST:
                wrong.append(f"{file.relative_to(tools.ROOT)}:{number}: a skip needs its reason: {line.strip()}")

    # A copy without tests and downloads: findings are about what is deployed.
    copy = tools.copy_of_terraform("checkov")
    done = subprocess.run(
        [checkov, "--directory", str(copy), "--framework", "terraform", "--compact", "--quiet", "--output", "json"],
        env=tools.environment(), capture_output=True, text=True, timeout=tools.LONGEST, check=False,
    )
    try:
        report = json.loads(done.stdout)
        summary, failed = report["summary"], report["results"]["failed_checks"]
    except (ValueError, KeyError, TypeError):
        sys.exit(f"error: checkov did not report: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    for one in failed:
        wrong.append(f"{one['check_id']} {one['check_name']}: {one['resource']} ({one['file_path']}:{one['file_line_range'][0]})")
    if summary["parsing_errors"]:
        wrong.append(f"{summary['parsing_errors']} files could not be parsed")
    # A scan that looked at nothing passes everything.
    if summary["passed"] < 200:
        wrong.append(f"only {summary['passed']} checks passed: the modules were not read")
    for text in wrong:
        tools.say(f"error: {text}")
    print(f"checkov: {summary['passed']} passed, {summary['failed']} failed, {summary['skipped']} skipped at {skips} places, each with its reason")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
