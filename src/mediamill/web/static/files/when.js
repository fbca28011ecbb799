// Says while one scrolls from which day the files are that pass by, as an id of a file tells.
import { day } from "../times.js";

const DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const STAYS = 900; // milliseconds
const FEW = 4; // screens: with fewer there is no need to say it

export class Thumb {
  constructor(place, grid) {
    Object.assign(this, { place, grid });
  }

  follow() {
    addEventListener("scroll", () => requestAnimationFrame(() => this.tell()), { passive: true });
  }

  tell() {
    const { source, place } = this.grid;
    if (!source.count || place.offsetHeight < FEW * innerHeight || scrollY < place.offsetTop) return;
    const id = source.id(Math.min(this.grid.sight()[0], source.count - 1));
    this.place.textContent = day(madeAt(id));
    this.place.hidden = false;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => { this.place.hidden = true; }, STAYS);
  }
}

// The first ten digits of an id are the milliseconds (`core/ids.py`).
function madeAt(id) {
  return [...id.split("_")[1].slice(0, 10)].reduce((time, digit) => time * 32 + DIGITS.indexOf(digit), 0);
}
