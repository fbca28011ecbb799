"""The second factor: set up, turned on and off, and proving once more who one is."""

from fastapi import APIRouter, Request
from pydantic import Field

from mediamill.web.api.recovery import WORDS
from mediamill.web.idempotency import shown_once
from mediamill.web.openapi import SESSION
from mediamill.web.parsing import PROBLEM, Body, StrictRoute, UserId
from mediamill.web.security import Identified, Mill, Recent, SettingUp, secret_of
from mediamill.web.views.factors import (
    FactorsView,
    RecoveryView,
    SetUpView,
    factors_view,
    set_up_view,
)

router = APIRouter(prefix="/v1", tags=["accounts"], responses=PROBLEM, route_class=StrictRoute)

CODE = "The present code of your app, or a recovery code; only where a second factor is on."


class FirstCode(Body):
    code: str = Field(max_length=100, examples=["287082"], description="What the app shows now.")


class Confirmation(Body):
    password: str = Field(max_length=5000, examples=[WORDS])
    code: str = Field("", max_length=100, examples=["287082"], description=CODE)


@router.post("/auth/confirm", status_code=204, openapi_extra=SESSION)
async def confirm(body: Confirmation, caller: Identified, mill: Mill, request: Request) -> None:
    """Prove once more who you are, for what asks for that within the next ten minutes."""
    await mill.people.confirming.confirm(caller, secret_of(request), body.password, body.code)


@router.get("/me/factors")
async def list_factors(caller: Identified, mill: Mill) -> FactorsView:
    """Show how it stands with the caller's second factor."""
    return factors_view(await mill.people.factors.state(await mill.accounts.profile(caller)))


@router.post("/me/factors/totp", status_code=201)
@shown_once
async def set_up_totp(caller: SettingUp, mill: Mill) -> SetUpView:
    """Make the secret of an authenticator app, which counts once its first code was given."""
    return set_up_view(await mill.people.factors.begin(await mill.accounts.profile(caller)))


@router.post("/me/factors/totp/confirm", status_code=201)
@shown_once
async def turn_totp_on(body: FirstCode, caller: SettingUp, mill: Mill) -> RecoveryView:
    """Turn the app on with its first code; recovery codes are shown this once."""
    user = await mill.accounts.profile(caller)
    return RecoveryView(recovery_codes=[*await mill.people.factors.turn_on(user, body.code)])


@router.delete("/me/factors/totp", status_code=204)
async def turn_totp_off(caller: Recent, mill: Mill) -> None:
    """Turn the app off, and forget the recovery codes."""
    await mill.people.factors.turn_off(await mill.accounts.profile(caller))


@router.post("/me/factors/recovery-codes", status_code=201)
@shown_once
async def renew_recovery_codes(caller: Recent, mill: Mill) -> RecoveryView:
    """Make new recovery codes, shown this once; those before are good for nothing."""
    user = await mill.accounts.profile(caller)
    return RecoveryView(recovery_codes=[*await mill.people.factors.renew(user)])


@router.delete("/admin/users/{user_id}/factors", status_code=204)
async def reset_factors(user_id: UserId, caller: Recent, mill: Mill) -> None:
    """Turn off the second factor of somebody who has lost it; for administrators."""
    await mill.people.resets.reset_for(caller, user_id)
