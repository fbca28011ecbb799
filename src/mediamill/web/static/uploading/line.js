// One file in the panel: its name, how far it is, and what can be done with it.
import { size } from "../api.js";
import { made } from "../dataset.js";
import { t } from "../texts.js";

const ACTIONS = {
  waiting: ["pause", "cancel"], sending: ["pause", "cancel"], paused: ["resume", "cancel"], checking: [],
  refused: ["retry", "dismiss"], unfinished: ["cancel"], ready: [],
};
const NAMES = { pause: t("uploads.pause"), resume: t("uploads.resume"), retry: t("words.try_again"), cancel: t("words.cancel"), dismiss: t("words.dismiss") };

export class Line {
  constructor(entry) {
    this.entry = entry;
    this.name = made("span", { class: "name", title: entry.name }, entry.name);
    this.told = made("span", { class: "muted" });
    this.bar = made("progress", { max: "1", "aria-label": t("uploads.of_file", { name: entry.name }) });
    this.actions = made("span", { class: "does" });
    this.item = made("li", {}, this.name, this.actions, this.told, this.bar);
    this.item.entry = entry;
  }

  // What has not changed is left alone: it may have the focus, or be read out.
  update(hold) {
    const { state, sent, reason } = this.entry;
    const share = this.entry.size ? sent / this.entry.size : 0;
    const text = this.text(hold);
    if (this.told.textContent !== text) this.told.textContent = text;
    this.told.className = state === "refused" ? "error" : "muted";
    this.bar.hidden = !(["sending", "paused", "unfinished"].includes(state) || (state === "waiting" && sent));
    if (state === "checking" && !reason) this.bar.removeAttribute("value");
    else this.bar.value = share;
    if (this.state === state) return;
    this.state = state;
    this.item.dataset.state = state;
    const focused = this.actions.contains(document.activeElement);
    this.actions.replaceChildren(...ACTIONS[state].map((action) => button(action, this.entry.name)));
    if (focused) (this.actions.firstElementChild || this.item.closest("section").querySelector("button")).focus();
  }

  text(hold) {
    const { state, sent, reason, there } = this.entry;
    const whole = size(this.entry.size);
    switch (state) {
      case "waiting":
        if (hold?.why === "connection" && (sent || this.entry.id)) return t("uploads.state", { which: "connection" });
        return t("uploads.waiting_size", { size: whole });
      case "sending":
        if (sent === this.entry.size) return t("uploads.state", { which: "checking" });
        return t("uploads.of_size", { sent: size(sent), size: whole });
      case "paused":
        return `${t("uploads.state", { which: "paused" })} · ${t("uploads.of_size", { sent: size(sent), size: whole })}`;
      case "unfinished":
        return t("uploads.choose_again", { sent: size(sent), size: whole });
      case "refused":
        return reason;
      case "checking":
        return reason || t("uploads.state", { which: "checking" });
      default:
        return t("uploads.state", { which: there ? "there" : "ready" });
    }
  }
}

function button(action, name) {
  const told = NAMES[action];
  return made("button", { type: "button", class: "quiet", "data-do": action, "aria-label": t("uploads.named", { action: told, name }) }, told);
}
