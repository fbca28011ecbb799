"""augment: changed copies of images, their annotations with them."""

from mediamill.operations.augment.operation import Augment

plugin = Augment
