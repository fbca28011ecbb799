"""Methods that change colours pixel by pixel; those that follow each other become one pass."""

from mediamill.operations.augment.working import Apply, Work


def _brightness(work: Work) -> None:
    from mediamill.media.image.effects.tone import brightness

    work.canvas.tint(brightness(work.between(work.told.brightness)))


def _contrast(work: Work) -> None:
    from mediamill.media.image.effects.tone import contrast

    factor = work.between(work.told.contrast)
    work.canvas.tint(contrast(factor, work.canvas.grey_mean()))


def _saturation(work: Work) -> None:
    from mediamill.media.image.effects.tone import saturation

    work.canvas.tint(saturation(work.between(work.told.saturation)))


def _hue(work: Work) -> None:
    from mediamill.media.image.effects.tone import Hue

    work.canvas.tint(Hue(work.between(work.told.hue)))


def _solarize(work: Work) -> None:
    from mediamill.media.image.effects.tone import solarize

    threshold = work.between(work.told.solarize)
    addition = work.between(work.told.solarize_addition, "addition")
    work.canvas.tint(solarize(threshold, addition))


def _posterize(work: Work) -> None:
    from mediamill.media.image.effects.tone import posterize

    work.canvas.tint(posterize(work.whole(work.told.posterize)))


def _grayscale(work: Work) -> None:
    from mediamill.media.image.effects.tone import saturation

    work.canvas.tint(saturation(0))


def _channel_shuffle(work: Work) -> None:
    from mediamill.media.image.effects.tone import shuffle

    work.canvas.tint(shuffle(work.order(3)))


METHODS: dict[str, Apply] = {
    "brightness": _brightness,
    "contrast": _contrast,
    "saturation": _saturation,
    "hue": _hue,
    "solarize": _solarize,
    "posterize": _posterize,
    "grayscale": _grayscale,
    "channel-shuffle": _channel_shuffle,
}
