#!/usr/bin/env python3
"""Sums a bill by day and service, ours beside DuckDB in turns on the same files, and checks that every sum is equal.

    focus.py FINOPS BILL [RUNS [.csv] [.parquet] [-double.parquet] [-map.parquet] [-cur.csv] [-cur.parquet]]

FINOPS is a release build with the feature `parquet`; BILL is what gen_focus.py was told to write, all four files or those named, with what gen_cur.py made of it.
Needs DuckDB (`pip install duckdb`).
Ours is `finops report --files`, one process that records nothing, as DuckDB's query is one, with what the bill counts of tokens and without (`--costs-only`: what the
query sums); and `finops record` into a fresh ledger with `finops report`, two. CPU-seconds are of all threads, user and system; memory is the largest resident set of a process.
"""
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from decimal import Decimal

QUERY = """
import json, sys, duckdb
duckdb.sql("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
rows = duckdb.sql(f\"\"\"
  SELECT strftime(day, '%Y-%m-%d'), service, cost::VARCHAR FROM (
    SELECT date_trunc('day', {sys.argv[2]}) AS day, {sys.argv[3]} AS service, sum({sys.argv[4]}) AS cost FROM {sys.argv[1]} GROUP BY ALL
  ) ORDER BY ALL\"\"\").fetchall()
json.dump(rows, sys.stdout)
"""


def once(command, quiet=False):
    """CPU and wall seconds, peak memory in MiB, and the answer of one process."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL if quiet else None)
    answer = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    if status != 0:
        sys.exit(f"`{' '.join(command)}` failed")
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / unit, answer.decode()


REPORT = "report --basis billed --by day,service --from 2000-01-01 --to 2100-01-01".split()


def sums_of(answer):
    return {(row["day"], row["service"]): Decimal(row["cost_usd"]) for row in json.loads(answer)["rows"]}


def look(finops, bill, *flags):
    with tempfile.TemporaryDirectory() as folder:
        config = os.path.join(folder, "finops.toml")
        open(config, "w").close()
        cpu, wall, peak, answer = once([finops, "--config", config, "--format", "json"] + REPORT + list(flags) + ["--files", bill])
    return cpu, wall, peak, sums_of(answer), ""


def ours(finops, bill):
    with tempfile.TemporaryDirectory(dir=os.path.dirname(os.path.abspath(bill))) as folder:
        config = os.path.join(folder, "finops.toml")
        open(config, "w").close()
        flags = [finops, "--config", config, "--store", f"sqlite:{folder}/ledger.db", "--format", "json"]
        record = once(flags + ["record", bill], quiet=True)
        report = once(flags + REPORT)
        size = os.path.getsize(f"{folder}/ledger.db") / (1 << 20)
    told = json.loads(record[3])
    if told.get("rejected"):
        sys.exit(f"{told['rejected']} rows were rejected")
    sums = sums_of(report[3])
    return record[0] + report[0], record[1] + report[1], max(record[2], report[2]), sums, f"report {report[0]:.2f} s CPU, ledger {size:.0f} MiB"


def peer(bill, exact=False):
    """DuckDB's query; `exact` sums what is stored as a double as the decimal that it means."""
    of_cur, is_text = "-cur." in bill, bill.endswith(".csv")
    day, service, cost = "ChargePeriodStart", "ServiceName", "BilledCost"
    if of_cur:
        name = "json_extract_string(product, 'product_name')" if is_text else "product['product_name']"
        day, service, cost = "line_item_usage_start_date", name, "line_item_unblended_cost"
    # Costs of a text are read as decimals, or they would be sums of doubles.
    table = f"read_csv('{bill}', types={{'{cost}': 'DECIMAL(18,10)'}})" if is_text else f"read_parquet('{bill}')"
    cost = f"{cost}::DECIMAL(18,10)" if exact else cost
    cpu, wall, peak, answer = once([sys.executable, "-c", QUERY, table, day, service, cost])
    return cpu, wall, peak, {(day, service): Decimal(cost) for day, service, cost in json.loads(answer)}, ""


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    finops, bill, turns = sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 3
    for file in (bill + ending for ending in sys.argv[4:] or (".csv", ".parquet", "-double.parquet", "-map.parquet")):
        truth = peer(f"{bill}-cur.parquet" if "-cur." in file else f"{bill}.parquet", exact=True)[3]
        print(f"{len(truth)} sums of day and service, {sum(truth.values())} in all")
        runs = {"DuckDB": [], "report --files": [], "costs only": [], "record, report": []}
        for _ in range(turns):
            runs["report --files"].append(look(finops, file))
            runs["DuckDB"].append(peer(file))
            runs["costs only"].append(look(finops, file, "--costs-only"))
            runs["record, report"].append(ours(finops, file))
        print(f"{os.path.basename(file)}, {os.path.getsize(file) / (1 << 20):.0f} MiB, medians of {turns}")
        medians = {}
        for name, all_of in runs.items():
            cpu, wall, peak = (statistics.median(run[at] for run in all_of) for at in range(3))
            sums = all_of[0][3]
            exact = all(run[3] == truth for run in all_of)
            off = max(abs(sums.get(key, Decimal(0)) - cost) for key, cost in truth.items())
            medians[name] = cpu
            print(f"  {name:14} {cpu:6.2f} s CPU {wall:6.2f} s wall {peak:6.0f} MiB  {'exact' if exact else f'off by up to {off:.1e}'}  {all_of[0][4]}")
        for name in ("report --files", "costs only", "record, report"):
            print(f"  finops {name}: {medians['DuckDB'] / medians[name]:.2f} of DuckDB's speed")
        if not all(run[3] == truth for name, all_of in runs.items() if name != "DuckDB" for run in all_of):
            sys.exit("the sums differ")


main()
