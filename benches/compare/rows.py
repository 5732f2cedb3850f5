"""The rows of the table: each a function that has one tool do one work and answers what it measured."""

import os
import re
import shutil
import statistics
import subprocess
import time
from contextlib import contextmanager

from tools import PATIENCE, Failed, Limit, Process, Tripline


# Of each kept tree, by its size, the directories that are probed.
KEPT = {}


def tree(top, count):
    """Makes so many directories, ten or a hundred to a parent; answers some fifty from all over, the last one made too."""
    top.mkdir(parents=True)
    made, level, some = 0, [top], []
    while True:
        below = []
        for parent in level:
            for number in range(10 if len(level) < 1000 else 100):
                if made == count:
                    return some
                child = parent / f"d{number}"
                child.mkdir()
                below.append(child)
                made += 1
                if made % max(1, count // 50) == 0:
                    some.append(child)
        level = below


def kept_tree(work, count):
    """A tree that stays for all tools and rounds, and some of its directories."""
    top = work / f"tree{count}"
    if count not in KEPT:
        KEPT[count] = tree(top, count)
    return top, KEPT[count]


@contextmanager
def fresh(work):
    """A directory for one measurement."""
    top = work / f"fresh{time.monotonic_ns()}"
    top.mkdir()
    try:
        yield top
    finally:
        shutil.rmtree(top, ignore_errors=True)


@contextmanager
def watching(process, some):
    """The tool when it has reported a file in each of some directories, and what followed from that is over."""
    if process is None:
        yield None
        return
    with process:
        process.probe(some)
        time.sleep(0.5)
        yield process


def setup(tool, work, args):
    top, some = kept_tree(work, args.dirs)
    # The rows between have pushed it out of the cache for whoever comes first.
    for _ in os.walk(top):
        pass
    process = tool.watch(str(top), work)
    if process is None:
        return None
    with process:
        seconds = process.probe(some) - process.started
        return {"seconds": seconds, "cpu": process.cpu(), "pss": process.pss()}


def save(tool, work, args):
    top, some = kept_tree(work, args.around)
    target, stamps = some[-1] / "file", work / "stamps"
    target.write_text("")
    stamps.write_text("")
    process = tool.react(str(top), str(work / "bin/work"), work)
    if process is None:
        return None

    def count():
        return stamps.read_bytes().count(b"\n")

    with process:
        end, before = time.monotonic() + PATIENCE, 0
        while before == count():
            if time.monotonic() > end:
                raise Failed("never runs")
            before = count()
            target.write_text("x")
            time.sleep(0.3)
        time.sleep(0.5)
        took, made, until = [], 0, time.monotonic() + PATIENCE
        # Who misses most of them would take minutes.
        while made < args.saves and time.monotonic() < until:
            made += 1
            before, saved = count(), time.monotonic_ns()
            target.write_text("x")
            end = time.monotonic() + 1
            while before == count() and time.monotonic() < end:
                time.sleep(0.001)
            if before < count():
                took.append((int(stamps.read_text().split()[before]) - saved) / 1000)
            time.sleep(0.02)
        if not took:
            raise Failed("misses all")
        took.sort()
        return {"median": statistics.median(took), "p99": took[int(len(took) * 0.99)], "missed": made - len(took)}


def noise(number):
    """So many rules that match nothing in the storm, none like another."""
    return "".join(f'[rules.n{i}]\npaths = ["{i % 100}/other{i}/*.c", "**/n{i}.h"]\nrun = ["true"]\n' for i in range(number))


def storm_process(tool, top, work, rules):
    if isinstance(tool, Limit):
        return Process([tool.program, "storm", top]) if tool.mode == "crawl" else None
    if isinstance(tool, Tripline):
        return tool.rules(work, top, '[rules.all]\npaths = ["**/*.txt"]\non = ["close_write"]\nrun = ["true"]\n'
                          'max_wait = "10m"\ndebounce = "1s"\n' + noise(rules - 1))
    return tool.watch(str(top), work)


def storm(tool, work, args, rules=1):
    with fresh(work) as top:
        for number in range(100):
            (top / str(number)).mkdir()
        process = storm_process(tool, top, work, rules)
        if process is None:
            return None
        with process:
            if isinstance(tool, (Tripline, Limit)):
                process.wait_for(b"ready")
            else:
                process.probe([top / "99"])
            time.sleep(0.5)
            before = process.cpu()
            subprocess.run([work / "bin/work", "storm", top, str(args.storm)], check=True)
            used = process.settled() - before
            return {"each": used / args.storm * 1e6, "lost": args.storm - reported(tool, process, args.storm)}


def reported(tool, process, number):
    """Of how many files of the storm the tool has told."""
    if isinstance(tool, Limit):
        return 0 if b"lost\n" in process.lines() else number
    if isinstance(tool, Tripline):
        process.wait_for(b" more")
        told = [re.search(rb"and (\d+) more", line) for line in process.lines()]
        return sum(int(match.group(1)) + 1 for match in told if match)
    names = re.compile(rb"f(\d+)\.txt")
    return len({match.group(1) for line in process.lines() for match in names.finditer(line)})


def rename(tool, work, args):
    if isinstance(tool, Limit):
        return None
    with fresh(work) as top:
        some = tree(top / "old", min(args.dirs, args.most))
        with watching(tool.tell(str(top), work), some) as process:
            if process is None:
                return None
            # Directories only: each file would be one more that has another path.
            for directory in some:
                for probe in directory.glob("probe-*"):
                    probe.unlink()
            process.settled()
            before, since = process.cpu(), len(process.lines())
            renamed = time.monotonic()
            (top / "old").rename(top / "new")
            deepest = top / "new" / some[-1].relative_to(top / "old")
            (deepest / "after").write_text("x")
            right = str(deepest.relative_to(top) / "after").encode()
            try:
                seconds = process.wait_for(right, since) - renamed
            except Failed:
                raise Failed("never under its new path")
            return {"seconds": seconds, "cpu": process.settled() - before}


def remove(tool, work, args):
    with fresh(work) as top:
        some = tree(top / "all", min(args.dirs, args.most))
        with watching(tool.tell(str(top), work), some) as process:
            if process is None:
                return None
            before = process.cpu()
            shutil.rmtree(top / "all")
            return {"cpu": process.settled() - before}


def repository(work):
    """A work tree of 5,000 files on branch `two`, of which 2,000 differ from branch `one`, and their names."""
    top = work / "repository"
    changed = {f"src{number % 50}/f{number}.txt" for number in range(2000)}
    if not top.exists():
        git(work, "init", "-q", "-b", "one", top)
        for number in range(5000):
            path = top / f"src{number % 50}/f{number}.txt"
            path.parent.mkdir(exist_ok=True)
            path.write_text("one\n")
        git(top, "add", ".")
        git(top, "commit", "-qm", "one")
        git(top, "checkout", "-qb", "two")
        for name in changed:
            (top / name).write_text("two, and longer\n")
        git(top, "commit", "-qam", "two")
    git(top, "checkout", "-q", "two")
    return top, changed


def git(top, *words):
    config = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "gc.auto=0"]
    subprocess.run(["git", "-C", top, *config, *words], check=True, capture_output=True)


def checkout(tool, work, args):
    top, changed = repository(work)
    stamps = work / "stamps"
    stamps.write_text("")
    process = tool.batch(str(top), work)
    if process is None:
        return None
    with process, Process([work / "bin/limit", "last", top]) as clock:
        clock.wait_for(b"ready")
        end = time.monotonic() + PATIENCE
        while not stamps.read_text():
            if time.monotonic() > end:
                raise Failed("never runs")
            (top / "src0/probe").write_text("x")
            time.sleep(0.5)
        time.sleep(1)
        stamps.write_text("")
        git(top, "checkout", "-q", "one")
        process.settled()
        time.sleep(0.5)
        return batches(stamps.read_text(), changed, int(clock.lines()[-1]))


def batches(text, changed, last):
    runs = [int(line.split()[1]) for line in text.splitlines() if line.startswith("run ")]
    if not runs:
        raise Failed("never runs")
    told = {name for name in changed if name in text}
    return {"runs": len(runs), "missing": len(changed - told), "seconds": (max(runs) - last) / 1e9 - 0.1}


def start(tool, work, args):
    if not tool.ready:
        return None
    top = work / "empty"
    top.mkdir(exist_ok=True)
    # The kernel takes the watches of the tool before away in the background.
    time.sleep(1)
    took = []
    for _ in range(5):
        with tool.watch(str(top), work) as process:
            took.append(process.wait_for(tool.ready) - process.started)
    # The first one finds nothing of the program in the processor's caches.
    return {"seconds": statistics.median(took)}


def idle(tool, work, args):
    top, some = kept_tree(work, 10_000)
    with watching(tool.watch(str(top), work), some) as process:
        if process is None:
            return None
        time.sleep(2)
        cpu, switches = process.cpu(), process.switches()
        time.sleep(10)
        since = sum(count - switches.get(task, 0) for task, count in process.switches().items())
        return {"cpu": process.cpu() - cpu, "switches": since}


def ms(seconds):
    return f"{seconds * 1000:,.1f} ms" if seconds < 1 else f"{seconds:,.2f} s"


def us(microseconds):
    return f"{microseconds:,.2f} µs" if microseconds < 100 else f"{microseconds:,.0f} µs"


def mb(megabytes):
    return f"{megabytes:.1f} MB"


def number(count):
    return f"{count:,.0f}"


class Row:
    """One work: what measures it, its title, and of each value its title and how it is shown."""

    def __init__(self, measure, title, **columns):
        self.measure, self.title, self.columns = measure, title, columns


def storm_of(rules):
    def only_tripline(tool, work, args):
        return storm(tool, work, args, rules) if isinstance(tool, Tripline) else None

    return Row(only_tripline, lambda a: f"The same storm with {rules:,} rules that match nothing in it",
               each=("CPU each", us), lost=("files not reported", number))


# The values that should be nothing.
LOSSES = {"missed", "lost", "missing"}

ROWS = {
    "setup": Row(setup, lambda a: f"Watch {a.dirs:,} directories",
                 seconds=("until a file in each of fifty is reported", ms), cpu=("CPU", ms), pss=("memory (PSS)", mb)),
    "save": Row(save, lambda a: f"From a save to the command running, no debounce, {a.around:,} directories",
                median=("median", us), p99=("p99", us), missed=("missed of the saves", number)),
    "storm": Row(storm, lambda a: f"A storm: {a.storm:,} files made, written, closed and removed in 100 directories",
                 each=("CPU each", us), lost=("files not reported", number)),
    "storm1000": storm_of(1000),
    "storm10000": storm_of(10_000),
    "rename": Row(rename, lambda a: f"Rename a directory that holds {min(a.dirs, a.most):,}, write in its deepest",
                  seconds=("the right path is reported after", ms), cpu=("CPU", ms)),
    "checkout": Row(checkout, lambda a: "git checkout that changes 2,000 of 5,000 files, debounce 100 ms",
                    runs=("runs", number), missing=("paths missing", number), seconds=("last run after the debounce", ms)),
    "remove": Row(remove, lambda a: f"rm -rf of {min(a.dirs, a.most):,} watched directories", cpu=("CPU", ms)),
    "start": Row(start, lambda a: "From start to ready in an empty directory", seconds=("time", ms)),
    "idle": Row(idle, lambda a: "Ten idle seconds over 10,000 directories", cpu=("CPU", ms), switches=("context switches", number)),
}
