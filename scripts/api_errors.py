"""Find the errors that a route of the API may answer, by reading what its function calls.

Calls are followed by the types of what they are called on: parameters, attributes, what functions
return. An error counts where it is raised, or where a docstring says "Raises", unless a caller
catches it. What is called through a plug-in's interface is not seen.
"""

import ast
import functools
import inspect
import re
import textwrap
import types
import typing
from collections.abc import Callable, Iterator
from typing import Any

from fastapi.dependencies.models import Dependant

from mediamill.core import errors
from mediamill.core.errors import ConditionFailed, MediamillError
from mediamill.web.security import identified

SAID = re.compile(r"[Rr]aises?\b[^.]*")
"""Where a docstring tells of errors."""
Found = frozenset[type[MediamillError]]
PACKAGE = "mediamill"


def errors_of(dependant: Dependant) -> Found:
    """Return what a route may raise, by itself or by what it depends on.

    Telling who asks is left out: what that raises is the same for all who sign in.
    """
    found: Found = raised(dependant.call) if dependant.call else frozenset()
    for one in dependant.dependencies:
        found |= frozenset() if one.call is identified else errors_of(one)
    return found


def raised(call: Any, owner: type | None = None) -> Found:
    """Return what a function, or a method of `owner`, may raise."""
    call = inspect.unwrap(getattr(call, "__func__", call))
    if not isinstance(call, types.FunctionType) or not call.__module__.startswith(PACKAGE):
        return frozenset()
    if not _written(call):
        return frozenset()
    return _raised(call, owner)


_BUSY: set[tuple[types.FunctionType, type | None]] = set()


@functools.cache
def _raised(call: types.FunctionType, owner: type | None) -> Found:
    if (call, owner) in _BUSY:
        return frozenset()
    _BUSY.add((call, owner))
    try:
        reader = Reader(call, owner)
        return reader.found(reader.tree.body) | reader.told()
    finally:
        _BUSY.discard((call, owner))


@functools.cache
def _tree(call: types.FunctionType) -> ast.FunctionDef | ast.AsyncFunctionDef:
    parts = ast.walk(ast.parse(textwrap.dedent(inspect.getsource(call))))
    return next(part for part in parts if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef))


@functools.cache
def _hints(what: Any) -> dict[str, Any]:
    try:
        return typing.get_type_hints(what)
    except (NameError, TypeError, AttributeError):
        return {}  # names that only a type checker imports


def _class(hint: Any) -> type | None:
    """Return the class that a hint names, of several the first of ours."""
    if isinstance(hint, type) and not typing.get_origin(hint):
        return hint
    parts = typing.get_args(hint)
    if typing.get_origin(hint) in (typing.Union, types.UnionType, typing.Annotated):
        classes = [_class(part) for part in parts if part is not type(None)]
        return next((one for one in classes if one), None)
    origin = typing.get_origin(hint)
    return origin if isinstance(origin, type) else None


@functools.cache
def _attribute(owner: type, name: str) -> Any:
    """Return a method of a class, or the class of an attribute."""
    made = inspect.getattr_static(owner, name, None)
    if isinstance(made, property) and made.fget:
        return _class(_hints(made.fget).get("return"))
    if isinstance(made, functools.cached_property):
        return _class(_hints(made.func).get("return"))
    if isinstance(made, classmethod | staticmethod):
        return made.__func__
    if isinstance(made, types.FunctionType):
        return made
    if name in (hints := _hints(owner)):
        return _class(hints[name])
    return _set(owner).get(name, lambda: None)()


@functools.cache
def _set(owner: type) -> dict[str, Callable[[], Any]]:
    """Return how to find the class of what the methods of a class set, by attribute."""
    found: dict[str, Callable[[], Any]] = {}
    ours = [base for base in owner.__mro__ if base.__module__.startswith(PACKAGE)]
    for made in (made for base in ours for made in vars(base).values()):
        if isinstance(made, types.FunctionType) and _written(made):
            reader = Reader(made, owner)
            for target, value in reader.assigned():
                if isinstance(target, ast.Attribute):
                    found.setdefault(target.attr, functools.partial(reader.kind, value))
    return found


@functools.cache
def _written(call: types.FunctionType) -> bool:
    """Return whether a function stands in a file, as those that `dataclass` makes do not."""
    try:
        return call.__name__ != "<lambda>" and bool(inspect.getsource(call))
    except OSError:
        return False


class Reader:
    """Reads one function, with what is known of the names in it."""

    def __init__(self, call: types.FunctionType, owner: type | None) -> None:
        self.call, self.owner, self.tree = call, owner, _tree(call)
        hints = _hints(call)
        self.known: dict[str, Any] = {name: _class(hint) for name, hint in hints.items()}
        arguments = self.tree.args.args
        if owner and arguments:
            self.known[arguments[0].arg] = owner
        self.later = {
            target.id: value
            for target, value in self.assigned()
            if isinstance(target, ast.Name) and target.id not in self.known
        }

    def assigned(self) -> Iterator[tuple[ast.expr, ast.expr]]:
        """Yield what is set to what."""
        for node in ast.walk(self.tree):
            match node:
                case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)):
                    yield from zip(names, values, strict=False)
                case ast.Assign(targets=targets, value=value):
                    yield from ((target, value) for target in targets)
                case ast.AnnAssign(target=target, value=ast.expr() as value):
                    yield target, value
                case ast.withitem(context_expr=value, optional_vars=ast.expr() as target):
                    yield target, value

    def kind(self, node: ast.expr) -> Any:
        """Return the class of what an expression gives."""
        found: Any = None
        match node:
            case ast.Await(value=value):
                found = self.kind(value)
            case ast.BoolOp(values=values):
                found = next((one for value in values if (one := self.kind(value))), None)
            case ast.IfExp(body=body, orelse=other):
                found = self.kind(body) or self.kind(other)
            case ast.Call():
                found = self._given(node)
            case ast.Name(id=name) if name in self.later or name in self.known:
                if name in self.later:
                    self.known[name] = self.kind(self.later.pop(name))
                found = self.known[name]
            case ast.Attribute() | ast.Name():
                found, _ = self.called(node)
        return found if isinstance(found, type) else None

    def _given(self, node: ast.Call) -> Any:
        called, owner = self.called(node.func)
        if isinstance(called, type) or called is None:
            return called
        hint = _hints(called).get("return")
        return owner if hint is typing.Self else _class(hint)

    def called(self, node: ast.expr) -> tuple[Any, type | None]:
        """Return the function or class that an expression names, and whose method it is."""
        match node:
            case ast.Name(id=name):
                return self.call.__globals__.get(name), None
            case ast.Attribute(value=ast.Name(id=name), attr=attr) if isinstance(
                module := self.call.__globals__.get(name), types.ModuleType
            ):
                return getattr(module, attr, None), None
            case ast.Attribute(value=ast.Call(func=ast.Name(id="super")), attr=attr) if self.owner:
                for base in self.owner.__mro__[1:]:
                    if attr in vars(base):
                        return vars(base)[attr], self.owner
            case ast.Attribute(value=value, attr=attr):
                owner = self.kind(value)
                if isinstance(owner, type):
                    return _attribute(owner, attr), owner
                if isinstance(value, ast.Name):
                    named = self.call.__globals__.get(value.id)
                    if isinstance(named, type):
                        return _attribute(named, attr), named
        return None, None

    def found(self, part: list[Any]) -> Found:
        """Return what statements or expressions may raise."""
        every: Found = frozenset()
        for node in part:
            every |= self._of(node)
        return every

    def _of(self, node: ast.AST) -> Found:
        match node:
            case ast.Try():
                inner = self.found(node.body)
                for handler in node.handlers:
                    again = any(isinstance(x, ast.Raise) and not x.exc for x in ast.walk(handler))
                    caught = () if again else tuple(self._caught(handler.type))
                    inner = frozenset(one for one in inner if not issubclass(one, caught))
                rest = [*node.handlers, *node.orelse, *node.finalbody]
                return inner | self.found(rest)
            case ast.Raise(exc=ast.expr() as error):
                return self._errors(error) | self.found([*ast.iter_child_nodes(error)])
            case ast.Call():
                called, owner = self.called(node.func)
                inner = self.found([*ast.iter_child_nodes(node)])
                for given in node.args:  # such as what a child process is to run
                    if isinstance(given, ast.Name | ast.Attribute):
                        inner |= raised(*self.called(given))
                if isinstance(called, type):
                    start = getattr(called, "__post_init__", None)
                    return inner | raised(start, called)
                return inner | raised(called, owner)
        return self.found([*ast.iter_child_nodes(node)])

    def _caught(self, node: ast.expr | None) -> Iterator[type]:
        if node is None:
            yield MediamillError
            return
        for one in node.elts if isinstance(node, ast.Tuple) else [node]:
            found, _ = self.called(one)
            if isinstance(found, type):
                yield found

    def _errors(self, node: ast.expr) -> Found:
        if isinstance(node, ast.IfExp):
            return self._errors(node.body) | self._errors(node.orelse)
        found = self.kind(node)
        if isinstance(found, type) and issubclass(found, MediamillError):
            return frozenset({found})
        return frozenset()

    def told(self) -> Found:
        """Return what the docstring says is raised."""
        words = " ".join(SAID.findall(ast.get_docstring(self.tree) or ""))
        named = (getattr(errors, name, None) for name in re.findall(r"`(\w+)`", words))
        return frozenset(
            one for one in named if isinstance(one, type) and issubclass(one, MediamillError)
        )


def codes_of(dependant: Dependant) -> list[str]:
    """Return the codes of what a route may raise."""
    return sorted({one.code for one in errors_of(dependant) - {ConditionFailed, MediamillError}})
