"""Round trips on an emulator: apply, a second plan that is empty, destroy. `round_trip.py [EMULATOR[/CASE]]…`

Every case is a folder in cases/EMULATOR; what they cover is the table in terraform/README.md.
"""

import concurrent.futures
import contextlib
import json
import re
import sys
import time

import tools

# Round trips at a time.
WORKERS = 4
# Round trips that may be taken once more: more than that is no bad luck.
AGAIN = 2
# What waits longest goes first.
SLOW = ("production", "database", "redis", "orchestrator", "minimal", "monitor")
CASES = tools.ROOT / "tests/terraform/cases"


def cases(kind, wanted):
    found = sorted(folder.name for folder in (CASES / kind).iterdir() if folder.is_dir())
    return [name for name in found if not wanted or kind in wanted or f"{kind}/{name}" in wanted]


def adopt(folder, env, case):
    """What the plan of an adoption says before anything is done: all found, nothing lost."""
    tools.terraform(folder, "plan", "-input=false", "-out=plan", env=env)
    plan = json.loads(tools.terraform(folder, "show", "-json", "plan", env=env)[1])
    changes = [one["change"] for one in plan["resource_changes"]]
    found = {
        "imported": sum("importing" in change for change in changes),
        "destroyed_or_replaced": sum("delete" in change["actions"] for change in changes),
    }
    for name, number in found.items():
        if number != case[name]:
            raise tools.Failed(f"{folder.name}: {number} {name}, expected {case[name]}")


def round_trip(folder, env, case):
    """Returns how many resources went through; fails when one of the steps does."""
    tools.init(folder)
    if "imported" in case:
        adopt(folder, env, case)
    tools.terraform(folder, "apply", "-auto-approve", "-input=false", env=env)
    state = json.loads(tools.terraform(folder, "show", "-json", env=env)[1])
    resources = count(state["values"]["root_module"])
    for name, wanted in case.get("outputs", {}).items():
        seen = state["values"]["outputs"][name]["value"]
        if seen != wanted:
            raise tools.Failed(f"{folder.name}: output `{name}` is {seen}, expected {wanted}")
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


def put(source, target):
    target.mkdir(parents=True, exist_ok=True)
    for file in (*source.glob("*.tf"), tools.ROOT / "terraform/.terraform.lock.hcl"):
        (target / file.name).write_bytes(file.read_bytes())


def removable(copy, example):
    """What keeps production from being destroyed by accident keeps a round trip from ending: an example without the switch gets it here."""
    (example / "backend.tf").unlink(missing_ok=True)
    if "deletion_protection" in (example / "variables.tf").read_text():
        return
    root = copy / "variables.tf"
    text = re.sub(r"(deletion_protection +=) optional\(bool, true\)", r"\1 optional(bool, false)", root.read_text())
    root.write_text(text)


def run(kind, name, copy):
    source = CASES / kind / name
    # A case with this file is an example of ours, in an account that holds what `before/` makes, if there is one.
    settings = source / "case.json"
    case = json.loads(settings.read_text()) if settings.exists() else {}
    if "elsewhere" in case:
        # Its switches are not those of the others.
        copy = tools.copy_of_terraform(f"round-trip-{kind}-{name}")
    target = copy / "cases" / name
    with contextlib.ExitStack() as emulators:
        # Each case gets emulators of its own: nothing of another is in them.
        env = tools.at_emulator(emulators.enter_context(tools.emulator(kind)))
        for other, services in case.get("elsewhere", {}).items():
            # Its account is the access key.
            env.update(tools.services_at(emulators.enter_context(tools.emulator(other)), services), AWS_ACCESS_KEY_ID=tools.ACCOUNTS[kind])
        started = time.monotonic()
        variables = case.get("variables", {})
        if (source / "before").exists():
            put(source / "before", target)
            tools.init(target)
            tools.terraform(target, "apply", "-auto-approve", "-input=false", env=env)
            outputs = json.loads(tools.terraform(target, "output", "-json", env=env)[1])
            variables.update({name: one["value"] for name, one in outputs.items()})
        if case:
            target = copy / case["folder"]
            (target / "terraform.tfvars.json").write_text(json.dumps(variables))
            removable(copy, target)
        else:
            put(source, target)
        resources = round_trip(target, env, case)
        adopted = f", {case['imported']} of them adopted" if "imported" in case else ""
        return f"{kind:9} {name:13} {resources:3} resources{adopted}: applied, planned without a difference, destroyed ({time.monotonic() - started:.0f} s)"


def main(wanted):
    tools.WORK.mkdir(parents=True, exist_ok=True)
    todo = sorted(((kind, name) for kind in tools.ACCOUNTS for name in cases(kind, wanted)), key=lambda case: case[1] not in SLOW)
    if not todo:
        sys.exit(f"error: no case is named {' '.join(wanted)}")
    copies = {kind: tools.copy_of_terraform(f"round-trip-{kind}") for kind in {kind for kind, _ in todo}}
    failed = []
    # Mostly waiting, between polls of the provider.
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        trips = {pool.submit(run, kind, name, copies[kind]): (kind, name) for kind, name in todo}
        for future in concurrent.futures.as_completed(trips):
            try:
                print(future.result(), flush=True)
            except tools.Failed as failure:
                failed.append(trips[future])
                tools.say(f"error: {failure}")
    if len(failed) > AGAIN:
        sys.exit(f"error: {len(failed)} of {len(todo)} round trips failed")
    for kind, name in failed:
        # A request whose answer an emulator is too slow to give is sent again by the provider, and is then refused as done already.
        # By itself, from nothing, with a new emulator, it has to go through.
        tools.say(f"{kind} {name}: once more, by itself")
        try:
            print(run(kind, name, tools.copy_of_terraform(f"round-trip-again-{name}")), flush=True)
        except tools.Failed as failure:
            tools.say(f"error: {failure}")
            sys.exit(f"error: the round trip {kind} {name} failed twice")
    print(f"{len(todo)} round trips passed, {len(failed)} of them at the second attempt")


if __name__ == "__main__":
    main(sys.argv[1:])
