"""Counts lines and characters of the twins and of the specifications in examples/, and writes the table.

    python count.py           # the table, as Markdown
    python count.py --json    # the same numbers

A line counts if something is left of it without comments; docstrings and imports do not count, in Tilde there are neither. Characters are
those of the lines that count, blanks left out. Lines of a list of data that hold only numbers do not count. Python is formatted by black at
100 columns, Tilde by `tilde fmt`.

- specification: all of examples/NAME.tilde, with its data, metrics and pictures
- model: NAME_model.py, the model and its training loop alone
- program: NAME_full.py, the model without that loop, and what programs share, program.py and points.py where it is used: with data, metrics,
  log, checkpoints, resuming and pictures
- own part: the program without what programs share
"""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
EXAMPLES = HERE.parents[1] / "examples"
NAMES = sorted(path.stem.removesuffix("_model") for path in HERE.glob("*_model.py"))


def python_lines(path, without=()):
    """Without comments, docstrings, imports and the functions named."""
    body = ast.parse(path.read_text()).body
    kept = [
        node
        for node in body
        if not isinstance(node, ast.Import | ast.ImportFrom)
        and getattr(node, "name", None) not in without
    ]
    tree = ast.Module([drop_docstrings(node) for node in kept if not is_string(node)], [])
    # What `unparse` prints has neither comments nor blank lines; black folds it as it folded the file.
    return formatted(ast.unparse(ast.fix_missing_locations(tree)))


def is_string(node):
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def drop_docstrings(node):
    for inner in ast.walk(node):
        if isinstance(inner, ast.FunctionDef | ast.ClassDef) and is_string(inner.body[0]):
            inner.body = inner.body[1:] or [ast.Pass()]
    return node


def formatted(text):
    command = [sys.executable, "-m", "black", "--quiet", "--line-length", "100", "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if line.strip()]


def tilde_lines(path):
    """Without comments and without the lines of a list of data that hold only numbers."""
    lines = [line.split("//")[0].rstrip() for line in path.read_text().splitlines()]
    return [line for line in lines if line and not re.fullmatch(r"[-\d.,\s\[\]]+", line)]


def size(lines):
    return {"lines": len(lines), "characters": sum(len("".join(line.split())) for line in lines)}


def twin(name):
    model, full = HERE / f"{name}_model.py", HERE / f"{name}_full.py"
    shared = [HERE / "program.py", HERE / "points.py"]
    used = [path for path in shared if f"from {path.stem} import" in full.read_text()]
    own = python_lines(full) + python_lines(model, without=("train",))
    sizes = {
        "model": size(python_lines(model)),
        "own part": size(own),
        "program": size(own + [line for path in used for line in python_lines(path)]),
    }
    specification = EXAMPLES / f"{name}.tilde"
    if specification.exists():
        sizes = {"specification": size(tilde_lines(specification))} | sizes
    return sizes


def ratio(sizes, part):
    """In percent of lines: the specification of this part."""
    return f"{100 * sizes['specification']['lines'] / sizes[part]['lines']:.0f} %"


def row(name, sizes):
    cell = lambda part: (
        f"{sizes[part]['lines']} ({sizes[part]['characters']:,})" if part in sizes else ""
    )
    shares = (
        [ratio(sizes, part) for part in ("model", "program")]
        if "specification" in sizes
        else ["", ""]
    )
    parts = [cell(part) for part in ("specification", "model", "own part", "program")]
    return f"| `{name}` | {' | '.join(parts + shares)} |"


def main():
    twins = {name: twin(name) for name in NAMES}
    if "--json" in sys.argv:
        print(json.dumps(twins, indent=1))
        return
    print(
        "| lines (characters) | specification | model and training | program, own part | program | of the model | of the program |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- |")
    print("\n".join(row(name, sizes) for name, sizes in twins.items()))


if __name__ == "__main__":
    main()
