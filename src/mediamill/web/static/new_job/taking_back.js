// Undo in a list that has changed since: what was taken out comes back, what came since stays.

// `now` with those of the set `gone` in it, each behind the nearest of those that stood before it in `before`.
export function returned(now, before, gone) {
  const there = new Set(now);
  const behind = new Map([[null, []], ...now.map((one) => [one, []])]);
  let last = null;
  for (const one of before) {
    if (there.has(one)) last = one;
    else if (gone.has(one)) behind.get(last).push(one);
  }
  return [...behind].flatMap(([one, back]) => (one === null ? back : [one, ...back]));
}
