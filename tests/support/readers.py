"""Sets of annotated pictures as those who train read them: plain datasets as PyTorch wants them."""

import io
import xml.etree.ElementTree as ET
from contextlib import redirect_stdout

import cv2
import yaml


class CocoFolder:
    """A map-style dataset over a COCO set: (pixels, boxes, names)."""

    def __init__(self, root, split):
        from pycocotools.coco import COCO

        with redirect_stdout(io.StringIO()):
            self.coco = COCO(str(root / f"annotations/instances_{split}.json"))
        self.folder, self.ids = root / split, sorted(self.coco.imgs)

    def __len__(self):
        return len(self.ids)

    def __getitem__(self, n):
        image = self.coco.imgs[self.ids[n]]
        rows = self.coco.loadAnns(self.coco.getAnnIds(imgIds=[image["id"]]))
        names = [self.coco.cats[row["category_id"]]["name"] for row in rows]
        return pixels(self.folder / image["file_name"]), [row["bbox"] for row in rows], names


class YoloFolder:
    """The same over a YOLO set; boxes are made pixels again."""

    def __init__(self, root, split):
        self.names = yaml.safe_load((root / "data.yaml").read_text())["names"]
        self.labels = root / "labels" / split
        self.paths = sorted((root / "images" / split).iterdir())

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, n):
        image = pixels(self.paths[n])
        height, width = image.shape[:2]
        text = (self.labels / f"{self.paths[n].stem}.txt").read_text()
        rows = [[float(word) for word in line.split()] for line in text.splitlines()]
        outlined = any(len(row) > 6 for row in rows)
        boxes = [
            [x * width, y * height, w * width, h * height]
            for x, y, w, h in map(around if outlined else corner, rows)
        ]
        return image, boxes, [self.names[int(row[0])] for row in rows]


def corner(row):
    """Read a line as left, top, width and height."""
    _, x, y, w, h = row
    return x - w / 2, y - h / 2, w, h


def around(row):
    """Read a line as a polygon, as Ultralytics does with all of a file where one is longer."""
    xs, ys = row[1::2], row[2::2]
    return min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)


class VocFolder:
    """The same over a Pascal VOC set."""

    def __init__(self, root, split):
        self.root = root
        self.stems = (root / f"ImageSets/Main/{split}.txt").read_text().split()

    def __len__(self):
        return len(self.stems)

    def __getitem__(self, n):
        tree = ET.parse(self.root / f"Annotations/{self.stems[n]}.xml")
        rows = tree.findall("object")
        corners = [
            [float(row.find(f"bndbox/{tag}").text) for tag in ("xmin", "ymin", "xmax", "ymax")]
            for row in rows
        ]
        boxes = [[left, top, right - left, low - top] for left, top, right, low in corners]
        names = [row.find("name").text for row in rows]
        return pixels(self.root / "JPEGImages" / tree.find("filename").text), boxes, names


def pixels(path):
    image = cv2.imread(str(path))
    assert image is not None, path
    return image
