"""Descriptions: frozen, validated values that name a network or a training and hold no arrays.

A description is a dataclass whose every field is one of four kinds:

    static   enters shapes or control flow: part of the signature (units, kernel, batch size)
    traced   only enters arithmetic: may differ between the members of a pool (rates, slopes, seeds)
    part     another description, or a tuple of them (the layers of a net, the loss of a recipe)
    label    a text that computes nothing, and is not part of the signature (a name)

It is also a JAX pytree: its leaves are the traced numbers, its treedef is everything else. So the
signature of a training is ``jax.tree.structure(recipe)``, the hyperparameters of K members are K
recipes with their leaves stacked, and inside a compiled program a recipe is simply a recipe whose
numbers are tracers. Nothing else is needed to train K different recipes in one program.

Descriptions go to and from JSON through a closed vocabulary: the class name is looked up in the
table of the classes defined here, never imported.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Self, TypeVar, dataclass_transform

import jax

from shoal.errors import RecipeError, did_you_mean
from shoal.functions import name_of
from shoal.rules import Open, Rule, allows, canonical

KINDS: dict[str, type["Description"]] = {}
"""The closed vocabulary: class name -> class."""

Converter = Callable[[Any], Any]
D = TypeVar("D", bound="Description")


def _field(role: str, default: Any, must: Rule, converter: Converter | None) -> Any:
    metadata = {"role": role, "must": must, "converter": converter}
    return dataclasses.field(default=default, metadata=metadata)


def static(
    *, must: Rule, default: Any = dataclasses.MISSING, converter: Converter | None = None
) -> Any:
    """A field that is part of the signature: changing it means another compiled program."""
    return _field("static", default, must, converter)


def traced(*, must: Rule, default: Any = dataclasses.MISSING) -> Any:
    """A number that only enters arithmetic: it may differ between members of a pool."""
    return _field("traced", default, must, None)


def part(
    *, must: Rule, default: Any = dataclasses.MISSING, converter: Converter | None = None
) -> Any:
    """A field that holds another description, a tuple of them, or None."""
    return _field("part", default, must, converter)


def label(*, must: Rule, default: str) -> Any:
    """A text that changes nothing that is computed."""
    return _field("label", default, must, None)


@dataclass_transform(frozen_default=True, field_specifiers=(static, traced, part, label))
class Description:
    """The base of everything that can be described. Subclasses declare fields and nothing else.

    A subclass may define its own ``__init__`` (for variable arguments) as long as it passes its
    fields to ``assign``; classes below it inherit it. Subclasses declared with
    ``abstract=True`` are interfaces, not words; those with ``word=False`` occur in programs only,
    never in JSON.
    """

    kind: ClassVar[str]
    takes_variable: ClassVar[bool] = False
    _open: ClassVar[bool] = False  # set on a description that holds something open

    def __init_subclass__(cls, abstract: bool = False, word: bool = True) -> None:
        cls.takes_variable = cls.takes_variable or "__init__" in cls.__dict__
        dataclasses.dataclass(frozen=True, init=not cls.takes_variable, repr=False)(cls)
        if abstract:
            return
        cls.kind = cls.__name__
        if cls.kind in KINDS:
            raise TypeError(f"a description named {cls.kind} exists already")
        if word:
            KINDS[cls.kind] = cls
        jax.tree_util.register_pytree_with_keys(
            cls, _flatten_with_keys, lambda static, children: _unflatten(cls, static, children)
        )

    def __post_init__(self) -> None:
        assign(self, {f.name: getattr(self, f.name) for f in _fields(self)})

    def check(self) -> None:
        """What concerns several fields at once; raises RecipeError. Nothing by default."""

    def replace(self, **changes: Any) -> Self:
        """A copy with some fields changed, checked like a new one.

        Raises:
            RecipeError: an unknown field, or a value that the field does not allow.
        """
        values = {f.name: getattr(self, f.name) for f in _fields(self)}
        return build(type(self), values | changes)

    def __repr__(self) -> str:
        return _text(self)


def _fields(description: Any) -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(description)


def field_names(description: "Description") -> tuple[str, ...]:
    """The names of the fields of a description, in order."""
    return tuple(field.name for field in _fields(description))


def assign(description: Description, values: Mapping[str, Any]) -> None:
    """Set the fields of a new description after checking each against its rule.

    What concerns several fields is checked once nothing in them is open any more.

    Raises:
        RecipeError: a value that its field does not allow.
    """
    for field in _fields(description):
        value, must = values[field.name], field.metadata["must"]
        if (convert := field.metadata["converter"]) is not None:
            value = value.mapped(convert) if isinstance(value, Open) else convert(value)
        if not allows(must, value):
            raise RecipeError(
                f"{type(description).__name__}({field.name})",
                required=must.text,
                got=repr(value),
                remedy=_remedy(value, must),
            )
        object.__setattr__(description, field.name, canonical(must, value))
    if any(is_open(getattr(description, field.name)) for field in _fields(description)):
        object.__setattr__(description, "_open", True)
    if isinstance(description, Open) or not is_open(description):
        description.check()


def is_open(value: Any) -> bool:
    """Whether a value, or anything in it, is still to be chosen (see ``spaces``)."""
    if isinstance(value, tuple):
        return any(map(is_open, value))
    return isinstance(value, Open) or (isinstance(value, Description) and value._open)


def _remedy(value: Any, must: Any) -> str:
    words = getattr(must, "words", None)
    if isinstance(value, str) and words:
        return did_you_mean(value, words)
    return "change the value"


def build(cls: type[D], values: Mapping[str, Any]) -> D:
    """A description from its fields by name, whatever the signature of its constructor.

    Raises:
        RecipeError: an unknown or missing field, or a value that its field does not allow.
    """
    fields = {field.name: field for field in _fields(cls)}
    for name in values:
        if name not in fields:
            raise RecipeError(
                f"{cls.__name__}({name})",
                required="a field that it has",
                got=repr(name),
                remedy=did_you_mean(name, fields),
            )
    complete = {n: f.default for n, f in fields.items() if f.default is not dataclasses.MISSING}
    complete |= values
    for name in fields:
        if name not in complete:
            raise RecipeError(
                f"{cls.__name__}({name})",
                required="a value",
                got="nothing",
                remedy=f"give {name}=...",
            )
    description = object.__new__(cls)
    assign(description, complete)
    return description


def unchecked(cls: type[D], **values: Any) -> D:
    """A description whose values are not checked, for layers that are made of other layers.

    Inside a compiled program numbers are tracers, which no rule accepts.
    """
    description = object.__new__(cls)
    for field in _fields(cls):
        value = values.get(field.name, field.default)
        convert = field.metadata["converter"]
        if convert is not None and field.name not in values:
            value = convert(value)
        object.__setattr__(description, field.name, value)
    return description


def by_name(table: Mapping[str, Any], thing: str) -> Converter:
    """A converter for fields that take a description or its name: ``"adam"`` for ``Adam()``.

    What is not a text is returned as it came, for the rule of the field to judge.
    """

    def convert(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if value not in table:
            raise RecipeError(
                thing, required="a known name", got=repr(value), remedy=did_you_mean(value, table)
            )
        return table[value]

    return convert


# --- pytree: leaves are the traced numbers, everything else is structure -------------------------


def _flatten_with_keys(description: Any) -> tuple[list[tuple[Any, Any]], tuple[Any, ...]]:
    children, structure = [], []
    for field in _fields(description):
        value, role = getattr(description, field.name), field.metadata["role"]
        if role == "static":
            structure.append(value)
        elif role != "label":
            children.append((jax.tree_util.GetAttrKey(field.name), value))
    return children, tuple(structure)


def _unflatten(cls: type[Any], structure: tuple[Any, ...], children: Any) -> Any:
    # No checks here: inside a compiled program the numbers are tracers.
    description = object.__new__(cls)
    sources = {"static": iter(structure), "traced": iter(children), "label": iter(())}
    sources["part"] = sources["traced"]
    for field in _fields(cls):
        value = next(sources[field.metadata["role"]], field.default)
        object.__setattr__(description, field.name, value)
    return description


# --- text and JSON -------------------------------------------------------------------------------


def _text(description: Any) -> str:
    """``Dense(64)``: required fields by position, the others by name where they are not default."""
    arguments: list[str] = []
    for field in _fields(description):
        value = getattr(description, field.name)
        if field.default is dataclasses.MISSING:
            spread = isinstance(value, tuple) and isinstance(value[0], Description)
            arguments.extend(map(_short, value) if spread else [_short(value)])
        elif not _is_default(field, value):
            arguments.append(f"{field.name}={_short(value)}")
    return f"{type(description).__name__}({', '.join(arguments)})"


def _is_default(field: dataclasses.Field[Any], value: Any) -> bool:
    converter = field.metadata["converter"]
    default = field.default if converter is None else converter(field.default)
    if any(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(value)):
        return False  # inside a compiled program numbers cannot be compared
    return type(value) is type(default) and bool(value == default)


def _short(value: Any) -> str:
    if callable(value):
        return str(value.__name__)
    return f"{value:g}" if isinstance(value, float) else repr(value)


def to_json(value: Any) -> Any:
    """A description as JSON values: ``{"kind": "Dense", "units": 64, ...}``, every field written.

    >>> from shoal.nets import Dropout
    >>> to_json(Dropout(0.5))
    {'kind': 'Dropout', 'rate': 0.5}
    """
    if isinstance(value, Description):
        fields = {f.name: to_json(getattr(value, f.name)) for f in _fields(value)}
        return {"kind": value.kind, **fields}
    if isinstance(value, tuple):
        return [to_json(item) for item in value]
    return name_of(value) if callable(value) else value


def from_json(value: Any) -> Any:
    """The description that ``to_json`` wrote, checked like one written by hand.

    Raises:
        RecipeError: a word outside the vocabulary, an unknown or missing field, a bad value.
    """
    if isinstance(value, Mapping):
        kind = value.get("kind")
        if not isinstance(kind, str) or kind not in KINDS:
            raise RecipeError(
                "a description read from JSON",
                required="a 'kind' out of the vocabulary",
                got=repr(kind),
                remedy=did_you_mean(str(kind), KINDS),
            )
        return build(KINDS[kind], {k: from_json(v) for k, v in value.items() if k != "kind"})
    if isinstance(value, list):
        return tuple(from_json(item) for item in value)
    return value


def walk(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every leaf of a description with its path: ``("net.layers[0].units", 64)``, in order."""
    if isinstance(value, Description):
        for field in _fields(value):
            step = f"{path}.{field.name}" if path else field.name
            yield from walk(getattr(value, field.name), step)
    elif isinstance(value, tuple) and any(isinstance(item, Description) for item in value):
        for index, item in enumerate(value):
            yield from walk(item, f"{path}[{index}]")
    else:
        yield path, value
