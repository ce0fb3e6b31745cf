"""A checkout of the original: whose it is, what its algorithms import, and which packages that takes.

Only what `algorithms.py` reaches through imports outside of functions is followed; imports inside functions are named in
a note, for they are needed only if the original gets there.
"""

import ast
import re
import subprocess
import sys
from pathlib import Path

# Where each of the two keeps its analyzer, below the checkout.
PLACES = {"earthgecko": "skyline", "etsy": "src"}
# What is asked for when the checkout does not pin it, or its pin does not install. Etsy's least squares relies on the
# old default of numpy's lstsq, and its detectors on what pandas 3 no longer does.
RANGES = {
    "numpy": "numpy>=1.24,<3",
    "pandas": "pandas>=1.5,<3",
    "scipy": "scipy>=1.10,<2",
    "statsmodels": "statsmodels>=0.14,<1",
    "msgpack": "msgpack>=1.0,<2",
    "redis": "redis>=4.0,<6",
    "numba": "numba>=0.58,<1",
}
ETSY_RANGES = {**RANGES, "numpy": "numpy>=1.24,<2", "pandas": "pandas>=1.5,<3"}
# What every analyzer of either kind needs.
MINIMAL = ["numpy", "pandas", "scipy", "statsmodels", "msgpack", "redis"]
# Where a module and its package are named differently.
PACKAGES = {
    "sklearn": "scikit-learn",
    "dateutil": "python-dateutil",
    "mysql": "mysql-connector-python",
    "yaml": "PyYAML",
    "slack_sdk": "slack-sdk",
    "pkg_resources": "setuptools",
}


class Unusable(Exception):
    """Not a checkout that can be measured, and why."""


class Checkout:
    def __init__(self, path):
        root = Path(path).expanduser().resolve()
        if not root.is_dir():
            raise Unusable(f"`{path}` is not a folder")
        looked = []
        for flavour, place in PLACES.items():
            algorithms = root / place / "analyzer" / "algorithms.py"
            looked.append(str(algorithms))
            if algorithms.is_file():
                self.root, self.flavour = root, flavour
                self.package, self.algorithms = root / place, algorithms
                break
        else:
            raise Unusable(
                "no analyzer in this checkout: neither `" + "` nor `".join(looked) + "` exists\n"
                "hint: PATH is the top folder of a clone of earthgecko's or etsy's skyline"
            )
        self.text = algorithms.read_text(encoding="utf-8", errors="replace")
        try:
            tree = ast.parse(self.text)
        except SyntaxError as error:
            raise Unusable(
                f"`{algorithms}` line {error.lineno} is not Python {sys.version_info.major}: {error.msg}\n"
                "hint: this script runs the original under Python 3 only"
            ) from None
        if not any(isinstance(node, ast.FunctionDef) and node.name == "run_selected_algorithm" for node in tree.body):
            raise Unusable(f"`{algorithms}` has no function `run_selected_algorithm`")
        self.settings = next(
            (one for one in (self.package / "settings.py", self.package / "settings.py.example") if one.is_file()), None
        )
        self.has_short_cut = flavour == "earthgecko" and "RUN_OPTIMIZED_WORKFLOW" in self.text

    def commit(self):
        """The checkout's own commit; a commit of whatever repository lies around it does not count."""
        if not (self.root / ".git").exists():
            return "unknown (no .git in it)"
        answer = subprocess.run(
            ["git", "-C", str(self.root), "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=False
        )
        return answer.stdout.strip() or "unknown"

    def imports(self):
        """Names of foreign modules that are needed at import, and those that only functions import."""
        needed, later = set(), set()
        waiting, seen = [self.algorithms], set()
        while waiting:
            file = waiting.pop()
            if file in seen:
                continue
            seen.add(file)
            try:
                tree = ast.parse(file.read_text(encoding="utf-8", errors="replace"))
            except SyntaxError:
                continue  # importing it will fail, and say so
            for module, inside in _imports(tree, False):
                local, found = self._local(module)
                if not local:
                    (later if inside else needed).add(module.split(".")[0])
                elif found and not inside:
                    waiting.append(found)
        own = {"settings", *sys.stdlib_module_names}
        return needed - own, later - own - needed

    def _local(self, module):
        """Whether a module is the checkout's own, and its file if it has one."""
        path = Path(*module.split("."))
        for base in (self.algorithms.parent, self.package, self.root):
            for file in (base / path.with_suffix(".py"), base / path / "__init__.py"):
                if file.is_file():
                    return True, file
            if any((base / path.parts[0]).glob("*.py")) or (base / f"{path.parts[0]}.py").is_file():
                return True, None
        return False, None

    def requirements(self):
        """Lines of the checkout's requirement files by normalised name; the first that names a package counts."""
        lines = {}
        files = sorted(self.root.glob("requirements*.txt")) + sorted(self.root.glob("requirements/*.txt"))
        for file in files:
            for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
                line = line.split("#")[0].strip()
                match = re.match(r"([A-Za-z0-9][A-Za-z0-9._-]*)", line)
                if match and "://" not in line:
                    lines.setdefault(normal(match.group(1)), line)
        return lines, files

    def packages(self, report):
        """What to install: for each package the lines to try, best first."""
        lines, files = self.requirements()
        ranges = ETSY_RANGES if self.flavour == "etsy" else RANGES
        if not files:
            report.note("the checkout has no requirements*.txt: its packages come in this script's own ranges")
        needed, later = self.imports()
        # The driver of the original's work reads Redis and unpacks by itself, as its analyzer.py does.
        names = {"redis", "msgpack"} | {normal(PACKAGES.get(module, module)) for module in needed}
        if not needed:
            names |= set(MINIMAL)
        plan = []
        for name in sorted(names):
            tries = [line for line in (lines.get(name), ranges.get(name)) if line]
            if name in lines and name not in ranges:
                tries.append(name)
            if tries:
                plan.append((name, list(dict.fromkeys(tries))))
            else:
                report.note(
                    f"`{name}` is imported, but neither the checkout's requirements nor this script know a package for it: "
                    "not installed"
                )
        if later:
            report.note("imported only inside functions, so not installed for it: " + ", ".join(sorted(later)))
        return plan


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def _imports(node, inside):
    """Every imported module below a node, and whether that is inside a function."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from ((alias.name, inside) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            if child.module and not child.level:
                yield child.module, inside
        else:
            yield from _imports(child, inside or isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)))
