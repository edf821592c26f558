#!/usr/bin/env python3
"""The table of values in the chart's README, from the comments of values.yaml.

    tests/chart/values_table.py            writes it
    tests/chart/values_table.py --check    fails when it is out of date, or when a key has no comment

The comment right above a key is its meaning. A key whose keys have comments of their own is a heading for them.
Needs PyYAML; `./test chart` runs it with the chart's other tests.
"""

import json
import pathlib
import re
import sys

import yaml

CHART = pathlib.Path(__file__).resolve().parents[2] / "charts/doorward"
BEGIN, END = "<!-- made from values.yaml by tests/chart/values_table.py -->", "<!-- end of the table -->"
LONGEST = 60


def comments(text):
    """Dotted path to comment, in the order of the file. Items of lists are not looked at."""
    found, path, pending = {}, [], []
    for line in text.splitlines():
        if comment := re.match(r"\s*# ?(.*)", line):
            pending.append(comment[1])
        elif key := re.match(r"( *)([\w.-]+):", line):
            path = path[: len(key[1]) // 2] + [key[2]]
            found[".".join(path)] = " ".join(pending).strip()
            pending = []
        else:
            pending = []
    return found


def at(values, path):
    for name in path.split("."):
        values = values[name]
    return values


def rows(text):
    """Path, default and comment of each value; a heading has the default `None`."""
    told, values = comments(text), yaml.safe_load(text)
    for path, comment in told.items():
        inner = [other for other in told if other.startswith(path + ".")]
        if any(told[other] for other in inner):
            yield path, None, comment
        elif comment or not any(path.startswith(other + ".") for other in told):
            yield path, json.dumps(at(values, path)), comment


def table(text):
    lines = ["| value | default | meaning |", "|---|---|---|"]
    for path, default, comment in rows(text):
        if not comment:
            raise SystemExit(f"values.yaml: {path} has no comment")
        shown = "" if default is None else f"`{default}`" if len(default) <= LONGEST else "see `values.yaml`"
        lines.append(f"| **`{path}`** | | {comment} |" if default is None else f"| `{path}` | {shown} | {comment.replace('|', chr(92) + '|')} |")
    return "\n".join(lines)


def with_table(readme, values):
    before, rest = readme.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n\n{table(values)}\n\n{END}{after}"


def main():
    file = CHART / "README.md"
    readme = file.read_text()
    wanted = with_table(readme, (CHART / "values.yaml").read_text())
    if "--check" in sys.argv and readme != wanted:
        raise SystemExit("charts/doorward/README.md: the table of values is out of date: run tests/chart/values_table.py")
    if readme != wanted:
        file.write_text(wanted)


if __name__ == "__main__":
    main()
