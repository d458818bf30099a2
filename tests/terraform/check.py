"""`check.py validate` validates terraform/ and its examples, and so every module; `check.py test` runs the native tests. In a copy, so that nothing is left behind."""

import concurrent.futures
import subprocess
import sys

import tools


def validate():
    copy = tools.copy_of_terraform("validate")
    # The root uses every module but `state`, which its example uses: nothing needs to be validated twice.
    folders = [copy, *sorted((copy / "examples").iterdir())]

    def one(folder):
        tools.init(folder)
        tools.terraform(folder, "validate")
        return folder

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for folder in pool.map(one, folders):
            print(f"valid: {folder.relative_to(copy.parent)}", flush=True)


def test():
    copy = tools.copy_of_terraform("test")
    tools.init(copy)
    sys.exit(subprocess.run(["terraform", f"-chdir={copy}", "test", "-no-color"], env=tools.environment(), timeout=tools.LONGEST * 2, check=False).returncode)


if __name__ == "__main__":
    steps = {"validate": validate, "test": test}
    if len(sys.argv) != 2 or sys.argv[1] not in steps:
        sys.exit(__doc__)
    try:
        steps[sys.argv[1]]()
    except tools.Failed as failure:
        sys.exit(f"error: {failure}")
