"""The tools that are compared, and a running one: what it has said, and what it has cost."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
TRIPLINE = os.environ.get("TRIPLINE", str(TOP / "target/dist/tripline"))
PATIENCE = 20  # Seconds after which a tool has failed; none of them waits so long by design.
PROBE = re.compile(rb"probe-(\d+)-")
EVENTS = "create,close_write,delete,moved_from,moved_to"


class Failed(Exception):
    """A tool did not do what it was asked to."""


class Process:
    """A running tool with all its children: what it has printed, each line with its moment, and what it costs."""

    def __init__(self, command):
        self.seen = []
        self.answered = {}
        self.news = threading.Condition()
        self.started = time.monotonic()
        self.child = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.PIPE, start_new_session=True)
        threading.Thread(target=self.read, args=(self.child.stdout,), daemon=True).start()

    def read(self, stream):
        for line in stream:
            self.say(line)

    def say(self, line):
        with self.news:
            self.seen.append((time.monotonic(), line))
            self.news.notify_all()

    def lines(self, since=0):
        with self.news:
            return [line for _, line in self.seen[since:]]

    def wait_for(self, text, since=0, patience=PATIENCE):
        """When a line with this text came, from the line of that number on."""
        end = time.monotonic() + patience
        with self.news:
            while True:
                for since in range(since, len(self.seen)):
                    if text in self.seen[since][1]:
                        return self.seen[since][0]
                since = len(self.seen)
                if time.monotonic() > end:
                    raise Failed("no report of " + text.decode(errors="replace"))
                self.news.wait(0.01)

    def probe(self, directories, patience=3 * PATIENCE):
        """Writes a file in each directory, again and again until each has been reported; answers when that was.

        The longer it takes, the longer the waits, so that no tool is kept busy by the probes themselves."""
        began, round = time.monotonic(), 0
        left = dict(enumerate(directories))
        while (elapsed := time.monotonic() - began) < patience:
            for number, directory in left.items():
                (directory / f"probe-{number}-{round}").write_text("x")
            time.sleep(max(0.005, elapsed / 20))
            with self.news:
                seen = self.seen[:]
            told = {int(found.group(1)): at for at, line in reversed(seen) for found in PROBE.finditer(line)}
            self.answered |= {number: at for number, at in told.items() if number in left}
            left = {number: directory for number, directory in left.items() if number not in told}
            if not left:
                return max(self.answered.values())
            if self.child.poll() is not None:
                raise Failed("ends by itself")
            round += 1
        raise Failed(f"not all within {patience} s")

    def pids(self):
        found, left = [], [self.child.pid]
        while left:
            pid = left.pop()
            found.append(pid)
            try:
                for task in os.listdir(f"/proc/{pid}/task"):
                    left += map(int, Path(f"/proc/{pid}/task/{task}/children").read_text().split())
            except OSError:
                pass
        return found

    def cpu(self):
        """Seconds of processor time, from the clocks of the processes, which count the threads that have ended."""
        total = 0
        for pid in self.pids():
            try:
                # How the kernel numbers the CPU clock of a process: clock_getcpuclockid(3).
                total += time.clock_gettime(~pid << 3 | 2)
            except OSError:
                pass
        return total

    def switches(self):
        """The context switches of each thread so far; of one that ends they are not known any more."""
        counts = {}
        for pid in self.pids():
            try:
                for task in os.listdir(f"/proc/{pid}/task"):
                    text = Path(f"/proc/{pid}/task/{task}/status").read_text()
                    counts[task] = sum(map(int, re.findall(r"ctxt_switches:\s+(\d+)", text)))
            except OSError:
                pass  # It has ended meanwhile.
        return counts

    def settled(self):
        """Waits until it does next to nothing; answers the processor time so far."""
        end, used = time.monotonic() + 3 * PATIENCE, self.cpu()
        while time.monotonic() < end:
            time.sleep(0.5)
            before, used = used, self.cpu()
            if used - before < 0.01:
                return used
        raise Failed("is never done")

    def pss(self):
        """Megabytes, of which those that are shared count in part."""
        total = 0
        for pid in self.pids():
            try:
                text = Path(f"/proc/{pid}/smaps_rollup").read_text()
                total += int(re.search(r"Pss:\s+(\d+)", text).group(1))
            except OSError:
                pass
        return total / 1024

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for number, patience in ((signal.SIGTERM, 5), (signal.SIGKILL, None)):
            try:
                os.killpg(self.child.pid, number)
                self.child.wait(patience)
            except (subprocess.TimeoutExpired, ProcessLookupError):
                pass


class Watchman(Process):
    """Its server, asked through its socket; the server is what is measured."""

    def __init__(self, directory, state, asked):
        state.mkdir(exist_ok=True)
        for old in state.iterdir():
            old.unlink()
        super().__init__(["watchman", "--foreground", f"--sockname={state}/sock", f"--statefile={state}/state",
                          f"--logfile={state}/log", f"--pidfile={state}/pid"])
        self.client = self.connect(state / "sock")
        self.answers = self.client.makefile("rb")
        # One after the other: a request that comes before the answer to the last is not heard.
        for command in [["watch", str(directory)], *asked]:
            self.client.sendall(json.dumps(command).encode() + b"\n")
            self.hear(self.answers.readline())
        threading.Thread(target=self.listen, daemon=True).start()

    @staticmethod
    def connect(path):
        end = time.monotonic() + PATIENCE
        while True:
            try:
                client = socket.socket(socket.AF_UNIX)
                client.connect(str(path))
                return client
            except OSError:
                if time.monotonic() > end:
                    raise Failed("the server does not start")
                time.sleep(0.002)

    def listen(self):
        for line in self.answers:
            self.hear(line)

    def hear(self, line):
        for name in json.loads(line).get("files", []):
            self.say(name.encode())


class Tool:
    """A program on PATH, and how it is started for each kind of work."""

    # The word by which it says that it watches, if it has one.
    ready = None
    # What its help or version text is asked with.
    version_flag = "--version"

    def __init__(self, name, program=None):
        self.name, self.program = name, program or name

    def is_there(self):
        return shutil.which(self.program) is not None

    def version(self):
        out = subprocess.run([self.program, self.version_flag], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        found = re.search(r"\d+(\.\d+)+", out.stdout + out.stderr)
        return found.group() if found else ""

    def watch(self, directory, work):
        """Prints a line for each change below the directory. None if it cannot."""

    def tell(self, directory, work):
        """The same, as people have this tool tell of files."""
        return self.watch(directory, work)

    def react(self, directory, command, work):
        """Runs the command at each change, without debouncing. None if it cannot."""

    def batch(self, directory, work):
        """Runs `work list` 100 ms after the last change, with the changed paths as its input. None if it cannot."""


class Limit(Tool):
    ready = b"ready"

    def __init__(self, name, mode, work):
        super().__init__(name, str(work / "bin/limit"))
        self.mode = mode

    def version(self):
        return ""

    def watch(self, directory, work):
        return Process([self.program, self.mode, directory])

    def react(self, directory, command, work):
        if self.mode == "crawl":
            return Process([self.program, "save", directory, command])


class Tripline(Tool):
    ready = b"ready"

    def __init__(self):
        super().__init__("tripline", TRIPLINE)

    def watch(self, directory, work):
        return Process([TRIPLINE, "watch", "--on", EVENTS, directory])

    def tell(self, directory, work):
        # `watch` shows directories, too: a line for each that a renamed one holds.
        return self.rules(work, directory, '[rules.tell]\npaths = ["**"]\ndebounce = "0ms"\nmay_loop = true\n'
                          'stdin = "lines"\nrun = ["cat"]\n')

    def react(self, directory, command, work):
        # Saves that follow each run at once, a hundred times, would be taken for its own.
        return self.rules(work, directory, '[rules.react]\npaths = ["**"]\ndebounce = "0ms"\nmay_loop = true\n'
                          f'run = ["{command}"]\n')

    def batch(self, directory, work):
        return self.rules(work, directory, f'''
[rules.list]
paths = ["**"]
ignore = [".git"]
debounce = "100ms"
stdin = "lines"
run = ["{work}/bin/work", "list"]
''')

    def rules(self, work, root, text):
        (work / "rules").mkdir(exist_ok=True)
        path = work / "rules/tripline.toml"
        path.write_text(f'[settings]\nroot = "{root}"\n{text}')
        return Process([TRIPLINE, "run", "-c", path])


class TriplineOfContents(Tripline):
    """tripline where nobody asks for the end of files: what their names are need not be known."""

    def __init__(self):
        super().__init__()
        self.name = "tripline on close_write"

    def watch(self, directory, work):
        return Process([TRIPLINE, "watch", "--on", "close_write", directory])

    tell = Tool.tell

    def rules(self, work, root, text):
        """Rules ask for what they ask for."""


class Inotifywait(Tool):
    ready = b"established"
    version_flag = "--help"

    def watch(self, directory, work):
        return Process(["inotifywait", "-m", "-r", "-e", EVENTS, "--format", "%w%f", directory])

    def react(self, directory, command, work):
        return Process(["sh", "-c", 'inotifywait -m -r -q -e close_write --format %w%f "$0" |'
                        ' while read -r path; do "$1"; done', directory, command])


class Fswatch(Tool):
    def watch(self, directory, work):
        # It reports what it does itself to the directories, unless told for which events.
        kinds = [word for kind in ("Created", "Updated", "Removed", "Renamed") for word in ("--event", kind)]
        return Process(["fswatch", "-r", "-l", "0.1", "--allow-overflow", *kinds, directory])


class Watchexec(Tool):
    def watch(self, directory, work):
        return Process(["watchexec", "-w", directory, "--ignore-nothing", "--only-emit-events",
                        "--emit-events-to=stdio", "--debounce=0"])

    def react(self, directory, command, work):
        return Process(["watchexec", "-w", directory, "--ignore-nothing", "--postpone", "--debounce=0", "--shell=none",
                        "--quiet", "--", command])

    def batch(self, directory, work):
        return Process(["watchexec", "-w", directory, "--postpone", "--debounce=100ms", "--emit-events-to=stdio",
                        "--shell=none", "--quiet", "--", f"{work}/bin/work", "list"])


class WatchmanTool(Tool):
    def watch(self, directory, work):
        return Watchman(directory, work / "watchman", [
            ["subscribe", directory, "all", {"fields": ["name"], "empty_on_fresh_instance": True}]])

    def batch(self, directory, work):
        config = Path(directory) / ".watchmanconfig"
        config.write_text('{"settle": 100}')
        return Watchman(directory, work / "watchman", [["trigger", directory, {
            "name": "list", "expression": ["not", ["dirname", ".git"]], "stdin": ["name"],
            "command": [f"{work}/bin/work", "list"]}]])


class Entr(Tool):
    """Watches the one file that it is given, as its manual shows."""

    def react(self, directory, command, work):
        return Process(["sh", "-c", 'find "$0" -name file | entr -n -p "$1"', directory, command])


class Reflex(Tool):
    version_flag = "--help"

    def watch(self, directory, work):
        return Process(["sh", "-c", 'cd "$0" && exec reflex -d none --all -r . -- echo {}', directory])

    def react(self, directory, command, work):
        return Process(["sh", "-c", 'cd "$0" && exec reflex -d none -r file -- "$1"', directory, command])


class Direvent(Tool):
    """Starts a command for each event: that is how it tells."""

    def watch(self, directory, work):
        return self.start(directory, work, "echo `pwd`/$file", "shell, stdout")

    def react(self, directory, command, work):
        return self.start(directory, work, command, "nowait")

    def start(self, directory, work, command, options):
        path = work / "direvent.conf"
        path.write_text(f'watcher {{ path "{directory}" recursive; event (create, write, delete);'
                        f' command "{command}"; option ({options}); }}')
        return Process(["direvent", "-f", "-l", "info", path])


class Watchfiles(Tool):
    def watch(self, directory, work):
        python = Path(shutil.which("watchfiles")).resolve().parent / "python3"
        return Process([python, "-u", "-c", "import sys, watchfiles\n"
                        "for changes in watchfiles.watch(sys.argv[1], watch_filter=None, debounce=1, step=1):\n"
                        "    for _, path in changes: print(path)", directory])

    def react(self, directory, command, work):
        return Process(["watchfiles", "--filter", "all", command, directory])


class Chokidar(Tool):
    def watch(self, directory, work):
        return Process(["chokidar", directory, "-t", "0", "-d", "0"])

    def react(self, directory, command, work):
        return Process(["chokidar", directory, "-t", "0", "-d", "0", "--silent", "-c", command])


def every(work):
    """Those that are there, the ones that do nothing but the system calls first."""
    tools = [
        Limit("limit", "crawl", work), Limit("limit with leaf trick", "leaf", work),
        Limit("limit with leaf trick in one thread", "leaf1", work), Tripline(),
        TriplineOfContents(),
        Inotifywait("inotifywait"), Fswatch("fswatch"), Entr("entr"), Reflex("reflex"), Direvent("direvent"),
        Watchexec("watchexec"), WatchmanTool("watchman"), Watchfiles("watchfiles"), Chokidar("chokidar"),
    ]
    return [tool for tool in tools if tool.is_there()]
