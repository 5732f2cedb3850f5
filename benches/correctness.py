#!/usr/bin/env python3
"""What tripline and its peers report of the same operations, as a Markdown table.

    cargo build --profile dist
    benches/correctness.py > docs/comparison.md
    benches/correctness.py --show fswatch overflow

Each scenario is played to each tool that is on PATH, every time in a fresh directory: the tool is started with its
most suitable documented options, and when it has shown that it watches, files are changed. What must be reported
after each step, and what must not, is part of the scenario. Each is played twice; where the outcomes differ, both
stand in the table. Needs Linux and Python 3.9; some scenarios need root or user namespaces, and are left out without.
"""

import argparse
import base64
import concurrent.futures
import ctypes
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

TRIPLINE = os.environ.get("TRIPLINE", os.path.join(os.path.dirname(__file__), "../target/dist/tripline"))
LIMIT = 10.0  # Seconds that a report may take; none of the tools waits longer by design.
GRACE = 0.5  # Seconds in which a wrong path may still come once everything right has.
NOBODY = 65534
LIBC = ctypes.CDLL(None, use_errno=True)


# --- The tools -------------------------------------------------------------------------------------------------------


class Tool:
    """A running tool, and the paths that it has reported, each with the moment when it was read."""

    names_paths = True
    separator = b"\n"

    def __init__(self, root, scratch, wrap=(), user=None, exact=False):
        self.root, self.scratch, self.exact = root, scratch, exact
        self.seen, self.raw = [], []
        os.makedirs(scratch, exist_ok=True)
        if user is not None:
            os.chown(scratch, user, user)
        command = list(wrap) + self.command()
        self.process = subprocess.Popen(
            command,
            stdin=self.stdin(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            user=user,
            env={**os.environ, "HOME": scratch, "SHELL": "/bin/sh"},
        )
        for stream in (self.process.stdout, self.process.stderr):
            threading.Thread(target=self.read, args=(stream,), daemon=True).start()

    def stdin(self):
        return subprocess.DEVNULL

    def read(self, stream):
        rest = b""
        while chunk := os.read(stream.fileno(), 1 << 16):
            self.raw.append(chunk)
            if stream is self.process.stdout:
                rest = self.take(rest + chunk)

    def take(self, data):
        *records, rest = data.split(self.separator)
        for record in records:
            self.seen.extend((time.monotonic(), path) for path in self.paths(record))
        return rest

    def paths(self, record):
        return [record]

    def has_ended(self):
        return self.process.poll() is not None

    def signal(self, number):
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            pass

    def end(self):
        self.signal(signal.SIGKILL)
        self.process.wait()


class Tripline(Tool):
    name, program = "tripline", TRIPLINE

    def command(self):
        return [TRIPLINE, "watch", "--json", self.root]

    def paths(self, record):
        line = json.loads(record)
        exact = lambda key: base64.b64decode(line[key + "_bytes"]) if key + "_bytes" in line else line[key].encode()
        # For the old path of a rename there is a line of its own.
        return [exact("path")]

    @classmethod
    def version(cls):
        return said([TRIPLINE, "--version"]).split()[-1]


class Inotifywait(Tool):
    name, program = "inotifywait", "inotifywait"
    separator = b"\0"

    def command(self):
        return ["inotifywait", "-m", "-r", "--no-newline", "--format", "%w%f%0", self.root]

    @classmethod
    def version(cls):
        return said(["inotifywait", "--help"]).split()[1]


class Fswatch(Tool):
    name, program = "fswatch", "fswatch"
    separator = b"\0"

    def command(self):
        return ["fswatch", "-0", "-r", "-l", "0.1", "--allow-overflow", self.root]

    @classmethod
    def version(cls):
        return said(["fswatch", "--version"]).split()[1]


class Entr(Tool):
    """Runs a command and does not say for which path: only whether a run followed is known."""

    name, program = "entr", "entr"
    names_paths = False

    def command(self):
        # The loop is the manual's, for directories to which files are added. It refuses what it cannot read.
        loop = 'while sleep 0.1; do find "$0" -readable | entr -n -d -d echo run; done'
        return ["sh", "-c", loop, self.root]

    @classmethod
    def version(cls):
        return said(["entr"]).split()[1]


class Watchexec(Tool):
    name, program = "watchexec", "watchexec"

    def command(self):
        if self.exact:
            # Only the environment has the bytes of a name.
            self.separator = b"\0\0"
            mode = ["--emit-events-to=environment", "--on-busy-update=queue", "--quiet"]
            return ["watchexec", *mode, "--ignore-nothing", "-w", self.root, "--", "env -0; printf '\\0'"]
        return ["watchexec", "--only-emit-events", "--ignore-nothing", "-w", self.root]

    def paths(self, record):
        if self.exact:
            variables = dict(line.split(b"=", 1) for line in record.split(b"\0") if b"=" in line)
            common = variables.pop(b"WATCHEXEC_COMMON_PATH", b"")
            named = (text for key, text in variables.items() if key.startswith(b"WATCHEXEC_"))
            return [os.path.join(common, path.lstrip(b"/")) for text in named for path in text.split(b":")]
        try:
            tags = json.loads(record).get("tags", [])
        except ValueError:
            return []
        return [tag["absolute"].encode(errors="surrogateescape") for tag in tags if tag.get("kind") == "path"]

    @classmethod
    def version(cls):
        return said(["watchexec", "--version"]).split()[1]


class Watchman(Tool):
    """A server of its own, asked for a subscription in BSER, which has the bytes of a name."""

    name, program = "watchman", "watchman"

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        threading.Thread(target=self.try_to_subscribe, daemon=True).start()

    def command(self):
        at = self.scratch
        state = [f"--statefile={at}/state", f"--logfile={at}/log", f"--pidfile={at}/pid"]
        return ["watchman", "--foreground", f"--sockname={at}/sock", *state]

    def try_to_subscribe(self):
        try:
            self.subscribe()
        except OSError:
            pass  # The server has ended, which is its outcome.

    def subscribe(self):
        server = socket.socket(socket.AF_UNIX)
        while server.connect_ex(f"{self.scratch}/sock"):
            if self.has_ended():
                return
            time.sleep(0.05)
        real = os.path.realpath(self.root)
        wanted = {"fields": ["name"], "empty_on_fresh_instance": True}
        # One after the other: a request that comes before the answer to the last is not heard.
        for request in (["watch", real], ["subscribe", real, "s", wanted]):
            body, data = to_bser(request), b""
            server.sendall(b"\0\1" + to_bser(len(body)) + body)
            while chunk := server.recv(1 << 16):
                self.raw.append(chunk)
                data = self.responses(data + chunk)
                if request[0] == "watch" and not data:
                    break

    def responses(self, data):
        while True:
            try:
                length, at = bser(data, 2)
                if len(data) < at + length:
                    return data
                response, at = bser(data, at)
            except (IndexError, struct.error):
                return data
            data = data[at:]
            for file in response.get(b"files", []):
                name = file if isinstance(file, bytes) else file[b"name"]
                self.seen.append((time.monotonic(), os.path.join(os.fsencode(self.root), name)))

    @classmethod
    def version(cls):
        return said(["watchman", "--version"]).strip()


def to_bser(value):
    """What a request is made of, in watchman's binary protocol."""
    if isinstance(value, bool):
        return b"\x08" if value else b"\x09"
    if isinstance(value, int):
        return b"\x05" + struct.pack("<i", value)
    if isinstance(value, str):
        return b"\x02" + to_bser(len(os.fsencode(value))) + os.fsencode(value)
    if isinstance(value, list):
        return b"\x00" + to_bser(len(value)) + b"".join(map(to_bser, value))
    return b"\x01" + to_bser(len(value)) + b"".join(to_bser(key) + to_bser(value[key]) for key in value)


def bser(data, at):
    """The value at an offset of a response, and where it ends."""
    kind, at = data[at], at + 1
    integers = {3: "<b", 4: "<h", 5: "<i", 6: "<q"}
    if kind in integers:
        return struct.unpack_from(integers[kind], data, at)[0], at + struct.calcsize(integers[kind])
    if kind == 7:
        return struct.unpack_from("<d", data, at)[0], at + 8
    if kind in (8, 9, 10):
        return {8: True, 9: False, 10: None}[kind], at
    if kind in (2, 13):
        length, at = bser(data, at)
        return data[at : at + length], at + length
    if kind == 0:
        length, at = bser(data, at)
        values = []
        for _ in range(length):
            value, at = bser(data, at)
            values.append(value)
        return values, at
    if kind == 1:
        length, at = bser(data, at)
        found = {}
        for _ in range(length):
            key, at = bser(data, at)
            found[key], at = bser(data, at)
        return found, at
    if kind == 11:
        keys, at = bser(data, at)
        length, at = bser(data, at)
        rows = []
        for _ in range(length):
            row = {}
            for key in keys:
                if data[at] == 12:
                    at += 1
                else:
                    row[key], at = bser(data, at)
            rows.append(row)
        return rows, at
    raise ValueError(f"no type of BSER: {kind}")


def said(command):
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL)
    return (done.stdout + done.stderr).decode(errors="replace")


TOOLS = [Tripline, Inotifywait, Fswatch, Entr, Watchexec, Watchman]


# --- The scenarios ---------------------------------------------------------------------------------------------------
#
# Each is a generator over a fresh directory. The first `yield` has the tool started; every later one waits for what it
# names to be reported since the one before it. `wrong` must not be reported.


class Want:
    def __init__(self, *paths, wrong=()):
        self.paths, self.wrong = [os.fsencode(path) for path in paths], [os.fsencode(path) for path in wrong]


def write(path, text="content"):
    with open(path, "a") as file:
        file.write(text)


def make(path):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    write(path)


class Scene:
    """Where a scenario takes place; the root is what the tool is given."""

    title = ""
    wrap, user, needs, exact = (), None, None, False
    times = 1

    def __init__(self, base):
        self.base, self.root = base, os.path.join(base, "root")
        os.mkdir(self.root)
        self.tool = None

    def at(self, *names):
        return os.path.join(self.root, *names)

    def outside(self, *names):
        return os.path.join(self.base, *names)


class Chain(Scene):
    title = "`mkdir -p a/b/c/d`, and a file in it at once"

    def play(self):
        yield
        files = [self.at(f"{number}/a/b/c/file") for number in range(50)]
        for file in files:
            make(file)
        yield Want(*files)


class DirectoryRenamed(Scene):
    title = "a directory is renamed, then a file in it is written"

    def play(self):
        make(self.at("old/deep/file"))
        yield
        os.rename(self.at("old"), self.at("new"))
        yield Want(self.at("new"))
        time.sleep(1)
        write(self.at("new/deep/file"))
        yield Want(self.at("new/deep/file"), wrong=[self.at("old/deep/file")])


class MovedIn(Scene):
    title = "a directory is moved in, then a file in it is written"

    def play(self):
        make(self.outside("other/deep/file"))
        yield
        os.rename(self.outside("other"), self.at("in"))
        yield Want(self.at("in"))
        time.sleep(1)
        write(self.at("in/deep/file"))
        yield Want(self.at("in/deep/file"))


class ArrivedFiles(Scene):
    title = "a directory is moved in: the files in it"

    def play(self):
        make(self.outside("other/deep/file"))
        yield
        os.rename(self.outside("other"), self.at("in"))
        yield Want(self.at("in/deep/file"))


class MovedOut(Scene):
    title = "a directory is moved out, then a file in it is written"

    def play(self):
        make(self.at("dir/deep/file"))
        yield
        os.rename(self.at("dir"), self.outside("away"))
        yield Want(self.at("dir"))
        time.sleep(1)
        write(self.outside("away/deep/file"))
        write(self.at("end"))
        yield Want(self.at("end"), wrong=[self.at("dir/deep/file")])


class RootRecreated(Scene):
    title = "the root is deleted and made again"
    # Played more often: some tools report it only now and then.
    times = 3

    def play(self):
        make(self.at("dir/file"))
        yield
        shutil.rmtree(self.root)
        time.sleep(1)
        yield Want()
        make(self.at("dir/file"))
        yield Want(self.at("dir/file"))
        write(self.at("dir/file"))
        yield Want(self.at("dir/file"))


class AncestorRenamed(Scene):
    title = "a directory above the root is renamed, and another put in its place"

    def play(self):
        self.root = self.outside("up/root")
        make(self.at("old"))
        make(self.outside("next/root/new"))
        yield
        os.rename(self.outside("up"), self.outside("away"))
        os.rename(self.outside("next"), self.outside("up"))
        time.sleep(1)
        write(self.outside("away/root/old"))
        write(self.at("new"))
        yield Want(self.at("new"), wrong=[self.at("old")])


class LinkRetargeted(Scene):
    title = "a symbolic link in the root's path gets another target"

    def play(self):
        for name in ("one", "two"):
            make(self.outside(name, "root", name))
        os.symlink("one", self.outside("current"))
        self.root = self.outside("current/root")
        yield
        os.symlink("two", self.outside("next"))
        os.rename(self.outside("next"), self.outside("current"))
        time.sleep(1)
        write(self.at("two"))
        yield Want(self.at("two"))


class Overflow(Scene):
    title = "the kernel's queue overflows while the tool is stopped"

    def play(self):
        make(self.at("busy/a"))
        make(self.at("dir/changed"))
        yield
        self.tool.signal(signal.SIGSTOP)
        a, b = self.at("busy/a"), self.at("busy/b")
        for _ in range(10_000):
            os.rename(a, b)
            os.rename(b, a)
        write(self.at("dir/changed"))
        make(self.at("new/deep/made"))
        self.tool.signal(signal.SIGCONT)
        yield Want(self.at("dir/changed"), self.at("new/deep/made"))
        write(self.at("new/deep/made"))
        yield Want(self.at("new/deep/made"))


class WatchLimit(Scene):
    title = "more directories than `max_user_watches` allows"
    needs = "namespaces"
    wrap = ("unshare", "-Ur", "sh", "-c", 'echo 20 > /proc/sys/user/max_inotify_watches; exec "$@"', "sh")

    def play(self):
        files = [self.at(f"{number}/sub/file") for number in range(40)]
        for file in files:
            make(file)
        yield
        for file in files:
            write(file)
        yield Want(*files)


class AtomicReplace(Scene):
    title = "a file is replaced by a rename, twice"

    def play(self):
        make(self.at("file"))
        yield
        for number in range(2):
            write(self.at(f".tmp{number}"))
            os.rename(self.at(f".tmp{number}"), self.at("file"))
            yield Want(self.at("file"))


class HardLink(Scene):
    title = "a file is linked in, made elsewhere"

    def play(self):
        make(self.outside("file"))
        make(self.at("dir/other"))
        yield
        os.link(self.outside("file"), self.at("dir/linked"))
        yield Want(self.at("dir/linked"))


class LongPath(Scene):
    title = "a path longer than `PATH_MAX`"

    def play(self):
        names = [f"{number:0250}" for number in range(20)]
        here = os.open(self.root, os.O_RDONLY)
        for name in names:
            os.mkdir(name, dir_fd=here)
            here = os.open(name, os.O_RDONLY, dir_fd=here)
        yield
        os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=here))
        yield Want(self.at(*names, "file"))


class HostileNames(Scene):
    title = "names with a line feed, a quote, and bytes that are not UTF-8"
    exact = True

    def play(self):
        yield
        names = [b"a\nb", b"\"'$(x)", b"\xff\xfe", b"-rf"]
        root = os.fsencode(self.root)
        for name in names:
            write(os.path.join(root, name))
        yield Want(*(os.path.join(root, name) for name in names))


class MountOver(Scene):
    title = "something is mounted over a watched directory"
    needs = "namespaces"
    wrap = ("unshare", "-Urm")

    def play(self):
        make(self.at("dir/file"))
        yield
        inside = ["nsenter", "-t", str(self.tool.process.pid), "-U", "-m", "--preserve-credentials", "sh", "-ec"]
        run = lambda script: subprocess.run([*inside, script, "sh", self.at("dir")], check=True)
        run('mount -t tmpfs none "$1"; mkdir "$1/sub"; echo > "$1/sub/new"')
        yield Want(self.at("dir/sub/new"))
        run('echo more > "$1/sub/new"')
        yield Want(self.at("dir/sub/new"))


class Unreadable(Scene):
    title = "an unreadable directory becomes readable"
    needs = "root"
    user = NOBODY

    def play(self):
        os.chmod(self.base, 0o755)
        make(self.at("closed/file"))
        os.chmod(self.at("closed"), 0)
        yield
        os.chmod(self.at("closed"), 0o755)
        time.sleep(1)
        write(self.at("closed/file"))
        yield Want(self.at("closed/file"))


class Exchange(Scene):
    title = "`RENAME_EXCHANGE` of two directories, then a file in each is written"

    def play(self):
        make(self.at("a/one"))
        make(self.at("b/two"))
        yield
        names = [os.fsencode(self.at(name)) for name in ("a", "b")]
        at_fdcwd, rename_exchange = -100, 2
        assert LIBC.renameat2(at_fdcwd, names[0], at_fdcwd, names[1], rename_exchange) == 0
        yield Want(self.at("a"), self.at("b"))
        time.sleep(1)
        write(self.at("a/two"))
        write(self.at("b/one"))
        yield Want(self.at("a/two"), self.at("b/one"), wrong=[self.at("a/one"), self.at("b/two")])


SCENES = [
    Chain,
    DirectoryRenamed,
    MovedIn,
    ArrivedFiles,
    MovedOut,
    Exchange,
    RootRecreated,
    AncestorRenamed,
    LinkRetargeted,
    Overflow,
    WatchLimit,
    AtomicReplace,
    HardLink,
    LongPath,
    HostileNames,
    MountOver,
    Unreadable,
]


# --- The play --------------------------------------------------------------------------------------------------------


def can(need):
    if need == "root":
        return os.geteuid() == 0
    if need == "namespaces":
        return subprocess.run(["unshare", "-Urm", "true"], capture_output=True).returncode == 0
    return True


def wait_until(condition, limit):
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return condition()


def is_awake(scene):
    """Whether the tool has shown that it watches: it reports a file that is changed again and again."""
    probe = scene.at("probe")
    for _ in range(40):
        before = len(scene.tool.seen)
        write(probe)
        if wait_until(lambda: len(scene.tool.seen) > before or scene.tool.has_ended(), 0.5):
            break
    # What it reports of the start is to be over.
    time.sleep(1.5)
    return bool(scene.tool.seen) and not scene.tool.has_ended()


def lacking(tool, want, since):
    seen = {path for at, path in tool.seen if at >= since}
    if not tool.names_paths:
        return [] if seen else want.paths
    return [path for path in want.paths if path not in seen]


def outcome(scene_of, tool_of, show=False):
    base = tempfile.mkdtemp(prefix="correctness-")
    try:
        scene = scene_of(base)
        steps = scene.play()
        next(steps)
        if scene.user is not None:
            write(scene.at("probe"))
        scratch = os.path.join(base, "scratch")
        scene.tool = tool_of(scene.root, scratch, wrap=scene.wrap, user=scene.user, exact=scene.exact)
        try:
            return perform(scene, steps, show)
        finally:
            scene.tool.end()
    finally:
        subprocess.run(["rm", "-rf", base])


def perform(scene, steps, show):
    tool = scene.tool
    if not is_awake(scene):
        report(show, f"it never reported anything: {b''.join(tool.raw)[:1000]}")
        return "does not start"
    mark = time.monotonic()
    for want in steps:
        done = time.monotonic() if not tool.names_paths else mark
        wait_until(lambda: not lacking(tool, want, done) or tool.has_ended(), LIMIT)
        time.sleep(GRACE)
        wrong = [path for at, path in tool.seen if at >= mark and path in want.wrong]
        report(show, f"\nwanted {want.paths}, not {want.wrong}")
        report(show, f"lacking {lacking(tool, want, done)}, wrong {wrong}; seen:")
        for at, path in tool.seen:
            if at >= mark:
                report(show, f"  {at - mark:6.2f} s  {path[-100:]}")
        if wrong:
            return "wrong path"
        if lacking(tool, want, done):
            return "stopped" if tool.has_ended() else "missed"
        mark = time.monotonic()
    return "ok"


def report(show, line):
    if show:
        print(line, flush=True)


def table(scenes, tools, times):
    head = ["", *(f"{tool.name} {tool.version()}" for tool in tools)]
    yield "| " + " | ".join(head) + " |"
    yield "|---" * len(head) + "|"
    for scene in scenes:
        with concurrent.futures.ThreadPoolExecutor(len(tools)) as pool:
            jobs = [[pool.submit(outcome, scene, tool) for _ in range(times * scene.times)] for tool in tools]
        cells = [list(dict.fromkeys(job.result() for job in played)) for played in jobs]
        print(scene.title, cells, file=sys.stderr)
        yield "| " + " | ".join([scene.title, *(", ".join(cell) for cell in cells)]) + " |"


PAGE = """\
# What is reported, by which tool

Written by [benches/correctness.py](../benches/correctness.py), which anyone can run; a tool that is not installed is
left out. Linux {kernel}, {date}, a file system of type {fs}.

{table}

- **ok**: everything that the scenario changed was reported under its right path within {limit:.0f} s.
- **missed**: something was not. **wrong path**: something was reported under a path where it was not.
- **stopped**: the tool had ended. **does not start**: it had ended, or reported nothing, before the first step.
- Each scenario was played twice, that of the root made again six times; two outcomes stand where they differed. Other versions may do otherwise.

entr runs a command and does not tell for which path: ok means that a run began after the change. Its list of
files is read anew whenever it ends, in the loop of its manual. watchexec was asked for its events
(`--only-emit-events --ignore-nothing`), watchman for a subscription, the others for their output; the options stand in
the script. In the scenario of `max_user_watches` 20 watches are allowed for 81 directories, and tripline looks through
the others every two seconds. In the one of the overflow a tool is stopped with SIGSTOP for 20,000 renames.
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--show", nargs=2, metavar=("TOOL", "SCENARIO"), help="play one, and print what was seen")
    parser.add_argument("--times", type=int, default=2)
    options = parser.parse_args()
    tools = [tool for tool in TOOLS if shutil.which(tool.program)]
    if options.show:
        tool = next(tool for tool in tools if tool.name == options.show[0])
        scene = next(scene for scene in SCENES if scene.__name__.lower() == options.show[1].lower())
        print(scene.title, "-", outcome(scene, tool, show=True))
        return
    scenes = [scene for scene in SCENES if can(scene.needs)]
    kernel = os.uname().release.split("-")[0]
    fs = said(["stat", "-f", "-c", "%T", tempfile.gettempdir()]).strip()
    lines = "\n".join(table(scenes, tools, options.times))
    print(PAGE.format(kernel=kernel, date=time.strftime("%Y-%m-%d"), fs=fs, table=lines, limit=LIMIT), end="")


if __name__ == "__main__":
    main()
