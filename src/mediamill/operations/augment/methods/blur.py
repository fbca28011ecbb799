"""Methods that make a picture noisier, softer or sharper."""

from functools import partial

from mediamill.operations.augment.working import Apply, Work


def _gaussian_noise(work: Work) -> None:
    from mediamill.media.image.effects.noise import gaussian_noise

    std = work.between(work.told.gaussian_noise)
    mean = work.between(work.told.gaussian_noise_mean, "mean")
    work.canvas.filter(partial(gaussian_noise, mean=mean, std=std, key=work.key()))


def _gaussian_blur(work: Work) -> None:
    from mediamill.media.image.effects.filters import gaussian_blur

    sigma = work.between(work.told.gaussian_blur)
    kernel = work.whole(work.told.gaussian_blur_kernel, "kernel", step=2)
    work.canvas.filter(partial(gaussian_blur, kernel=kernel, sigma=sigma))


def _motion_blur(work: Work) -> None:
    from mediamill.media.image.effects.filters import motion_blur

    length = work.whole(work.told.motion_blur, step=2)
    degrees = work.between(work.told.motion_blur_angle, "angle")
    work.canvas.filter(partial(motion_blur, length=length, degrees=degrees))


def _sharpness(work: Work) -> None:
    from mediamill.media.image.effects.filters import sharpness

    work.canvas.filter(partial(sharpness, factor=work.between(work.told.sharpness)))


METHODS: dict[str, Apply] = {
    "gaussian-noise": _gaussian_noise,
    "gaussian-blur": _gaussian_blur,
    "motion-blur": _motion_blur,
    "sharpness": _sharpness,
}
