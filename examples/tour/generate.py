#!/usr/bin/env python3
"""Writes the usage of the tour: made up, the same bytes on every machine (integers only, one seed).

    generate.py [FOLDER]    default: the folder of this script

Three teams, 2026-10-01 to 2026-11-24 12:00 UTC. On 2026-11-18 the agent `ticket-bot` of the team `support` starts to
answer its own answers: twice as many calls every day. The team `growth` tries a model that nobody has a price for.
"""
import datetime
import json
import os
import sys

START = datetime.date(2026, 10, 1)
LAST = datetime.date(2026, 11, 24)
RUNAWAY = datetime.date(2026, 11, 18)
ZEPHYR = datetime.date(2026, 11, 9)
MASK = (1 << 64) - 1


class Dice:
    """SplitMix64: tiny, and not tied to a version of Python."""

    def __init__(self, seed):
        self.state = seed

    def next(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return z ^ (z >> 31)

    def below(self, n):
        return self.next() % n

    def around(self, n):
        """Between half of n and one and a half."""
        return n // 2 + self.below(n + 1)

    def pick(self, items):
        return items[self.below(len(items))]


# team, agent, workflow, provider, model, tier, calls on a weekday, on a weekend day, then mean tokens of a call:
# uncached input, cache read, cache write 5m, cache write 1h, output, reasoning (per cent of output)
TRAFFIC = [
    ("search", "ranker", "rerank", "openai", "gpt-5-2025-08-07", "default", 16, 6, 90000, 60000, 0, 0, 9000, 60),
    ("search", "indexer", "nightly-index", "google", "gemini-2.5-flash", "default", 9, 9, 400000, 0, 0, 0, 30000, 40),
    ("search", "summariser", "snippets", "anthropic", "claude-haiku-4-5-20251001", "standard",
     12, 5, 40000, 160000, 20000, 0, 12000, 0),
    ("support", "helpdesk", "answer-mail", "anthropic", "claude-sonnet-4-6", "standard",
     20, 5, 30000, 120000, 15000, 10000, 9000, 0),
    ("support", "triage", "sort-mail", "openai", "gpt-5-mini-2025-08-07", "flex", 8, 6, 120000, 40000, 0, 0, 8000, 50),
    ("growth", "copywriter", "campaign", "anthropic", "claude-sonnet-4-6", "standard",
     9, 0, 50000, 60000, 20000, 0, 15000, 0),
    ("growth", "analyst", "weekly-report", "openai", "gpt-5-mini-2025-08-07", "default",
     6, 1, 200000, 80000, 0, 0, 20000, 50),
]
USERS = {
    "search": ["ada", "bruno", "chen"],
    "support": ["dalia", "emil"],
    "growth": ["farah", "goran", "hana"],
}


def call(dice, row, limit_second):
    """One call as (second of the day, record without id and time)."""
    team, agent, workflow, provider, model, tier, _, _, uncached, read, write5m, write1h, output, thinking = row
    out = dice.around(output)
    second = dice.below(limit_second)
    record = {
        "provider": provider,
        "model": model,
        "service_tier": tier,
        "input_tokens": dice.around(uncached),
        "cache_read_tokens": dice.around(read) if read else 0,
        "cache_write_5m_tokens": dice.around(write5m) if write5m else 0,
        "cache_write_1h_tokens": dice.around(write1h) if write1h else 0,
        "output_tokens": out,
        "reasoning_tokens": out * thinking // 100,
        "team": team,
        "agent": agent,
        "workflow": workflow,
        "user": dice.pick(USERS[team]),
        "session": f"{agent}-{dice.below(40):02d}",
        "status": "success",
    }
    return second, {key: value for key, value in record.items() if value != 0}


def calls_of(dice, day):
    share = 2 if day == LAST else 1  # the last day ends at noon
    limit = 86400 // share
    calls = []
    for row in TRAFFIC:
        mean = row[7] if day.weekday() >= 5 else row[6]
        count = mean * 3 // 4 + dice.below(mean // 2 + 1) if mean else 0
        calls += [call(dice, row, limit) for _ in range(count // share)]
    if day >= ZEPHYR and day.weekday() < 5:
        row = ("growth", "copywriter", "campaign", "anthropic", "claude-zephyr-1", "standard",
               0, 0, 20000, 0, 0, 0, 6000, 0)
        calls += [call(dice, row, limit) for _ in range(2)]
    if day >= RUNAWAY:
        row = ("support", "ticket-bot", "answer-tickets", "anthropic", "claude-opus-4-5-20251101", "standard",
               0, 0, 30000, 120000, 20000, 0, 6000, 0)
        count = 3 << (day - RUNAWAY).days
        calls += [call(dice, row, limit) for _ in range(count // share)]
    calls.sort(key=lambda c: c[0])
    return calls


def dump(record):
    return json.dumps(record, separators=(",", ":")) + "\n"


def write(path, lines):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="ascii", newline="\n") as file:
        file.writelines(lines)


def plain(folder):
    dice = Dice(20261124)
    months = {}
    day = START
    while day <= LAST:
        for number, (second, record) in enumerate(calls_of(dice, day), 1):
            time = f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"
            head = {"id": f"call-{day:%m%d}-{number:03d}", "ts": f"{day}T{time}Z"}
            months.setdefault(f"{day:%Y-%m}", []).append(dump(head | record))
        day += datetime.timedelta(days=1)
    for month, lines in months.items():
        write(os.path.join(folder, "usage", f"{month}.jsonl"), lines)


def claude_line(session, number, time, output, stop, read):
    return dump({
        "parentUuid": f"u-{number - 1}",
        "isSidechain": False,
        "userType": "external",
        "cwd": "/srv/shop",
        "sessionId": session,
        "version": "2.1.30",
        "gitBranch": "main",
        "type": "assistant",
        "uuid": f"u-{number}",
        "timestamp": time,
        "requestId": f"req_tour_{number:03d}",
        "message": {
            "id": f"msg_tour_{number:03d}",
            "type": "message",
            "role": "assistant",
            "model": "claude-sonnet-4-6",
            "content": [{"type": "text", "text": "done"}],
            "stop_reason": stop,
            "usage": {
                "input_tokens": 12,
                "cache_creation_input_tokens": 2400,
                "cache_read_input_tokens": read,
                "cache_creation": {"ephemeral_5m_input_tokens": 1800, "ephemeral_1h_input_tokens": 600},
                "output_tokens": output,
                "service_tier": "standard",
            },
        },
    })


def claude(folder):
    """Two sessions; the second resumes the first, so that it begins with the first one's lines again."""
    dice = Dice(610)
    first, second = "3c9a0c1e-0000-4000-8000-000000000001", "3c9a0c1e-0000-4000-8000-000000000002"
    turns = []
    for number in range(1, 31):
        day, minute = (12, number * 3) if number <= 18 else (13, number * 3 - 54)
        time = f"2026-11-{day}T{9 + minute // 60:02d}:{minute % 60:02d}:{dice.below(60):02d}.000Z"
        turns.append((number, time, dice.around(900), 30000 + 2400 * number))
    one, two = [], []
    for number, time, output, read in turns:
        lines = one if number <= 18 else two
        if number % 6 == 0:  # a line that was written while the answer still streamed
            lines.append(claude_line(first if number <= 18 else second, number, time, 1, None, read))
        lines.append(claude_line(first if number <= 18 else second, number, time, output, "end_turn", read))
    again = [line.replace(first, second) for line in one]
    project = os.path.join(folder, "claude", "projects", "-srv-shop")
    write(os.path.join(project, f"{first}.jsonl"), one)
    write(os.path.join(project, f"{second}.jsonl"), again + two)


if __name__ == "__main__":
    target = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
    plain(target)
    claude(target)
