"""Templates: placeholders, checks when saved, versions, names, strangers."""

import asyncio

import pytest

from mediamill.core.access import Principal
from mediamill.core.errors import Conflict, Forbidden, InvalidInput, NotFound
from mediamill.operations.catalogue import OPERATIONS
from mediamill.services.access import Access
from mediamill.services.templates.drafts import Draft, checked
from mediamill.services.templates.placeholders import filled, settle
from mediamill.services.templates.service import TemplateService
from mediamill.services.templates.sharing import TemplateSharing
from mediamill.store.opening import open_store
from mediamill.store.repositories.jobs import Step
from mediamill.store.repositories.templates import (
    EVERYBODY,
    Templates,
    TemplateVersion,
    Variable,
)
from mediamill.store.repositories.users import User, Users

ANN, BOB, CAT = Principal("user_ann"), Principal("user_bob"), Principal("user_cat")


def step(operation="thumbnail", **parameters):
    return Step(operation=operation, parameters=parameters)


THUMBS = Draft((step(size="${size}"),), {"size": Variable(type="integer", default=64)})


@pytest.fixture(params=["memory", "sqlite"])
async def service(request, tmp_path):
    url = "memory:" if request.param == "memory" else f"sqlite:///{tmp_path}/test.db"
    store = await open_store(url)
    yield TemplateService(Access(store), Templates(store), OPERATIONS)
    await store.close()


# -- placeholders ----


@pytest.mark.parametrize(
    ("value", "made"),
    [
        ("${n}", 3),
        ("${f}", 0.5),
        ("${l}", [1, 2]),
        ("a ${n} b ${f} ${t}", "a 3 b 0.5 word"),
        ("${b}!", "true!"),
        ("$${n}", "${n}"),
        ("$$${n}", "$${n}"),
        ("x$${n}${n}", "x${n}3"),
        ("$n {n} $ {n}", "$n {n} $ {n}"),
        (["${n}", "${gone}", {"deep": "${t}"}], [3, {"deep": "word"}]),
        ("[${gone}]", "[]"),
        (7, 7),
    ],
)
def test_placeholders_take_values(value, made):
    values = {"n": 3, "f": 0.5, "l": [1, 2], "t": "word", "b": True}
    assert filled({"p": value}, values, "here") == {"p": made}


def test_a_parameter_without_a_value_is_left_out():
    assert filled({"p": "${gone}", "q": 1}, {}, "here") == {"q": 1}


def test_values_are_not_placeholders_themselves():
    assert filled({"p": "${a}", "q": "x${a}"}, {"a": "${b}", "b": 1}, "") == {
        "p": "${b}", "q": "x${b}",
    }  # fmt: skip


def test_a_list_does_not_fit_in_text():
    with pytest.raises(InvalidInput, match="list") as refusal:
        filled({"p": "x ${l}"}, {"l": [1]}, "steps.0.parameters")
    assert refusal.value.details["errors"][0]["pointer"] == "steps.0.parameters.p"


@pytest.mark.parametrize(
    ("variable", "value", "good"),
    [
        ("integer", 3, True), ("integer", 3.5, False), ("integer", True, False),
        ("number", 3, True), ("number", "3", False), ("boolean", 0, False),
        ("boolean", False, True), ("string", 3, False), ("list", [1], True),
        ("object", [], False), ("any", True, True), ("any", {"a": 1}, True),
    ],
)  # fmt: skip
def test_variables_have_types(variable, value, good):
    variables = {"v": Variable(type=variable)}
    if good:
        assert settle(variables, {"v": value}) == {"v": value}
        return
    with pytest.raises(InvalidInput) as refusal:
        settle(variables, {"v": value})
    assert refusal.value.details["errors"][0]["pointer"] == "variables.v"


# -- what is checked when a template is saved ----


@pytest.mark.parametrize(
    ("draft", "pointer"),
    [
        (Draft((step(size="${sise}"),), {}), "steps.0.parameters.size"),
        (Draft((step(sise=3),), {}), "steps.0.parameters.sise"),
        (Draft((step(sise="${v}"),), {"v": Variable()}), "steps.0.parameters.sise"),
        (Draft((step(size=1, format="${v}"),), {"v": Variable()}), "steps.0.parameters.size"),
        (Draft((step(size="${v}"),), {"v": Variable(default=1)}), "steps.0.parameters.size"),
        (Draft((step(),), {"a b": Variable()}), "variables.a b"),
        (Draft((step(),), {"v": Variable(type="integer", default="x")}), "variables.v.default"),
        (Draft((step(x="y" * 9000),), {}), "steps"),
    ],
)
def test_what_is_wrong_already_is_refused(draft, pointer):
    with pytest.raises(InvalidInput) as refusal:
        checked(draft, OPERATIONS)
    assert refusal.value.details["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize(
    "draft",
    [
        THUMBS,
        Draft((step("extract-frames", mode="timestamps", at="${v}"),), {"v": Variable()}),
        Draft(
            (step("extract-frames", mode="${m}", fps="${v}"),), {"v": Variable(), "m": Variable()}
        ),
        Draft((step(size="${v}"),), {"v": Variable(required=False)}),
    ],
)
def test_what_may_become_right_is_kept(draft):
    assert checked(draft, OPERATIONS) is draft


def test_an_unknown_operation_is_refused():
    with pytest.raises(InvalidInput, match="convert") as refusal:
        checked(Draft((step(size=64), step("nonsense")), {}), OPERATIONS)
    assert refusal.value.details["errors"][0]["pointer"] == "steps.1.operation"


# -- names, versions, strangers ----


async def test_every_version_is_kept(service):
    made = await service.create(ANN, "Thumbs", THUMBS, "small")
    assert (await service.get(ANN, "thumbs")).id == made.id
    changed = await service.change(ANN, made.id, steps=(step(size=32),), variables={})
    assert changed.version == 2
    assert (await service.change(ANN, made.id, steps=(step(size=32),))).version == 2
    assert (await service.change(ANN, "THUMBS", name="Tiny")).version == 3
    page = await service.versions(ANN, "tiny", None, 10)
    assert [row.version for row in page.rows] == [3, 2, 1]
    assert page.rows[-1].steps == THUMBS.steps
    assert page.rows[-1].variables == THUMBS.variables
    with pytest.raises(NotFound):
        await service.get(ANN, "Thumbs")
    await service.create(ANN, "Thumbs", THUMBS)


async def test_names_are_unique_per_owner(service):
    made = await service.create(ANN, "Thumbs", THUMBS)
    with pytest.raises(Conflict, match="already"):
        await service.create(ANN, "thumbs ", THUMBS)
    other = await service.create(ANN, "Other", THUMBS)
    with pytest.raises(Conflict, match="already"):
        await service.change(ANN, other.id, name="THUMBS")
    await service.create(BOB, "Thumbs", THUMBS)
    await service.delete(ANN, "thumbs")
    assert await service.templates.store.get(TemplateVersion, made.id, 1) is None
    await service.create(ANN, "Thumbs", THUMBS)
    for name in ("", " ", "tmpl_x", "a/b", "x" * 101):
        with pytest.raises(InvalidInput):
            await service.create(ANN, name, THUMBS)


async def test_one_of_two_changes_at_once_is_told(service):
    made = await service.create(ANN, "Thumbs", THUMBS)
    changes = [service.change(ANN, made.id, steps=(step(size=32 + n),)) for n in range(5)]
    outcomes = await asyncio.gather(*changes, return_exceptions=True)
    good = [one for one in outcomes if not isinstance(one, Exception)]
    assert all(isinstance(one, Conflict) for one in outcomes if one not in good)
    now = await service.get(ANN, made.id)
    assert now.version == 1 + len(good)
    page = await service.versions(ANN, made.id, None, 10)
    assert [row.version for row in page.rows] == [*range(now.version, 0, -1)]


async def test_templates_of_others_are_not_there(service):
    made = await service.create(ANN, "Thumbs", THUMBS)
    for reference in (made.id, "Thumbs"):
        for call in (
            service.get(BOB, reference),
            service.versions(BOB, reference, None, 10),
            service.change(BOB, reference, name="mine"),
            service.delete(BOB, reference),
        ):
            with pytest.raises(NotFound):
                await call
        with pytest.raises(InvalidInput, match="no template"):
            await service.apply(BOB, reference, {})
    assert (await service.list(BOB, None, 10)).rows == ()
    assert (await service.get(ANN, made.id)).name == "Thumbs"


async def test_errors_of_filled_steps_are_about_their_variables(service):
    made = await service.create(ANN, "Thumbs", THUMBS)
    template, steps = await service.apply(ANN, made.id, {"size": 99})
    assert steps == (("thumbnail", {"size": 99}),)
    assert template.version == 1


@pytest.mark.parametrize("value", ["${x}" * 1900, ["${x}"] * 1000, {"a": ["b ${x}"] * 700}])
async def test_a_value_cannot_be_written_again_and_again(service, value):
    """A megabyte in two thousand places would come to two gigabytes."""
    draft = Draft((step(size=value),), {"x": Variable(type="any", required=True)})
    made = await service.create(ANN, "Boom", draft)
    for large in ("y" * 1_000_000, ["y" * 500_000] * 2, "y" * 1000):
        with pytest.raises(InvalidInput, match="come to more than") as refusal:
            await service.apply(ANN, made.id, {"x": large})
        assert refusal.value.details["errors"][0]["pointer"] == "variables"
    assert await service.apply(ANN, made.id, {"x": "y" * 100})


# -- sharing ----


@pytest.fixture
async def sharing(service):
    users = Users(service.templates.store)
    for name in ("ann", "bob", "cat"):
        await users.add(User(id=f"user_{name}", email=f"{name}@example.org", name="", created=1))
    return TemplateSharing(service.access, users)


async def names(page):
    return [template.name for template in (await page).rows]


async def test_a_template_is_shared_with_a_user(service, sharing):
    made = await service.create(ANN, "thumbs", THUMBS)
    await sharing.share(ANN, made.id, "Bob@example.org", "viewer")
    assert await names(sharing.with_me(BOB, None, 10)) == ["thumbs"]
    (shown,) = await sharing.shown(BOB, made)
    assert (shown.role, shown.by) == ("viewer", "ann")
    assert (await service.apply(BOB, made.id, {"size": 9}))[1] == (("thumbnail", {"size": 9}),)
    with pytest.raises(Forbidden):
        await service.change(BOB, made.id, name="mine")
    with pytest.raises(Forbidden):
        await sharing.share(BOB, made.id, "cat@example.org", "editor")
    with pytest.raises(NotFound):
        await service.get(CAT, made.id)
    await sharing.share(ANN, made.id, BOB.user, "editor")
    changed = await service.change(BOB, made.id, name="ours")
    assert (changed.version, changed.owner) == (2, ANN.user)
    assert (await service.get(ANN, "ours")).id == made.id
    with pytest.raises(Forbidden):
        await service.delete(BOB, made.id)
    guests = (await sharing.list(ANN, made.id, None, 10)).rows
    assert [(share.user, share.role) for share, _ in guests] == [(BOB.user, "editor")]
    await sharing.revoke(BOB, made.id, BOB.user)
    with pytest.raises(NotFound):
        await service.get(BOB, made.id)
    assert await names(sharing.with_me(BOB, None, 10)) == []


async def test_a_template_is_shared_with_everybody(service, sharing):
    made = await service.create(ANN, "thumbs", THUMBS)
    await sharing.share(ANN, made.id, EVERYBODY, "viewer")
    await sharing.share(ANN, made.id, CAT.user, "editor")
    assert await names(sharing.with_everybody(BOB, None, 10)) == ["thumbs"]
    for who, role in ((ANN, "owner"), (BOB, "viewer"), (CAT, "editor")):
        assert (await sharing.shown(who, await service.get(who, made.id)))[0].role == role
    with pytest.raises(Forbidden):
        await sharing.revoke(BOB, made.id, EVERYBODY)
    await sharing.revoke(ANN, made.id, EVERYBODY)
    with pytest.raises(NotFound):
        await service.get(BOB, made.id)
    await service.delete(ANN, made.id)
    assert await names(sharing.with_me(CAT, None, 10)) == []
    assert (await service.templates.shares_of(made.id)).rows == ()


async def test_shares_that_are_refused(service, sharing):
    made = await service.create(ANN, "thumbs", THUMBS)
    for who, told in (("nobody@example.org", "register"), (ANN.user, "theirs")):
        with pytest.raises(InvalidInput, match=told):
            await sharing.share(ANN, made.id, who, "viewer")
    with pytest.raises(NotFound):
        await sharing.revoke(ANN, made.id, BOB.user)
    with pytest.raises(NotFound):
        await sharing.share(BOB, made.id, CAT.user, "viewer")
