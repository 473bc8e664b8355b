"""Many visitors who explore the dashboard at once, and check all that they are shown.

Each takes samples, methods and classes at random, drops pictures of their own, starts slow methods
and stops them half-way, compares, leaves and is followed by another. What is shown must be what
this visitor asked last: the file (its picture bit by bit, as the library reads it), the method and
the class; and one question has one map, whoever asks it and whenever.

Run by `benchmarks/dashboard.py`: python benchmarks/crowd.py URL SERVER_PID SESSIONS SECONDS SEED.
Half-way it kills a worker that is busy. Prints its diary as JSON.
"""

import asyncio
import json
import os
import random
import re
import signal
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image
from processes import busiest
from visitor import Model, Visitor

from dashboards.files.gallery import GALLERY
from weights_keras import FOLDER, read_card
from xai_tf.attribution.methods import DEFAULT_METHOD, METHODS
from xai_tf.cli.demo import SAMPLES
from xai_tf.rendering import heatmaps
from xai_tf.rendering.viewer import picture_url
from xai_tf.tasks import TASKS

QUICK = ("squared_ig", "grad_cam", "grad_cam_pp", "saliency", "gradient_input", "fem")
SLOW = ("occlusion", "rise")
ACTIONS = {"method": 10, "sample": 5, "label": 4, "slow": 1, "compare": 1, "drop": 1, "leave": 0.5}
PHOTOS = "dogs_mobilenetv2"  # the model that the page finds for a photo of a dog
THINKING = (1.0, 5.0)  # seconds between two things a visitor does
SETTINGS = 2  # the place of that tab beside the picture
PATIENCE = 120.0  # seconds for an answer; a worker that was killed is back in less


@dataclass(frozen=True)
class Site:
    """What is visited: its address, the pid of its server, and when a worker is to be killed."""

    url: str
    server: int
    half: float


@dataclass
class Diary:
    """What the visitors of a crowd met.

    Attributes:
        answers: (action, method, whether it had been answered before, seconds) of each.
        arrivals: seconds to each page.
        faults: what was wrong, in words.
        retries: visitors who read that a process was lost and the work is done again.
        kills: workers that were killed, by one who waited for it.
        largest: bytes of the longest message.
    """

    answers: list[tuple[str, str, bool, float]] = field(default_factory=list)
    arrivals: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    retries: int = 0
    kills: int = 0
    largest: int = 0


@dataclass
class Truth:
    """What has to be shown.

    Attributes:
        originals: by file, the pictures of its windows.
        maps: by (file, method, class), the map that was shown first; class "" is the predicted one.
    """

    originals: dict[str, set[str]]
    maps: dict[tuple[str, str, str], str] = field(default_factory=dict)


class Person:
    """One who explores, and remembers the file, the method and the class asked last."""

    def __init__(self, site: Site, diary: Diary, truth: Truth, seed: int) -> None:
        self._site, self._diary, self._truth = site, diary, truth
        self._random, self._seed = random.Random(seed), seed
        self._actions = {
            "sample": self._take_sample,
            "method": self._take_method,
            "label": self._take_label,
            "slow": self._start_and_stop,
            "compare": self._compare,
            "drop": self._drop,
        }

    async def explore(self, end: float) -> None:
        """Explore until a time of the clock."""
        while time.monotonic() < end:
            self._visitor = Visitor(self._site.url)
            self._file, self._method, self._label = "", DEFAULT_METHOD, ""
            action = "arrive"
            try:
                start = time.perf_counter()
                await self._visitor.arrive()
                self._diary.arrivals.append(time.perf_counter() - start)
                action = "sample"
                while time.monotonic() < end and action != "leave":
                    await self._actions[action]()
                    await asyncio.sleep(self._random.uniform(*THINKING))
                    self._check()
                    [action] = self._random.choices(list(ACTIONS), ACTIONS.values())
                    if self._site.half < time.monotonic() and not self._diary.kills:
                        action = "slow"
            except Exception as error:
                asked = f"{action} ({self._file}, {self._method}, {self._label!r})"
                self._diary.faults.append(f"{asked}: {type(error).__name__} {error}")
            self._leave()

    @property
    def retried(self) -> bool:
        """Whether this visitor read that a process was lost and the work is done again."""
        return any("is being retried" in text for _, text in self._visitor.said)

    def _leave(self) -> None:
        seen, diary = self._visitor, self._diary
        diary.faults += seen.errors + [text for look, text in seen.said if look == "error"]
        diary.retries += self.retried
        diary.largest = max(diary.largest, seen.largest)
        seen.leave()

    async def _take_sample(self) -> None:
        names = [item.name for item in GALLERY if item.name != self._file]
        self._file, self._label = self._random.choice(names), ""
        await self._choose("sample", "Samples", self._file)

    async def _take_method(self) -> None:
        self._method = self._random.choice([name for name in QUICK if name != self._method])
        await self._ask("method", self._click_method())

    async def _click_method(self) -> None:
        await self._visitor.tell(self._methods, {"chosen": self._method})

    @property
    def _methods(self) -> Model:
        return self._visitor.find("Filmstrip")

    async def _take_label(self) -> None:
        if not self._visitor.all("Choices", label="Class to explain"):
            _, panel = self._visitor.all("Tabs")
            await self._visitor.set(panel, "active", SETTINGS)
            await self._until(lambda: self._visitor.all("Choices", label="Class to explain"))
        items = self._visitor.find("Choices", label="Class to explain").values["items"]
        others = [item for item in items if item["label"] != self._label]
        chosen = self._random.choice(others)
        self._label = chosen["label"]
        await self._choose("label", "Class to explain", chosen["value"])

    async def _choose(self, action: str, choices: str, value: str) -> None:
        asked = self._visitor.set(self._visitor.find("Choices", label=choices), "value", value)
        await self._ask(action, asked)

    async def _drop(self) -> None:
        """Drop a photo that nobody else has."""
        self._file, self._label = f"{self._seed}-{self._random.random()}.png", ""
        with tempfile.TemporaryDirectory() as folder:
            path = changed_photo(Path(folder), self._random)
            self._truth.originals[self._file] = originals(path, PHOTOS)
            await self._ask("drop", self._visitor.drop(path, self._file))

    async def _start_and_stop(self) -> None:
        killing = self._site.half < time.monotonic() and not self._diary.kills
        before, self._method = self._method, "rise" if killing else self._random.choice(SLOW)
        await self._click_method()
        running = self._methods.values
        await self._until(lambda: self._shown() or running.get("running") == self._method)
        await self._until(lambda: self._shown() or running.get("progress", -1) > 0)
        if killing and not self._shown() and not self._diary.kills:
            self._diary.kills += 1
            os.kill(await asyncio.to_thread(busiest, self._site.server), signal.SIGKILL)
            await self._until(self._shown)
        await asyncio.sleep(self._random.uniform(0, 1))
        if not self._shown():
            stops = running.get("stops", 0) + 1
            await self._visitor.set(self._methods, "stops", stops)
            await self._until(lambda: self._shown() or self._stopped())
        self._method = before
        await self._ask("method", self._click_method())

    def _stopped(self) -> bool:
        return not self._methods.values.get("running")

    async def _compare(self) -> None:
        tabs = self._visitor.find("Tabs")
        await self._visitor.set(tabs, "active", 1)
        await self._until(lambda: self._cells())
        if button := self._visitor.button("grid_view", "Compare"):
            await self._visitor.click(button)
        await self._until(lambda: all("(1 is" in c.values["caption"] for c in self._cells()))
        for cell in self._cells():
            title = cell.values["caption"].split(":")[0]
            wrong = cell.values["original"] not in self._truth.originals[self._file]
            if wrong or f" {title}" not in cell.values["alt"]:
                self._diary.faults.append(f"compare {self._file}: {cell.values['alt']}")
        await self._visitor.set(tabs, "active", 0)
        await self._until(self._shown)

    def _cells(self) -> list[Model]:
        viewers = self._visitor.all("AttributionViewer", group="compare")
        return [viewer for viewer in viewers if viewer.values.get("original")]

    async def _ask(self, action: str, asking) -> None:
        question = (self._file, self._method, self._label)
        known, start = question in self._truth.maps, time.perf_counter()
        await asking
        await self._until(self._shown)
        took = time.perf_counter() - start
        self._diary.answers.append((action, self._method, known, took))
        seen = self._viewer()
        self._label = self._label or re.search(r": why (.*)\?$", seen["caption"])[1]
        for label in {question[2], self._label}:
            first = self._truth.maps.setdefault((self._file, self._method, label), seen["heatmap"])
            if first != seen["heatmap"]:
                self._diary.faults.append(f"another map for {question}: {seen['alt']}")

    async def _until(self, check) -> None:
        await self._visitor.until(check, PATIENCE)

    def _viewer(self) -> dict:
        viewers = self._visitor.all("AttributionViewer", group="explain")
        return viewers[0].values if viewers else {}

    def _shown(self) -> bool:
        """Whether the page shows what was asked last."""
        seen = self._viewer()
        title = re.escape(METHODS[self._method].title)
        label = re.escape(self._label) or r"(?P<label>.*)"
        why = re.match(rf"{title}( at layer \S+)?: why {label}\?$", seen.get("caption", ""))
        if not why or seen.get("original") not in self._truth.originals[self._file]:
            return False
        called = "" if self._label else f"predicted as {why['label']} ("
        return bool(seen["heatmap"]) and called in seen["alt"]

    def _check(self) -> None:
        """What was asked last stays: nobody else's answer comes in its place."""
        if not self._shown():
            seen = self._viewer()
            asked = (self._file, self._method, self._label)
            self._diary.faults.append(f"mixed up: {asked} became {seen['alt']}")


def originals(path: Path, model: str) -> set[str]:
    """How the windows of a file look to a model."""
    card = read_card(FOLDER / f"{model}.md")
    samples = TASKS[card.task].windows(path, card.image_size)
    return {picture_url(heatmaps.image_bytes(sample)) for sample in samples}


def changed_photo(folder: Path, rng: random.Random) -> Path:
    """A photo with a grey square somewhere."""
    pixels = np.asarray(Image.open(SAMPLES / "dog.jpg").convert("RGB")).copy()
    row, column = (rng.randrange(side - 32) for side in pixels.shape[:2])
    pixels[row : row + 32, column : column + 32] = rng.randrange(256)
    Image.fromarray(pixels).save(folder / "photo.png")
    return folder / "photo.png"


async def explore(url: str, server: int, sessions: int, seconds: float, seed: int) -> Diary:
    """Let a crowd in."""
    truth = Truth({item.name: originals(item.path, item.model) for item in GALLERY})
    diary, end = Diary(), time.monotonic() + seconds
    site = Site(url, server, time.monotonic() + seconds / 2)
    people = [Person(site, diary, truth, seed + number) for number in range(sessions)]
    await asyncio.gather(*(person.explore(end) for person in people))
    return diary


def main() -> None:
    url, server, sessions, seconds, seed = sys.argv[1:]
    found = asyncio.run(explore(url, int(server), int(sessions), float(seconds), int(seed)))
    json.dump(asdict(found), sys.stdout)


if __name__ == "__main__":
    main()
