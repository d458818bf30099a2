#!/usr/bin/env python3
"""Measures the function finops-monitor against a boto3 program that makes the same calls, on an emulator, in the same run.

usage: target/emulators/bin/python scripts/bench-aws.py [PATH_OF_FINOPS_MONITOR] [ROUNDS]

A small server stands for the Lambda runtime API and passes AWS calls on to moto. It notes when the first AWS call arrives after the
start of the process, counts write units by DynamoDB's rules, and reads the peak memory of the process (VmHWM) when it has answered.
Not that of wait4: there Linux counts what this script held when it forked. Both programs are started in turns; medians are shown.
"""
import base64
import http.client
import http.server
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MONITOR = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "target/release/finops-monitor"))
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 15
NOW = "2026-11-24T12:00:00Z"

BOTO3 = '''
import json, os, urllib.request, boto3
api = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime"
event = urllib.request.urlopen(api + "/invocation/next")
request_id = event.headers["Lambda-Runtime-Aws-Request-Id"]
clients = {name: boto3.client(name) for name in ("sts", "dynamodb", "sns", "ce")}
for call in json.load(open(os.environ["CALLS"])):
    if call == "GetCallerIdentity":
        clients["sts"].get_caller_identity()
    elif call == "GetItem":
        clients["dynamodb"].get_item(TableName="bench-ai-costs-bench", Key={"pk": {"S": "head"}, "sk": {"S": "head"}}, ConsistentRead=True)
    elif call == "Query":
        clients["dynamodb"].query(TableName="bench-cost-alerts-bench", KeyConditionExpression="pk = :p", ExpressionAttributeValues={":p": {"S": "alert"}})
    elif call == "BatchGetItem":
        clients["dynamodb"].batch_get_item(RequestItems={"bench-ai-costs-bench": {"Keys": [{"pk": {"S": "x"}, "sk": {"S": "y"}}]}})
    elif call == "GetCostAndUsage":
        clients["ce"].get_cost_and_usage(TimePeriod={"Start": "2026-11-01", "End": "2026-11-25"}, Granularity="DAILY", Metrics=["UnblendedCost", "AmortizedCost"],
            GroupBy=[{"Type": "DIMENSION", "Key": "SERVICE"}], Filter={"Dimensions": {"Key": "RECORD_TYPE", "Values": ["Usage"]}})
    elif call == "Publish":
        clients["sns"].publish(TopicArn=os.environ["TOPIC"], Message="x")
    else:
        clients["dynamodb"].put_item(TableName="bench-ai-costs-bench", Item={"pk": {"S": "bench"}, "sk": {"S": call}, "b": {"B": b"x" * 2000}})
body = json.dumps({"ok": True}).encode()
urllib.request.urlopen(urllib.request.Request(api + "/invocation/" + request_id + "/response", body))
'''


def size(item):
    """Bytes that DynamoDB counts: names and values, numbers about two digits a byte."""
    def value(typed):
        kind, inner = next(iter(typed.items()))
        return {"S": lambda: len(inner.encode()), "N": lambda: len(inner) // 2 + 2, "B": lambda: len(base64.b64decode(inner))}.get(kind, lambda: 1)()
    return sum(len(name) + value(typed) for name, typed in item.items())


class Units:
    """Write units: 1 per KB begun, 2 in a transaction; a change or a delete costs the larger of before and after."""

    def __init__(self):
        self.known, self.total = {}, 0

    def write(self, table, item, key, factor=1):
        at = (table, json.dumps({k: (item or key)[k] for k in ("pk", "sk")}, sort_keys=True))
        new = size(item) if item else 0
        self.total += factor * max(1, -(-max(new, self.known.get(at, 0)) // 1024))
        self.known[at] = new if item else self.known.get(at, 0)

    def take(self, name, body):
        if name == "PutItem":
            self.write(body["TableName"], body["Item"], None)
        elif name in ("UpdateItem", "DeleteItem"):
            self.write(body["TableName"], None, body["Key"])
        elif name == "BatchWriteItem":
            for table, requests in body["RequestItems"].items():
                for request in requests:
                    put, delete = request.get("PutRequest"), request.get("DeleteRequest")
                    self.write(table, put and put["Item"], delete and delete["Key"])
        elif name == "TransactWriteItems":
            for one in body["TransactItems"]:
                (verb, what), = one.items()
                self.write(what["TableName"], what.get("Item"), what.get("Key"), 2)


class Stand(http.server.BaseHTTPRequestHandler):
    """The runtime API and the way to moto."""

    protocol_version = "HTTP/1.1"
    moto = 0
    left = 0
    first = None
    calls = []
    units = Units()
    pid = 0
    peak = 0

    def log_message(self, *_):
        pass

    def handle(self):
        # A program that has answered goes away without a word.
        try:
            super().handle()
        except ConnectionError:
            pass

    def note_peak(self):
        try:
            with open(f"/proc/{Stand.pid}/status", encoding="utf-8") as file:
                Stand.peak = max(Stand.peak, int(re.search(r"VmHWM:\s+(\d+)", file.read()).group(1)) / 1024)
        except OSError:
            pass

    def answer(self, status, body, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if Stand.left == 0:
            self.note_peak()
            self.answer(410, b"{}")
            return
        Stand.left -= 1
        deadline = str(int((time.time() + 300) * 1000))
        event = json.dumps({"source": "aws.scheduler", "detail-type": "Scheduled Event", "time": NOW, "now": NOW}).encode()
        self.answer(200, event, [("Lambda-Runtime-Aws-Request-Id", "r1"), ("Lambda-Runtime-Deadline-Ms", deadline)])

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.path.startswith("/2018-06-01/"):
            self.note_peak()
            self.answer(202, b"{}")
            return
        if Stand.first is None:
            Stand.first = time.perf_counter()
        target = self.headers.get("x-amz-target", "")
        name = target.rsplit(".", 1)[-1] or ("Publish" if b"Action=Publish" in body else "GetCallerIdentity")
        Stand.calls.append(name)
        if "DynamoDB" in target:
            Stand.units.take(name, json.loads(body))
        upstream = http.client.HTTPConnection("127.0.0.1", Stand.moto)
        upstream.request("POST", self.path, body, {k: v for k, v in self.headers.items() if k.lower() != "connection"})
        reply = upstream.getresponse()
        data = reply.read()
        kept = [(k, v) for k, v in reply.getheaders() if k.lower() not in ("content-length", "connection", "transfer-encoding", "date", "server")]
        self.answer(reply.status, data, kept)


def free_port():
    with http.server.socketserver.TCPServer(("127.0.0.1", 0), None) as server:
        return server.server_address[1]


def start_moto(folder):
    port = free_port()
    env = dict(os.environ, FINOPS_MOTO_DATA=os.path.join(folder, "ce.json"))
    script = os.path.join(ROOT, "tests/it/aws/moto_more.py")
    command = f"ulimit -v 4000000; exec '{sys.executable}' '{script}' -H 127.0.0.1 -p {port}"
    process = subprocess.Popen(["bash", "-c", command], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(300):
        try:
            http.client.HTTPConnection("127.0.0.1", port, timeout=1).request("GET", "/moto-api/")
            return process, port
        except OSError:
            time.sleep(0.1)
    raise SystemExit("error: the emulator did not start")


def once(command, env, folder):
    """Seconds to the first AWS call, peak memory in MiB, the calls, the write units."""
    Stand.left, Stand.first, Stand.calls, Stand.peak, Stand.units.total = 1, None, [], 0, 0
    began = time.perf_counter()
    process = subprocess.Popen(command, env=env, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    Stand.pid = process.pid
    output, _ = process.communicate()
    if Stand.first is None or process.returncode != 0:
        raise SystemExit(f"error: {command[0]} failed\n{output.decode(errors='replace')[-2000:]}")
    return Stand.first - began, Stand.peak, list(Stand.calls), Stand.units.total


def told(what, run):
    _, peak, names, units = run
    print(f"{what}: {len(names)} requests ({', '.join(f'{names.count(n)} {n}' for n in sorted(set(names)))}), {units} write units, peak {peak:.1f} MiB")


def add_calls(folder, first, count):
    with open(os.path.join(folder, "usage.jsonl"), "a", encoding="utf-8") as file:
        for n in range(first, first + count):
            file.write(json.dumps({"id": f"c{n}", "ts": f"2026-11-{1 + n % 23:02}T{n // 23 % 24:02}:00:00Z", "provider": "anthropic",
                                   "model": "claude-haiku-4-5-20251001", "input_tokens": 1000 + n % 9973, "output_tokens": n % 97}) + "\n")


def main():
    folder = tempfile.mkdtemp()
    moto, Stand.moto = start_moto(folder)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Stand)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"127.0.0.1:{server.server_address[1]}"
    env = {
        "PATH": os.environ["PATH"], "HOME": folder, "AWS_ENDPOINT_URL": f"http://{address}", "AWS_LAMBDA_RUNTIME_API": address,
        "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1",
        "FINOPS_CONFIG": os.path.join(folder, "finops.toml"),
    }
    try:
        import boto3
        own = {"endpoint_url": f"http://127.0.0.1:{Stand.moto}", "region_name": "us-east-1", "aws_access_key_id": "x", "aws_secret_access_key": "x"}
        for table in ("bench-ai-costs-bench", "bench-cost-alerts-bench"):
            boto3.client("dynamodb", **own).create_table(
                TableName=table, BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[{"AttributeName": k, "AttributeType": "S"} for k in ("pk", "sk")],
                KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}])
        topic = boto3.client("sns", **own).create_topic(Name="bench")["TopicArn"]
        costs = [{"day": f"2026-11-{day:02}", "service": "Amazon Bedrock", "usage_type": f"type-{n}", "record_type": "Usage", "amount": "1.25"}
                 for day in range(1, 25) for n in range(20)]
        with open(os.path.join(folder, "ce.json"), "w", encoding="utf-8") as file:
            json.dump({"costs": costs}, file)
        with open(env["FINOPS_CONFIG"], "w", encoding="utf-8") as file:
            file.write(f'namespace = "bench"\nenvironment = "bench"\n[store]\nurl = "dynamodb:"\n[aws]\nallowed_accounts = ["123456789012"]\n'
                       f'refresh_hours = 0\npaid_requests_per_month = 10000\n'
                       f'[[cost_explorer]]\nname = "bill"\n[[source]]\nname = "app"\nkind = "plain"\npaths = ["usage.jsonl"]\n'
                       f'[[notify]]\nname = "topic"\nkind = "sns"\ntopic = "{topic}"\n')
        os.makedirs(os.path.join(folder, "policies/budgets"))
        with open(os.path.join(folder, "policies/budgets/b.toml"), "w", encoding="utf-8") as file:
            file.write('[[budget]]\nname = "bill"\namount = "500 USD"\nperiod = "month"\nbasis = "billed"\n')
        add_calls(folder, 0, 1000)
        program = os.path.join(folder, "program.py")
        with open(program, "w", encoding="utf-8") as file:
            file.write(BOTO3)
        env["TOPIC"], env["CALLS"] = topic, os.path.join(folder, "calls.json")
        told("first run, 1,000 new calls, a bill of 480 rows, one alert", once([MONITOR], env, folder))
        ours, theirs, steady = [], [], None
        for _ in range(ROUNDS):
            steady = once([MONITOR], env, folder)
            ours.append(steady[:2])
            with open(env["CALLS"], "w", encoding="utf-8") as file:
                json.dump(steady[2], file)
            theirs.append(once([sys.executable, program], env, folder)[:2])
        told("a run with nothing new", steady)
        for name, taken in (("finops-monitor", ours), ("boto3", theirs)):
            starts, memory = [s for s, _ in taken], max(m for _, m in taken)
            print(f"{name}: first AWS request after {statistics.median(starts) * 1000:.1f} ms "
                  f"(median of {len(starts)}, {min(starts) * 1000:.1f} to {max(starts) * 1000:.1f}), peak memory {memory:.1f} MiB")
        print(f"start: {statistics.median([s for s, _ in theirs]) / statistics.median([s for s, _ in ours]):.1f} times faster")
        add_calls(folder, 1000, 100)
        told("100 new calls", once([MONITOR], env, folder))
        add_calls(folder, 1100, 100000)
        told("100,000 new calls", once([MONITOR], env, folder))
    finally:
        moto.terminate()
        moto.wait()


if __name__ == "__main__":
    main()
