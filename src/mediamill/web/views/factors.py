"""Second factors as they look outside."""

from pydantic import Field

from mediamill.services.accounts.factors.service import FactorState, SetUp
from mediamill.web.views.common import Time, View, moment


class FactorsView(View):
    totp_since: Time | None = Field(description="When the authenticator app was turned on.")
    recovery_codes_left: int
    required: bool = Field(description="Whether this service wants you to have a second factor.")


class SetUpView(View):
    secret: str = Field(description="For an app that reads no QR code; it is not shown again.")
    uri: str = Field(examples=["otpauth://totp/Mediamill:ann@example.org?secret=…"])
    qr_code: str = Field(description="The address as a QR code: an SVG file.")


class RecoveryView(View):
    recovery_codes: list[str] = Field(
        description="Each signs in once in place of a code; they are not shown again."
    )


def factors_view(state: FactorState) -> FactorsView:
    return FactorsView(
        totp_since=moment(state.since),
        recovery_codes_left=state.left,
        required=state.demanded,
    )


def set_up_view(made: SetUp) -> SetUpView:
    return SetUpView(secret=made.secret, uri=made.uri, qr_code=made.qr_code)
