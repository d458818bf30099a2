"""Round trips on an emulator: apply, a second plan that is empty, destroy. `round_trip.py [EMULATOR[/CASE]]…`

Every case is a folder in cases/EMULATOR; what they cover is the table in terraform/README.md.
"""

import concurrent.futures
import json
import sys
import time

import tools

# Round trips at a time.
WORKERS = 4
# What waits longest goes first.
SLOW = ("database", "redis", "orchestrator", "monitor")
CASES = tools.ROOT / "tests/terraform/cases"


def cases(kind, wanted):
    found = sorted(folder.name for folder in (CASES / kind).iterdir() if folder.is_dir())
    return [name for name in found if not wanted or kind in wanted or f"{kind}/{name}" in wanted]


def round_trip(folder, env):
    """Returns how many resources went through; fails when one of the three steps fails."""
    tools.init(folder)
    tools.terraform(folder, "apply", "-auto-approve", "-input=false", env=env)
    state = json.loads(tools.terraform(folder, "show", "-json", env=env)[1])
    resources = count(state["values"]["root_module"])
    code, text = tools.terraform(folder, "plan", "-input=false", "-detailed-exitcode", env=env, ok=(0, 2))
    if code == 2:
        raise tools.Failed(f"the second plan of {folder.name} is not empty\n{text[-6000:]}")
    tools.terraform(folder, "destroy", "-auto-approve", "-input=false", env=env)
    left = json.loads(tools.terraform(folder, "show", "-json", env=env)[1]).get("values")
    if left:
        raise tools.Failed(f"{folder.name}: something was left after destroy\n{json.dumps(left)[:2000]}")
    return resources


def count(module):
    managed = sum(resource["mode"] == "managed" for resource in module.get("resources", []))
    return managed + sum(count(child) for child in module.get("child_modules", []))


def run(kind, name, copy):
    # Each case gets an emulator of its own: nothing of another is in it.
    with tools.emulator(kind) as address:
        target = copy / "cases" / name
        target.mkdir(parents=True)
        for file in (CASES / kind / name).iterdir():
            (target / file.name).write_bytes(file.read_bytes())
        started = time.monotonic()
        resources = round_trip(target, tools.at_emulator(address))
        return f"{kind:9} {name:13} {resources:3} resources: applied, planned without a difference, destroyed ({time.monotonic() - started:.0f} s)"


def main(wanted):
    tools.WORK.mkdir(parents=True, exist_ok=True)
    todo = sorted(((kind, name) for kind in tools.ACCOUNTS for name in cases(kind, wanted)), key=lambda case: case[1] not in SLOW)
    if not todo:
        sys.exit(f"error: no case is named {' '.join(wanted)}")
    copies = {kind: tools.copy_of_terraform(f"round-trip-{kind}") for kind in {kind for kind, _ in todo}}
    failed = 0
    # Mostly waiting, between polls of the provider.
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        for future in concurrent.futures.as_completed([pool.submit(run, kind, name, copies[kind]) for kind, name in todo]):
            try:
                print(future.result(), flush=True)
            except tools.Failed as failure:
                failed += 1
                tools.say(f"error: {failure}")
    if failed:
        sys.exit(f"error: {failed} of {len(todo)} round trips failed")
    print(f"{len(todo)} round trips passed")


if __name__ == "__main__":
    main(sys.argv[1:])
