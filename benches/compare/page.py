"""The page, its charts, and the summary in the README."""

import math
import os
import platform
import re
import sys
from pathlib import Path

from rows import ROWS, ms
from tools import TOP

DOCS = TOP / "docs"
PAGE = DOCS / "performance.md"


# The tools of the summary, and whose names stand over its columns.
SUMMARY = ["limit", "tripline", "inotifywait", "watchexec", "watchman"]


def tables(args, tools, results):
    """A table for each work, with a line for each tool that can do it."""
    return "\n\n".join(text for row in args.only if (text := table(ROWS[row], row, args, tools, results)))


def table(row, name, args, tools, results):
    found = [(tool, results[name, tool.name]) for tool in tools if (name, tool.name) in results]
    if not found:
        return ""
    titles = [title for title, _ in row.columns.values()]
    lines = [f"**{row.title(args)}**", "", "| | " + " | ".join(titles) + " |", "|---" * (len(titles) + 1) + "|"]
    for tool, value in found:
        if isinstance(value, str):
            cells = [f"fails: {value}", *[""] * (len(titles) - 1)]
        else:
            cells = [show(value[key]) for key, (_, show) in row.columns.items()]
        name = f"{tool.name} {tool.version()}".strip()
        lines.append("| " + " | ".join([f"**{name}**" if tool.name.startswith("tripline") else name, *cells]) + " |")
    return "\n".join(lines)


def summary(args, results):
    """A line for each work, with all that some tools have shown at it."""
    lines = ["| | " + " | ".join(SUMMARY) + " |", "|---" * (len(SUMMARY) + 1) + "|"]
    for name in args.only:
        row, values = ROWS[name], [results.get((name, tool)) for tool in SUMMARY]
        if any(values):
            what = ", ".join(title for title, _ in row.columns.values())
            lines.append(f"| {row.title(args)}: {what} | " + " | ".join(cell(row, value) for value in values) + " |")
    return "\n".join(lines)


def cell(row, value):
    if isinstance(value, str):
        return f"fails: {value}"
    return ", ".join(show(value[key]) for key, (_, show) in row.columns.items()) if value else ""


def bars(title, values):
    """Horizontal bars on a logarithmic scale: each a name, a number above 0 and how it is written."""
    low = min(math.log10(value) for _, value, _ in values) - 0.3
    high = max(math.log10(value) for _, value, _ in values)
    out = [head(760, 30 * len(values) + 40), f'<text x="10" y="18" font-weight="bold">{title}</text>']
    for number, (name, value, text) in enumerate(values):
        y = 30 * number + 30
        width = 360 * (math.log10(value) - low) / max(high - low, 0.1)
        fill = "#2a7" if name.startswith("tripline") else "#bbb" if name.startswith("limit") else "#789"
        out.append(f'<text x="250" y="{y + 15}" text-anchor="end">{name}</text>'
                   f'<rect x="260" y="{y}" width="{width:.0f}" height="20" fill="{fill}"/>'
                   f'<text x="{268 + width:.0f}" y="{y + 15}">{text}</text>')
    return "\n".join([*out, "</svg>", ""])


def head(width, height):
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" '
            f'font-size="13"><rect width="100%" height="100%" fill="white"/>')


# Of each line of the growth chart: its row, the value, its unit and its colour.
LINES = [
    ("setup", "seconds", "time to watch", ms, "#2a7"),
    ("setup", "pss", "memory", lambda v: f"{v:.1f} MB", "#27a"),
    ("remove", "cpu", "CPU to remove all", ms, "#a52"),
    ("rename", "cpu", "CPU to rename the one that holds all", ms, "#a27"),
    ("save", "median", "save to command", lambda v: f"{v:,.0f} µs", "#555"),
]


def growth(grown):
    """One panel a line, both axes logarithmic, the sizes as a common axis."""
    out = [head(760, 130 * len(LINES) + 20)]
    for number, (row, key, title, show, colour) in enumerate(LINES):
        points = [(size, value[key]) for (name, size), value in grown.items()
                  if name == row and isinstance(value, dict) and value[key] > 0]
        out += panel(130 * number, title, points, show, colour)
    return "\n".join([*out, "</svg>", ""])


def panel(top, title, points, show, colour):
    if not points:
        return []
    # Three decades of height whatever the values are, so that the slopes of the panels compare.
    low = min(math.log10(value) for _, value in points)
    at = [(140 + 240 * (math.log10(size) - 3), top + 110 - 30 * (math.log10(value) - low)) for size, value in points]
    out = [f'<text x="10" y="{top + 25}" font-weight="bold">{title}</text>',
           f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{" ".join(f"{x:.0f},{y:.0f}" for x, y in at)}"/>']
    for (x, y), (size, value) in zip(at, points):
        out.append(f'<circle cx="{x:.0f}" cy="{y:.0f}" r="3" fill="{colour}"/>'
                   f'<text x="{x:.0f}" y="{y - 8:.0f}" text-anchor="middle">{show(value)}</text>'
                   f'<text x="{x:.0f}" y="{top + 128}" text-anchor="middle" fill="#888" font-size="11">{size:,}</text>')
    return out


def growth_table(grown):
    lines = ["| directories | " + " | ".join(line[2] for line in LINES) + " |", "|---" * (len(LINES) + 1) + "|"]
    for size in sorted({size for _, size in grown if size}):
        cells = []
        for row, key, _, show, _ in LINES:
            value = grown.get((row, size))
            cells.append(value if isinstance(value, str) else show(value[key]) if value else "")
        lines.append(f"| {size:,} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def write(args, text, tools, results):
    if args.growth:
        put(PAGE, "growth", f"{machine(args)}\n\n{text}\n\n![at growing sizes](growth.svg)")
        (DOCS / "growth.svg").write_text(growth(results))
        return
    if args.again:
        put(PAGE, "again", f"{machine(args)}\n\n{text}")
        return
    put(PAGE, "measured", f"{machine(args)}\n\n{text}\n\n![until all directories answer](performance.svg)")
    put(TOP / "README.md", "measured", summary(args, results))
    found = [(tool.name, results.get(("setup", tool.name))) for tool in tools]
    values = [(name, value["seconds"], ms(value["seconds"])) for name, value in found if isinstance(value, dict)]
    if values:
        title = f"Until fifty of {args.dirs:,} directories, from all over, answer"
        (DOCS / "performance.svg").write_text(bars(title, values))


def put(page, block, text):
    """Takes the place of what stands between the page's marks of that name."""
    before, rest = page.read_text().split(f"<!-- {block} -->\n", 1)
    after = rest.split("<!-- end -->", 1)[1]
    page.write_text(f"{before}<!-- {block} -->\n\n{text}\n\n<!-- end -->{after}")


def machine(args):
    found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    model = found.group(1) if found else "of unknown kind"
    command = " ".join(["benches/compare/compare.py", *sys.argv[1:]])
    return (f"`{command}`, medians of {args.rounds} rounds; Linux {platform.release().split('-')[0]}, "
            f"{os.cpu_count()} processors ({model}).")
