// Days and moments as people write them, in the reader's own zone.

// Nov 22, 2026.
export function day(time) {
  return new Date(time).toLocaleDateString("en", { day: "numeric", month: "short", year: "numeric" });
}

// To the minute: Nov 22, 2026, 20:05.
export function moment(time) {
  return `${day(time)}, ${clock(time)}`;
}

// The same of something that goes on: today only the time.
export function recent(time) {
  return new Date(time).toDateString() === new Date().toDateString() ? clock(time) : moment(time);
}

// The server knows no zone (pages/times.py): each time it wrote is told again.
export function retell(place) {
  for (const one of place.querySelectorAll("time[datetime][data-form]")) tell(one, one.dateTime);
}

const seconds = { second: "2-digit" };
const forms = {
  day,
  moment,
  exact: (time) => `${day(time)}, ${clock(time, seconds)}`,
  clock: (time) => clock(time, seconds),
};

export function tell(element, time) {
  element.dateTime = time;
  element.textContent = forms[element.dataset.form](time);
}

function clock(time, more = {}) {
  return new Date(time).toLocaleTimeString("en", { hour: "2-digit", minute: "2-digit", hourCycle: "h23", ...more });
}
