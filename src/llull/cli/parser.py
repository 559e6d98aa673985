"""A command's options and configuration file, both read off the signature of its function."""

from __future__ import annotations

import difflib
import importlib
import inspect
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, NoReturn, get_args, get_origin, get_type_hints

import yaml
from jsonargparse import ArgumentParser, Namespace

_UNKNOWN = (
    re.compile(r"[Uu]nrecognized arguments: --([\w.\-]+)"),
    re.compile(r"does not accept (?:option|nested key|key) '([\w.\-]+)'"),
    re.compile(r"(?:[Oo]ption|[Kk]ey) '([\w.\-]+)' is not (?:accepted|expected)"),
)

_command: ContextVar[str] = ContextVar("command", default="")


def parse(function: Callable[..., Any], name: str, argv: Sequence[str]) -> dict[str, Any]:
    """Turn command-line words into the keyword arguments of a function.

    Parameters without a default are positional; a list takes all the words that are left. Every parameter, and
    every parameter of a class that one of them is, is an option (``--model.l2 0.1``) and a key of the YAML file
    that ``--config`` names; ``--print_config`` prints the whole configuration.

    Ends the program with status 2 and one line on what is wrong, with the nearest known name, if the words do not fit.
    """
    parser, chosen = _choose(function, name, argv)
    return dict(parser.instantiate(chosen).items())


def resolved(function: Callable[..., Any], name: str, argv: Sequence[str]) -> str:
    """The whole configuration behind these words, as YAML that ``--config`` takes."""
    parser, chosen = _choose(function, name, argv)
    return parser.dump(chosen, skip_validation=True)


def command_parser(function: Callable[..., Any], name: str, positionals: Mapping[str, Any]) -> ArgumentParser:
    """The parser of one command.

    Args:
        function: what the command runs.
        name: of the command.
        positionals: values of parameters without a default, for when the words do not give them.
    """
    _command.set(name)
    parser = _OneLineParser(prog=f"llull {name}", description=_first_paragraph(function), allow_abbrev=False)
    parser.add_argument("--config", action="config", help="YAML file with any of the options below.")
    hints = get_type_hints(function)
    helps = _argument_helps(function)
    for parameter in _positionals(function):
        kind = hints[parameter.name]
        many = get_origin(kind) is list
        parser.add_argument(
            parameter.name,
            nargs="*" if many else "?",
            type=get_args(kind)[0] if many else kind,
            default=positionals.get(parameter.name, [] if many else None),
            help=helps.get(parameter.name),
        )
    parser.add_function_arguments(function, skip={parameter.name for parameter in _positionals(function)})
    return parser


def nearest(name: str, known: Sequence[str]) -> str:
    """Words for an error: the nearest known name, or all of them if none is near."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(known))}"


def _choose(function: Callable[..., Any], name: str, argv: Sequence[str]) -> tuple[ArgumentParser, Namespace]:
    configs, others = _config_files(_flags(function, _class_names(function, argv)))
    # A positional that is absent from the command line would hide the one from a configuration file.
    parser = command_parser(function, name, _from_config_files(configs))
    # Words are read in order, and the command line is to win over files.
    chosen = parser.parse_args([*(f"--config={path}" for path in configs), *others])
    for parameter in _positionals(function):
        if not chosen.get(parameter.name):
            parser.error(f"say which {parameter.name.upper()}")
    chosen.pop("config", None)
    return parser, chosen


def _class_names(function: Callable[..., Any], argv: Sequence[str]) -> list[str]:
    """The words, with names of classes as Python spells them: ``--objective apo-zero`` is ``--objective APOZero``."""
    words = list(argv)
    for name, kind in get_type_hints(function).items():
        known = [
            made.__name__ for one in (get_args(kind) or [kind]) if inspect.isclass(one) for made in _subclasses(one)
        ]
        spelled = {_plain(made): made for made in known}
        for at, word in enumerate(words):
            if word.startswith(f"--{name}="):
                value = word.removeprefix(f"--{name}=")
                words[at] = f"--{name}={spelled.get(_plain(value), value)}"
            elif at and words[at - 1] == f"--{name}":
                words[at] = spelled.get(_plain(word), word)
    return words


def _flags(function: Callable[..., Any], words: Sequence[str]) -> list[str]:
    """The words, with ``--strict`` alone as ``--strict=true``."""
    flags = {f"--{name}" for name, kind in get_type_hints(function).items() if kind is bool}
    behind = [*words[1:], "--"][: len(words)]
    return [
        f"{word}=true" if word in flags and after.startswith("--") else word
        for word, after in zip(words, behind, strict=True)
    ]


def _plain(name: str) -> str:
    return name.replace("-", "").replace("_", "").lower()


def _config_files(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """The files that ``--config`` names, and the other words."""
    configs, others = [], []
    words = iter(argv)
    for word in words:
        if word == "--config" and (path := next(words, None)) is not None:
            configs.append(path)
        elif word.startswith("--config="):
            configs.append(word.removeprefix("--config="))
        else:
            others.append(word)
    return configs, others


class _OneLineParser(ArgumentParser):
    """A parser whose complaints are one line and name what was probably meant."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        for pattern in _UNKNOWN:
            if found := pattern.search(message):
                known = sorted({key for action in self._actions for key in [action.dest] if key != "help"})
                said = f"there is no option {found[1]!r}; {nearest(found[1], known)}"
                break
        else:
            said = _shorten(message)
        # Parsers of nested classes are made by jsonargparse and do not know which command they serve.
        sys.stderr.write(f"llull {_command.get()}: {said} (llull {_command.get()} --help shows all options)\n")
        sys.exit(2)


def _shorten(message: str) -> str:
    key = re.search(r"Parser key \"([\w.]+)\"", message)
    given = re.search(r"Given value: (.*)", message)
    kinds = re.findall(r"<class '(llull\.[\w.]+)'>", message)
    if key and given and kinds and "dot import path" in message:
        names = [made.__name__ for kind in kinds for made in _subclasses(_imported(kind))]
        return f"--{key[1]} cannot be {given[1]!r}; {nearest(given[1], names)}"
    if key and given:
        expected = re.findall(r"Expected an? <class '([\w.]+)'>", message)
        expected = ["nothing (null)" if kind == "NoneType" else kind for kind in expected]
        wants = f"; it takes {' or '.join(expected)}" if expected else ""
        return f"--{key[1]} cannot be {given[1]!r}{wants}"
    return " ".join(message.split())


def _imported(path: str) -> type:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def _subclasses(kind: type) -> list[type]:
    return [found for made in kind.__subclasses__() for found in (made, *_subclasses(made))]


def _positionals(function: Callable[..., Any]) -> list[inspect.Parameter]:
    return [p for p in inspect.signature(function).parameters.values() if p.default is inspect.Parameter.empty]


def _from_config_files(paths: Sequence[str]) -> dict[str, Any]:
    """The top-level keys of configuration files, later ones first. Files that cannot be read are left to the parser."""
    found: dict[str, Any] = {}
    for path in paths:
        try:
            with open(path, encoding="utf-8") as stream:
                content = yaml.safe_load(stream)
        except (OSError, UnicodeDecodeError, yaml.YAMLError):
            continue
        found |= content if isinstance(content, dict) else {}
    return found


def _first_paragraph(function: Callable[..., Any]) -> str:
    return inspect.cleandoc(function.__doc__ or "").split("\n\nArgs:")[0]


def _argument_helps(function: Callable[..., Any]) -> dict[str, str]:
    from docstring_parser import parse as parse_docstring

    return {p.arg_name: p.description or "" for p in parse_docstring(function.__doc__ or "").params}
