// Days and moments as people write them.

// A day in the reader's own zone: Nov 22, 2026.
export function day(time) {
  return new Date(time).toLocaleDateString("en", { day: "numeric", month: "short", year: "numeric" });
}

// To the minute, in the reader's own zone: Nov 22, 2026, 20:05.
export function moment(time) {
  return `${day(time)}, ${clock(time)}`;
}

// The same of something that goes on: today only the time.
export function recent(time) {
  return new Date(time).toDateString() === new Date().toDateString() ? clock(time) : moment(time);
}

// As the server's own pages write a time (RFC 3339, UTC): 2026-11-22 20:05 UTC.
export const stamp = (time) => `${time.slice(0, 10)} ${time.slice(11, 16)} UTC`;

function clock(time) {
  return new Date(time).toLocaleTimeString("en", { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
}
