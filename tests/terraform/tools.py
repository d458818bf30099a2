"""Finds Terraform, its plugins and the emulators, and runs them. Standard library only."""

import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORK = ROOT / "target" / "terraform"
REGION = "us-east-1"
ACCOUNTS = {"moto": "123456789012", "ministack": "000000000000"}

# Kilobytes of address space of one emulator: a runaway must not take the machine with it.
MEMORY_KIB = 4_000_000
# Seconds that one call of Terraform may take.
LONGEST = 200


class Failed(Exception):
    """A step that did not do what it should, with what it said."""


def say(text):
    print(text, file=sys.stderr, flush=True)


def plugin_dir():
    """A folder with the provider in it (FINOPS_TF_PLUGIN_DIR, or a usual place), or None: then Terraform downloads it."""
    given = os.environ.get("FINOPS_TF_PLUGIN_DIR")
    if given:
        if not (pathlib.Path(given) / "registry.terraform.io").is_dir():
            sys.exit(f"error: FINOPS_TF_PLUGIN_DIR: `{given}` holds no folder registry.terraform.io")
        return given
    home = pathlib.Path.home()
    usual = (
        home / ".terraform.d/plugins", home / ".local/share/terraform/plugins", pathlib.Path("/opt/tf-plugins"),
        pathlib.Path("/opt/terraform/plugins"), pathlib.Path("/usr/local/share/terraform/plugins"), pathlib.Path("/usr/share/terraform/plugins"),
    )
    for folder in usual:
        if (folder / "registry.terraform.io/hashicorp/aws").is_dir():
            return str(folder)
    return None


def environment(**more):
    """The environment of Terraform: no credentials of the user, no settings of the user, no colour."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "TF_"))}
    kept.update(
        AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", AWS_REGION=REGION, AWS_EC2_METADATA_DISABLED="true",
        AWS_CONFIG_FILE=os.devnull, AWS_SHARED_CREDENTIALS_FILE=os.devnull, AWS_MAX_ATTEMPTS="2",
        TF_IN_AUTOMATION="1", TF_INPUT="0", CHECKPOINT_DISABLE="1",
    )
    kept.update(more)
    return kept


def terraform(folder, *arguments, env=None, ok=(0,)):
    """Runs Terraform and returns its exit code and standard output; fails loudly with what it said."""
    command = ["terraform", f"-chdir={folder}", *arguments, *([] if arguments[0] in ("show", "version") else ["-no-color"])]
    try:
        done = subprocess.run(command, env=env or environment(), capture_output=True, text=True, timeout=LONGEST, check=False)
    except subprocess.TimeoutExpired as late:
        raise Failed(f"`terraform {' '.join(arguments)}` in {folder} took more than {LONGEST} s\n{(late.stdout or b'').decode()[-3000:]}")
    if done.returncode not in ok:
        said = done.stdout + done.stderr
        # Only what went wrong, not the plan before it.
        said = said[max(said.find("\nError: "), 0):] if "\nError: " in said else said
        raise Failed(f"`terraform {' '.join(arguments)}` in {folder} ended with {done.returncode}\n{said[-6000:]}")
    return done.returncode, done.stdout


def init(folder):
    """With the lock file as it is: a provider that it does not know is refused, and nothing is written into it."""
    plugins = plugin_dir()
    arguments = ["init", "-input=false", "-backend=false", "-lockfile=readonly"]
    if plugins:
        arguments.append(f"-plugin-dir={plugins}")
    terraform(folder, *arguments)


def copy_of_terraform(name):
    """A copy of what Terraform reads, below target/: neither state nor downloads of a test land beside the sources."""
    target = WORK / name
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(ROOT / "terraform", target / "terraform", ignore=shutil.ignore_patterns(".terraform", "*.tfstate*"))
    package("bootstrap", b"#!/bin/sh\n", target / "terraform/function.zip")
    package("rotate.py", (ROOT / "terraform/modules/security/rotation/rotate.py").read_bytes(), target / "terraform/rotation.zip")
    (target / "policies").mkdir()
    shutil.copy(ROOT / "policies/permissions.json", target / "policies")
    return target / "terraform"


def package(name, content, target):
    """A function to deploy: what it does is no part of these tests."""
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr(zipfile.ZipInfo(name), content)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# Ended from outside, the emulators are stopped all the same.
signal.signal(signal.SIGTERM, lambda *_: sys.exit("error: ended by a signal"))


@contextlib.contextmanager
def emulator(kind):
    """Starts `moto` or `ministack` on a free loopback port, yields its address, stops that very process."""
    port = free_port()
    command = {
        "moto": [sys.executable, str(ROOT / "tests/terraform/moto_server.py"), "-H", "127.0.0.1", "-p", str(port)],
        "ministack": [sys.executable, str(ROOT / "tests/terraform/ministack_server.py")],
    }[kind]
    # ministack keeps files in its home.
    home = tempfile.mkdtemp(dir=WORK)
    env = {**environment(), "BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "HOME": home, "PYTHONDONTWRITEBYTECODE": "1"}
    log = WORK / f"{kind}-{port}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            ["sh", "-c", f'ulimit -v {MEMORY_KIB}; exec "$@"', "sh", *command],
            env=env, stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
        )
    try:
        wait_for(f"http://127.0.0.1:{port}/", process, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(home, ignore_errors=True)
        log.unlink(missing_ok=True)


def wait_for(address, process, log):
    # Several are started at once, which a busy machine takes a minute for.
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            urllib.request.urlopen(address, timeout=2)
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
    raise Failed(f"the emulator does not answer at {address}\n{log.read_text(errors='replace')[-3000:]}")


def at_emulator(address):
    """Terraform's environment for an emulator: also as its proxy, because account-level S3 calls go to `ACCOUNT.s3-control.…`."""
    port = address.rsplit(":", 1)[1]
    return environment(AWS_ENDPOINT_URL=address, AWS_ENDPOINT_URL_S3_CONTROL=f"http://s3-control.test:{port}", HTTP_PROXY=address, NO_PROXY="127.0.0.1,localhost")


def services_at(address, services):
    """Sends single services to an emulator of another kind."""
    return {f"AWS_ENDPOINT_URL_{service.upper()}": address for service in services}
