"""Methods that lose what a worse camera or a smaller file loses."""

from functools import partial

from mediamill.operations.augment.working import Apply, Work


def _super_resolution(work: Work) -> None:
    from mediamill.media.image.effects.filters import resampled

    work.canvas.filter(partial(resampled, factor=work.between(work.told.super_resolution)))


def _jpeg_compression(work: Work) -> None:
    from mediamill.media.image.effects.filters import jpeg_compressed

    quality = work.whole(work.told.jpeg_compression)
    work.canvas.filter(partial(jpeg_compressed, quality=quality))


METHODS: dict[str, Apply] = {
    "super-resolution": _super_resolution,
    "jpeg-compression": _jpeg_compression,
}
