"""What no tool checks: every validation has a test that meets its error, every module a test file, names and types written one way."""

import collections
import importlib.util
import re
import sys

import tools

specification = importlib.util.spec_from_file_location("readme", tools.ROOT / "scripts/terraform-readme.py")
readme = importlib.util.module_from_spec(specification)
specification.loader.exec_module(readme)

BASE = tools.ROOT / "terraform"


def expected_failures(test):
    """How many runs of a test file expect each variable to be refused."""
    runs = re.findall(r"expect_failures = \[(.*?)\]", test.read_text(), re.S)
    return collections.Counter(name for run in runs for name in set(re.findall(r"var\.([a-z_]+)", run)))


def complaints():
    for folder in [BASE, *sorted((BASE / "modules").iterdir())]:
        name = "system" if folder == BASE else folder.name
        test = BASE / "tests" / f"{name}.tftest.hcl"
        if not test.exists():
            yield f"{folder.relative_to(tools.ROOT)} has no test file {test.name}"
            continue
        met = expected_failures(test)
        for variable, body in readme.variables(folder):
            wanted = readme.validations(body)
            if met[variable] < wanted:
                yield f"{test.name}: `{variable}` has {wanted} validations, {met[variable]} runs expect it to be refused"
        mock = 'mock_provider "aws"'
        if mock not in test.read_text():
            yield f"{test.name} has no {mock}: it would call AWS"

    # One resource block per kind is called `this`; names are snake case; no data source reads who is calling: account and region come in.
    for file in sorted(BASE.rglob("*.tf")):
        text = file.read_text()
        shown = file.relative_to(tools.ROOT)
        for kind, name in re.findall(r'^(?:resource|data) "([^"]+)" "([^"]+)"', text, re.M):
            if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
                yield f"{shown}: `{kind}.{name}` is not snake case"
        for forbidden in ("aws_caller_identity", "aws_region", "aws_partition", "provisioner ", "local-exec"):
            if forbidden in text:
                yield f"{shown}: `{forbidden.strip()}` is not used here"
        if "modules" in file.parts and re.search(r'^provider "', text, re.M):
            yield f"{shown}: a module configures no provider"
        if re.search(r"\b(huntaze|[0-9]{12})\b", re.sub(r"`[^`]*`|#.*|description .*|error_message .*", "", text)) and "examples" not in file.parts:
            yield f"{shown}: a name or an account of one installation"

    # A panel of a metric that nobody writes stays empty for ever.
    written = (tools.ROOT / "src/lambda/metrics.rs").read_text()
    shown = re.findall(r"for name in \[(.*?)\]", (BASE / "modules/observability/dashboard.tf").read_text())
    names = [name for group in shown for name in re.findall(r'"(\w+)"', group)]
    if len(names) < 4:
        yield "dashboard.tf: the metrics were not found"
    for name in names:
        if f'"{name}"' not in written:
            yield f"dashboard.tf: `{name}` is not written by src/lambda/metrics.rs"

    locks = {file.read_bytes() for file in BASE.rglob(".terraform.lock.hcl") if ".terraform" not in file.parts}
    if len(locks) != 1:
        yield "the lock files of terraform/ and its examples differ"


if __name__ == "__main__":
    found = list(complaints())
    for text in found:
        tools.say(f"error: {text}")
    sys.exit(1 if found else 0)
