"""Groups with a leading command: what is given without the name of one is that one's."""

from typing import Any

import click


class LeadingGroup(click.Group):
    """A group whose command `leading` may go unnamed."""

    def __init__(self, *args: Any, leading: str, **options: Any) -> None:
        super().__init__(*args, **options)
        self.leading = leading

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        named = bool(args) and (args[0] in self.commands or args[0] in ctx.help_option_names)
        return super().parse_args(ctx, args if named else [self.leading, *args])
