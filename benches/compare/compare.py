#!/usr/bin/env python3
"""Measures tripline beside its peers, and beside what the system calls alone cost.

    cargo build --profile dist
    benches/compare/compare.py                          the tables and a chart in docs/performance.md, the README's summary
    benches/compare/compare.py --again                  the same once more, for what the page has to compare with
    benches/compare/compare.py --growth                 tripline alone at growing sizes, there too
    benches/compare/compare.py --print --rounds 1 --dirs 20000 --only setup,storm

Needs Linux, Python 3.9 and cc. Peers that are not on PATH are left out. In each round every tool has its turn at
each row, and the medians are shown. What was lost or wrong stands beside how fast it was, and is the most of any round.
"""

import argparse
import copy
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import page
from rows import LOSSES, ROWS
from tools import Failed, every

HERE = Path(__file__).resolve().parent


def measure(row, tool, work, args):
    """What one tool did at one row: values, why there are none, or None if it is not made for that."""
    began = time.monotonic()
    try:
        value = ROWS[row].measure(tool, work, args)
    except Failed as reason:
        value = str(reason)
    print(f"{time.monotonic() - began:5.1f} s  {row}: {tool.name}: {value}", file=sys.stderr)
    return value


def summed_up(values):
    """The medians, but of what was lost the most that it was: one round without a loss makes up for no other."""
    kinds = {key: max if key in LOSSES else statistics.median for key in values[0]}
    return {key: kind(value[key] for value in values) for key, kind in kinds.items()}


def compare(args, tools, work):
    """Of each row and tool what it has shown, or why nothing; who has failed, or is not made for it, has no other turn."""
    values = {}
    for round in range(args.rounds):
        turns = [tool for tool in tools if round == 0 or tool.name not in args.once]
        for row in args.only:
            for tool in turns:
                before = values.setdefault((row, tool.name), [])
                if isinstance(before, list):
                    value = measure(row, tool, work, args)
                    if isinstance(value, dict):
                        before.append(value)
                    else:
                        values[row, tool.name] = value
    return {key: found if isinstance(found, str) else summed_up(found) for key, found in values.items() if found}


def grow(args, tools, work):
    """The same at growing sizes: of each (row, number of directories) tripline's medians."""
    tools = [tool for tool in tools if tool.name == "tripline"]
    found = {}
    sizes = [1000, 10_000, 100_000]
    works = [(row, size) for row in ("save", "rename", "remove") for size in sizes]
    works += [("setup", size) for size in [*sizes, 190_000]]
    for row, size in works:
        at = copy.copy(args)
        at.dirs, at.around, at.only, at.most = size, size, [row], size
        rounds = compare(at, tools, work)
        found[row, size] = rounds.get((row, "tripline"))
    return found


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dirs", type=int, default=100_000, help="directories to watch")
    parser.add_argument("--saves", type=int, default=200)
    parser.add_argument("--storm", type=int, default=200_000, help="files in the storm")
    parser.add_argument("--only", type=lambda text: text.split(","), default=list(ROWS), help="rows: " + ",".join(ROWS))
    parser.add_argument("--tools", type=lambda text: text.split(","), help="the tools, by name")
    parser.add_argument("--once", type=lambda text: text.split(","), default=[], help="the tools that have one round only")
    parser.add_argument("--growth", action="store_true", help="measure tripline at growing sizes instead")
    parser.add_argument("--again", action="store_true", help="write beside the figures that are there")
    parser.add_argument("--print", action="store_true", help="print only")
    args = parser.parse_args()
    args.around, args.most = 1000, 20_000
    return args


def main():
    args = arguments()
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        (work / "bin").mkdir()
        for program in ("limit", "work"):
            subprocess.run(["cc", "-O2", "-pthread", "-o", work / "bin" / program, HERE / f"{program}.c"], check=True)
        os.environ["STAMPS"] = str(work / "stamps")
        tools = [tool for tool in every(work) if not args.tools or tool.name in args.tools]
        if args.growth:
            results = grow(args, tools, work)
            text = page.growth_table(results)
        else:
            results = compare(args, tools, work)
            text = page.tables(args, tools, results)
    print(text)
    if not args.print:
        page.write(args, text, tools, results)


main()
