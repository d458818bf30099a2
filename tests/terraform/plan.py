"""Plans examples/huntaze-production with its example values and writes the plan as JSON: `plan.py FILE`."""

import pathlib
import shutil
import sys

import tools


def main(target):
    copy = tools.copy_of_terraform("plan")
    example = copy / "examples/huntaze-production"
    # The backend needs AWS; the plan does not.
    (example / "backend.tf").unlink()
    shutil.copy(example / "terraform.tfvars.example", example / "terraform.tfvars")
    tools.init(example)
    with tools.emulator("moto") as address:
        env = tools.at_emulator(address)
        # The ARN of the key stands in most policies. Once it exists, the plan shows them whole.
        tools.terraform(example, "apply", "-auto-approve", "-input=false", "-target=module.finops.module.key", env=env)
        tools.terraform(example, "plan", "-input=false", "-out=plan", env=env)
        pathlib.Path(target).write_text(tools.terraform(example, "show", "-json", "plan", env=env)[1])


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
