"""Replaces the AUTH token of an ElastiCache replication group; called by Secrets Manager once for each of its four steps.

With the strategy ROTATE the old and the new token are both valid, so no client is cut off: it reads the secret again when it connects.
The token before those two stops working. Every step may be called again after a failure.
"""

import os
import socket
import ssl
import time

# Seconds that the group may take to accept a token, below the function's 900.
LONGEST_WAIT = 780


def handler(event, _context, secrets=None, cache=None, connect=None, sleep=time.sleep, clock=time.monotonic):
    """One step. The clients and the clock are arguments so that tests need no AWS."""
    if secrets is None or cache is None:
        import boto3

        secrets, cache = secrets or boto3.client("secretsmanager"), cache or boto3.client("elasticache")
    secret, version, step = event["SecretId"], event["ClientRequestToken"], event["Step"]
    stages = secrets.describe_secret(SecretId=secret)["VersionIdsToStages"].get(version)
    if stages is None:
        raise ValueError(f"version {version} is not a version of this secret")
    if "AWSCURRENT" in stages:
        return
    if "AWSPENDING" not in stages:
        raise ValueError(f"version {version} is not waiting to be rotated in")

    group = os.environ["REPLICATION_GROUP_ID"]
    if step == "createSecret":
        create(secrets, secret, version)
    elif step == "setSecret":
        token = pending(secrets, secret, version)
        wait(cache, group, sleep, clock)
        cache.modify_replication_group(ReplicationGroupId=group, AuthToken=token, AuthTokenUpdateStrategy="ROTATE", ApplyImmediately=True)
        wait(cache, group, sleep, clock)
    elif step == "testSecret":
        (connect or ping)(os.environ["REDIS_HOST"], int(os.environ["REDIS_PORT"]), pending(secrets, secret, version))
    elif step == "finishSecret":
        finish(secrets, secret, version)
    else:
        raise ValueError(f"step {step} is unknown")


def create(secrets, secret, version):
    try:
        pending(secrets, secret, version)
    except secrets.exceptions.ResourceNotFoundException:
        token = secrets.get_random_password(PasswordLength=64, ExcludePunctuation=True)["RandomPassword"]
        secrets.put_secret_value(SecretId=secret, ClientRequestToken=version, SecretString=token, VersionStages=["AWSPENDING"])


def pending(secrets, secret, version):
    return secrets.get_secret_value(SecretId=secret, VersionId=version, VersionStage="AWSPENDING")["SecretString"]


def wait(cache, group, sleep, clock):
    deadline = clock() + LONGEST_WAIT
    while True:
        found = cache.describe_replication_groups(ReplicationGroupId=group)["ReplicationGroups"][0]
        changing = found.get("PendingModifiedValues", {}).get("AuthTokenStatus")
        if found["Status"] == "available" and not changing:
            return
        if clock() >= deadline:
            raise TimeoutError(f"{group} is still {found['Status']}; the next call goes on")
        sleep(10)


def ping(host, port, token):
    """Signs in with the token and asks for a sign of life. The token never appears in an error."""
    command = b"".join(
        b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
        for words in ([b"AUTH", token.encode()], [b"PING"])
    )
    with socket.create_connection((host, port), timeout=10) as plain:
        with ssl.create_default_context().wrap_socket(plain, server_hostname=host) as connection:
            connection.sendall(command)
            answer = b""
            while answer.count(b"\r\n") < 2:
                part = connection.recv(4096)
                if not part:
                    break
                answer += part
    if answer != b"+OK\r\n+PONG\r\n":
        raise RuntimeError(f"{host} does not accept the new token")


def finish(secrets, secret, version):
    stages = secrets.describe_secret(SecretId=secret)["VersionIdsToStages"]
    current = next((name for name, labels in stages.items() if "AWSCURRENT" in labels), None)
    secrets.update_secret_version_stage(SecretId=secret, VersionStage="AWSCURRENT", MoveToVersionId=version, RemoveFromVersionId=current)
