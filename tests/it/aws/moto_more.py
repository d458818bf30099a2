"""moto's server with the few calls that the tests need and moto does not have.

Cost Explorer answers from the JSON file named by FINOPS_MOTO_DATA, read at each call:
{"costs": [{"day", "service", "usage_type", "record_type", "amount"}], "estimated_from": day, "page_days": n,
 "anomalies": [...], "forecast": {...} or the code of an error, "instead": what costs are answered with}; a cost may have "hour", "account", "tag", "metrics" (amounts that differ, by metric),
"quantity" and "unit" of usage, and "payer": the account that alone is told of it.
Every call is a line of the file FINOPS_MOTO_DATA.log: what it asked, so that tests can count what would have been paid for.
"""
import datetime
import decimal
import json
import os

import moto.server
from moto.ce.responses import CostExplorerResponse

PATH = os.environ.get("FINOPS_MOTO_DATA", "")


def data():
    if PATH and os.path.exists(PATH):
        with open(PATH, encoding="utf-8") as file:
            return json.load(file)
    return {}


def log(call, body):
    if PATH:
        with open(PATH + ".log", "a", encoding="utf-8") as file:
            file.write(json.dumps({"call": call, "body": body}) + "\n")


def field(row, key):
    return row.get({"LINKED_ACCOUNT": "account"}.get(key, key.lower()), "")


def matches(row, wanted):
    if "And" in wanted:
        return all(matches(row, part) for part in wanted["And"])
    if "Not" in wanted:
        return not matches(row, wanted["Not"])
    if "Dimensions" in wanted:
        return field(row, wanted["Dimensions"]["Key"]) in wanted["Dimensions"]["Values"]
    raise ValueError(f"a filter that these tests do not know: {wanted}")


def amount(row, metric):
    usual = row.get("quantity", "0") if metric == "UsageQuantity" else row["amount"]
    return decimal.Decimal(row.get("metrics", {}).get(metric, usual))


def get_cost_and_usage(self):
    body = json.loads(self.body)
    log("GetCostAndUsage", body)
    known = data()
    if "instead" in known:
        return json.dumps(known["instead"])
    first = datetime.date.fromisoformat(body["TimePeriod"]["Start"][:10])
    end = datetime.date.fromisoformat(body["TimePeriod"]["End"][:10])
    days = [first + datetime.timedelta(days=n) for n in range((end - first).days)]
    hourly = body["Granularity"] == "HOURLY"
    spans = [(day, hour) for day in days for hour in (range(24) if hourly else [None])]
    begin = int(body.get("NextPageToken") or 0)
    size = known.get("page_days", 100) * (24 if hourly else 1)
    by = body.get("GroupBy", [])
    costs = [row for row in known.get("costs", []) if row.get("payer", self.current_account) == self.current_account]
    results = []
    for day, hour in spans[begin:begin + size]:
        groups, units = {}, {}
        for row in costs:
            if row["day"] == str(day) and hour in (None, row.get("hour", 0)) and matches(row, body["Filter"]):
                key = tuple(f"{g['Key']}${row.get('tag', '')}" if g["Type"] == "TAG" else field(row, g["Key"]) for g in by)
                sums = groups.setdefault(key, dict.fromkeys(body["Metrics"], decimal.Decimal(0)))
                units.setdefault(key, row.get("unit", "N/A"))
                for metric in sums:
                    sums[metric] += amount(row, metric)
        begins = datetime.datetime.combine(day, datetime.time(hour or 0))
        ends = begins + datetime.timedelta(**({"hours": 1} if hourly else {"days": 1}))
        form = "%Y-%m-%dT%H:%M:%SZ" if hourly else "%Y-%m-%d"
        results.append({
            "TimePeriod": {"Start": begins.strftime(form), "End": ends.strftime(form)},
            "Total": {},
            "Estimated": str(day) >= known.get("estimated_from", "9999"),
            "Groups": [
                {"Keys": list(key), "Metrics": {
                    m: {"Amount": str(sum), "Unit": units[key] if m == "UsageQuantity" else "USD"} for m, sum in sums.items()
                }}
                for key, sums in sorted(groups.items())
            ],
        })
    answer = {"ResultsByTime": results, "GroupDefinitions": by}
    if begin + size < len(spans):
        answer["NextPageToken"] = str(begin + size)
    return json.dumps(answer)


def get_anomalies(self):
    body = json.loads(self.body)
    log("GetAnomalies", body)
    return json.dumps({"Anomalies": data().get("anomalies", [])})


def get_cost_forecast(self):
    log("GetCostForecast", json.loads(self.body))
    forecast = data().get("forecast", {})
    if isinstance(forecast, str):
        return 400, {"status": 400}, json.dumps({"__type": forecast, "message": "by the test"})
    return json.dumps(forecast)


def provide_anomaly_feedback(self):
    body = json.loads(self.body)
    log("ProvideAnomalyFeedback", body)
    return json.dumps({"AnomalyId": body["AnomalyId"]})


for call in (get_cost_and_usage, get_anomalies, get_cost_forecast, provide_anomaly_feedback):
    setattr(CostExplorerResponse, call.__name__, call)

if __name__ == "__main__":
    moto.server.main()
