// How fast bytes go, and for how long still, as people say it.
import { t } from "../texts.js";

const EVERY = 1000;
const WEIGHT = 0.25; // of the newest second

export class Speed {
  constructor() {
    Object.assign(this, { at: performance.now(), bytes: 0, rate: 0 });
  }

  // Takes the sum of bytes that were sent; what was found on the server, or given up, is no speed.
  take(bytes) {
    const passed = performance.now() - this.at;
    if (passed < EVERY) return;
    const rate = (Math.max(0, bytes - this.bytes) * 1000) / passed;
    this.rate = this.rate ? this.rate + WEIGHT * (rate - this.rate) : rate;
    this.at = performance.now();
    this.bytes = bytes;
  }

  left(bytes) {
    if (this.rate < 1) return "";
    const minutes = Math.round(bytes / this.rate / 60);
    if (minutes < 1) return t("uploads.left_moment");
    return minutes < 90 ? t("uploads.left", { count: minutes }) : t("uploads.left_hours", { count: Math.round(minutes / 60) });
  }
}
